"""What was found in the files of another program: rules with their comments, settings, and faults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, NamedTuple

from pxerelay.config import schema
from pxerelay.config.findings import Finding
from pxerelay.policy.servers import can_be_server
from pxerelay.tools.importers.source import Source, Word, printable, quoted
from pxerelay.wire.mac import MAC_OCTETS, MacError, Pattern, parse_pattern

Servers = tuple[str, ...]
"""Addresses or DNS names; each of them gets a copy."""

_LONGEST_NAME = 253
"""Characters of the longest DNS name (RFC 1035, 2.3.4, without the lengths of labels)."""

_LONGEST_MAC = 64
_WHOLE = 32
"""Bits of the network that is one address."""

_LONGEST_REMARK = 200


class Rule(NamedTuple):
    """A client, or many, and where they go; `key` is spelled as the file spells it.

    `more` holds `owner`, `until` and `note`, where there are any.
    """

    key: str
    servers: Servers
    comment: str = ""
    more: tuple[tuple[str, str], ...] = ()


class Remark(NamedTuple):
    """A comment on a line of its own, without its first #; None is an empty line."""

    text: str | None


class Interface(NamedTuple):
    """What stands below an interface's name; with no `default` it is the file's."""

    default: Servers = ()
    comment: str = ""


class Class(NamedTuple):
    """Clients told by option 60, option 93 and their interface, and where they go."""

    name: str
    servers: Servers
    vendor_class: str = ""
    arch: tuple[int, ...] = ()
    interfaces: tuple[str, ...] = ()
    comment: str = ""


@dataclass
class Settings:
    """What else a whole set-up says: interfaces, classes and keys of the main file, each with a comment.

    `hosts_files` were named, each at a word of a source, and not read yet.
    """

    interfaces: dict[str, Interface] = field(default_factory=dict)
    classes: list[Class] = field(default_factory=list)
    keys: dict[str, tuple[Any, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    hosts_files: list[tuple[Source, Word]] = field(default_factory=list)


_LONGEST_PARAGRAPH = 6
"""Lines of a comment above a client; a longer one is a manual's."""


def paragraph(above: list[Remark]) -> list[Remark]:
    """Return the comment right above a client: not what is long, as in stock files."""
    return above if sum(one.text is not None for one in above) <= _LONGEST_PARAGRAPH else []


@dataclass(frozen=True)
class Told:
    """What the user says besides the files.

    `servers` are names for servers; `default` is where clients go that no rule names. `interfaces` says which
    interface a network is on, `networks` the same of networks that files have by name; `addresses` are those
    of this host, each with its interface. `own_address` is that of the host that the files are from.
    `columns` names columns of a table: the header that stands for `mac`.
    """

    servers: Mapping[str, Servers] = field(default_factory=dict)
    default: Servers = ()
    interfaces: tuple[tuple[IPv4Network, str], ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[tuple[IPv4Interface, str], ...] = ()
    own_address: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


class Found:
    """Grows while files are read. `told` is what the user says, `given` the names in it for servers.

    `suggested` are names that the files have for them, `notes` what the user should know. `default` is
    where clients go that no rule names, if the user or the files say so.
    """

    def __init__(self, told: Told | None = None) -> None:
        self.told = told or Told()
        self.given = dict(self.told.servers)
        self.entries: list[Rule | Remark] = []
        self.settings = Settings()
        self.suggested: dict[str, str] = {}
        self.default: Servers = self.told.default
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self._places: dict[Pattern, _First] = {}

    @property
    def rules(self) -> list[Rule]:
        """The rules alone."""
        return [entry for entry in self.entries if isinstance(entry, Rule)]

    def fault(self, source: Source, place: Word, message: str) -> None:
        """Note what is wrong at a word."""
        self.findings.append(source.finding(place.line, place.column, message))

    def remark(self, text: str | None) -> None:
        """Keep a comment line, or with None an empty one."""
        self.entries.append(Remark(text))

    def not_imported(self, source: Source, line: int) -> None:
        """Keep a line that was not understood as a comment, in its place."""
        self.remark(not_imported(source, line))

    def default_is(self, servers: Servers) -> None:
        """Take what the files say of the default, unless the user says something else."""
        self.default = self.told.default or servers

    def interface_of(self, networks: Iterable[IPv4Network]) -> str | None:
        """Return the interface that clients of these networks are on, None if nobody says."""
        wanted = tuple(networks)
        for network, name in self.told.interfaces:
            if any(network.overlaps(one) for one in wanted):
                return name
        for address, name in self.told.addresses:
            for one in wanted:
                inside = (
                    one.network_address in address.network if one.prefixlen == _WHOLE else address.ip in one
                )
                if inside:
                    return name
        return None

    def interface(self, source: Source, word: Word) -> bool:
        """Return whether a word can be an interface's name, and note what is wrong if it can't."""
        names = schema.schema()["$defs"]["interfaceName"]
        usable = re.search(names["pattern"], word.text) is not None and word.text.isprintable()
        if not usable:
            self.fault(source, word, f"{quoted(word.text)} is not {names['x-expected']}")
        return usable

    def server(self, source: Source, word: Word) -> bool:
        """Return whether a word can be a server, and note what is wrong if it can't."""
        message = server_fault(word.text)
        if message:
            self.fault(source, word, message)
        return not message

    def rule(
        self,
        source: Source,
        mac: Word,
        servers: Servers,
        comment: str = "",
        more: tuple[tuple[str, str], ...] = (),
    ) -> bool:
        """Keep a rule, and return whether it was one and its MAC had none yet."""
        key = spelled(mac.text)
        try:
            if len(key) > _LONGEST_MAC:
                raise MacError(f"{quoted(key)} is no MAC; write it as in 00:11:22:33:44:55")
            pattern = parse_pattern(key)
        except MacError as error:
            self.fault(source, mac, printable(str(error)))
            return False
        first = self._places.get(pattern)
        if first is not None:
            other = "" if first.servers == servers else f" with {', '.join(first.servers)}"
            message = f"{quoted(key)} stands in {first.place} already{other}; that one was taken, keep one"
            self.fault(source, mac, message)
            return False
        self._places[pattern] = _First(f"{source.name}:{mac.line}", servers)
        self.entries.append(Rule(key, servers, comment, more))
        return True


class _First(NamedTuple):
    """Where the rule stands that was taken, and what it says."""

    place: str
    servers: Servers


def not_imported(source: Source, line: int) -> str:
    """Return the comment that a line becomes which was not understood."""
    return f" not imported, line {line}: {source.lines[line - 1].strip()[:_LONGEST_REMARK]}"


def server_fault(text: str) -> str:
    """Return what is wrong with a text as a server's address or DNS name; empty if nothing is."""
    if schema.pattern_of("address4").search(text):
        if can_be_server(IPv4Address(text)):
            return ""
        return f"{text} can't be a server; write the unicast address of one"
    if len(text) <= _LONGEST_NAME and schema.pattern_of("hostname").search(text):
        return ""
    return (
        f"{quoted(text)} is no server: write an IPv4 address such as 10.20.0.10, "
        "or a DNS name with its domain, such as wds.example.net"
    )


def spelled(mac: str) -> str:
    """Return a MAC with two digits in each group, as 0:1a:2b:3c:4d:5 is spelled here."""
    groups = mac.split(":")
    if len(groups) == MAC_OCTETS and any(len(group) == 1 for group in groups) and "*" not in mac:
        return ":".join(group.rjust(2, "0") for group in groups)
    return mac
