"""What was found in the files of another program: rules with their comments, settings, and faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
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
_LONGEST_REMARK = 200


class Rule(NamedTuple):
    """A client, or many, and where they go; `key` is spelled as the file spells it."""

    key: str
    servers: Servers
    comment: str = ""


class Remark(NamedTuple):
    """A comment on a line of its own, without its first #; None is an empty line."""

    text: str | None


@dataclass
class Settings:
    """What else a whole relay set-up says: interfaces and keys of the main file, each with a comment.

    `hosts_files` were named, each at a word of a source, and not read yet.
    """

    interfaces: dict[str, str] = field(default_factory=dict)
    keys: dict[str, tuple[Any, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    hosts_files: list[tuple[Source, Word]] = field(default_factory=list)


class Found:
    """Grows while files are read. `given` are names that the user has for servers.

    `suggested` are names that the files have for them, `notes` what the user should know. `default` is
    where clients go that no rule names, if the files say so.
    """

    def __init__(self, given: Mapping[str, Servers] | None = None) -> None:
        self.given = dict(given or {})
        self.entries: list[Rule | Remark] = []
        self.settings = Settings()
        self.suggested: dict[str, str] = {}
        self.default: Servers = ()
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

    def server(self, source: Source, word: Word) -> bool:
        """Return whether a word can be a server, and note what is wrong if it can't."""
        message = server_fault(word.text)
        if message:
            self.fault(source, word, message)
        return not message

    def rule(self, source: Source, mac: Word, servers: Servers, comment: str = "") -> bool:
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
        self.entries.append(Rule(key, servers, comment))
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
