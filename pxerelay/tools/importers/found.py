"""What was found in the files of another program: rules with their comments, settings, and faults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, NamedTuple

from pxerelay.config import schema
from pxerelay.config.findings import Finding
from pxerelay.policy.servers import can_be_server
from pxerelay.tools.importers.source import Source, Word, printable, quoted
from pxerelay.wire.mac import MAC_OCTETS, MacError, Pattern, parse_pattern

Servers = tuple[str, ...]
"""Addresses or DNS names; each of them gets a copy, of requests of its own family."""

Network = IPv4Network | IPv6Network

_LONGEST_NAME = 253
"""Characters of the longest DNS name (RFC 1035, 2.3.4, without the lengths of labels)."""

_LONGEST_MAC = 64

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
    """What stands below an interface's name; with no `default` it is the file's.

    `off` are the families that are not relayed there: the keys that say so. `link_address` is what stands for
    it in DHCPv6, if the files say it.
    """

    default: Servers = ()
    comment: str = ""
    off: tuple[str, ...] = ()
    link_address: str = ""


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
    interfaces: tuple[tuple[Network, str], ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[tuple[IPv4Interface | IPv6Interface, str], ...] = ()
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
        self.name_places: dict[str, tuple[Source, Word]] = {}
        self._places: dict[Pattern, First] = {}
        self._homes: dict[str, dict[str, None]] = {}

    def apart(self) -> Found:
        """Return what is to hold one family of what is found, with the same that the user says."""
        return Found(self.told)

    def first(self, pattern: Pattern) -> First | None:
        """Return where the rule of a client stands that was taken; None if there is none."""
        return self._places.get(pattern)

    @property
    def rules(self) -> list[Rule]:
        """The rules alone."""
        return [entry for entry in self.entries if isinstance(entry, Rule)]

    def lives(self, mac: str, interface: str) -> None:
        """Keep that a client is on an interface, by what files say of it."""
        self._homes.setdefault(_digits(mac), {}).setdefault(interface)

    def homes(self, mac: str) -> tuple[str, ...]:
        """Return the interfaces that a client is on, as far as that was said."""
        return tuple(self._homes.get(_digits(mac), ()))

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

    def interface_of(self, networks: Iterable[Network]) -> str | None:
        """Return the interface that clients of these networks are on, None if nobody says."""
        wanted = tuple(networks)
        for network, name in self.told.interfaces:
            if any(one.version == network.version and one.overlaps(network) for one in wanted):
                return name
        for address, name in self.told.addresses:
            for one in wanted:
                alone = one.prefixlen == one.max_prefixlen
                if one.network_address in address.network if alone else address.ip in one:
                    return name
        return None

    def interface(self, source: Source, word: Word) -> bool:
        """Return whether a word can be an interface's name, and note what is wrong if it can't."""
        names = schema.schema()["$defs"]["interfaceName"]
        usable = re.search(names["pattern"], word.text) is not None and word.text.isprintable()
        if not usable:
            self.fault(source, word, f"{quoted(word.text)} is not {names['x-expected']}")
        return usable

    def server(self, source: Source, word: Word, family: int = 4) -> bool:
        """Return whether a word can be a server in a family, and note what is wrong if it can't.

        A family of 0 is either.
        """
        message = server_fault(word.text, family)
        if message:
            self.fault(source, word, message)
        elif not family_of(word.text):
            self.name_places.setdefault(word.text, (source, word))
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
        self._places[pattern] = First(source, mac, servers)
        self.entries.append(Rule(key, servers, comment, more))
        return True


class First(NamedTuple):
    """Where the rule stands that was taken, and what it says."""

    source: Source
    word: Word
    servers: Servers

    @property
    def place(self) -> str:
        """The place as `file:line`."""
        return f"{self.source.name}:{self.word.line}"


def _digits(mac: str) -> str:
    return re.sub(r"[:.-]", "", spelled(mac)).lower()


def not_imported(source: Source, line: int) -> str:
    """Return the comment that a line becomes which was not understood."""
    return f" not imported, line {line}: {source.lines[line - 1].strip()[:_LONGEST_REMARK]}"


def server_fault(text: str, family: int = 0) -> str:
    """Return what is wrong with a text as a server's address or DNS name; empty if nothing is.

    `family` is the one that the server is for, 4 or 6; with 0 it may be either.
    """
    address: IPv4Address | IPv6Address | None = None
    if schema.pattern_of("address4").search(text):
        address = IPv4Address(text)
    elif ":" in text:
        address = address6(text)
    if address is not None and family in (0, address.version):
        return "" if can_be_server(address) else f"{text} can't be a server; write the unicast address of one"
    if len(text) <= _LONGEST_NAME and schema.pattern_of("hostname").search(text):
        return ""
    kind = f"IPv{family or 4}"
    return (
        f"{quoted(text)} is no server: write an {kind} address {_EXAMPLES[family or 4]}, "
        "or a DNS name with its domain, such as wds.example.net"
    )


_EXAMPLES = {4: "such as 10.20.0.10", 6: "such as 2001:db8:20::10"}


def address6(text: str) -> IPv6Address | None:
    """Return the IPv6 address that a text is, without a zone; None if it is none."""
    try:
        found = IPv6Address(text)
    except ValueError:
        return None
    return None if found.scope_id else found


def family_of(server: str) -> int:
    """Return the family of a server: 4 or 6, and 0 for a DNS name, which may have addresses of both."""
    if ":" in server:
        return 6
    return 4 if schema.pattern_of("address4").search(server) else 0


def spelled(mac: str) -> str:
    """Return a MAC with two digits in each group, as 0:1a:2b:3c:4d:5 is spelled here."""
    groups = mac.split(":")
    if len(groups) == MAC_OCTETS and any(len(group) == 1 for group in groups) and "*" not in mac:
        return ":".join(group.rjust(2, "0") for group in groups)
    return mac
