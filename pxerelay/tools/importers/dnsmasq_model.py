"""What dnsmasq does with a client: which tags it has, and which boot server these give it.

As dnsmasq 2.90 does it: tags come of the interface, of dhcp-match, dhcp-vendorclass and
dhcp-userclass, of dhcp-mac, of the client's dhcp-host, of the dhcp-range of its address, and of tag-if. Of
the dhcp-boot lines with tags the last one counts all of whose tags the client has; else the last one without
tags. An option 66 or 150 counts where dhcp-boot names no server, or only one for clients without that tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from pxerelay.config.resolve import DROP
from pxerelay.tools.importers.dnsmasq_lines import Line
from pxerelay.tools.importers.source import Word
from pxerelay.wire.mac import Pattern

SERVICES = (
    "x86pc",
    "pc98",
    "ia64_efi",
    "alpha",
    "arc_x86",
    "intel_lean_client",
    "ia32_efi",
    "x86-64_efi",
    "xscale_efi",
    "bc_efi",
    "arm32_efi",
    "arm64_efi",
)
"""Names that pxe-service has for architectures; each stands at its number of option 93."""

_URL = re.compile(r"[a-z0-9+]+://(?:[^/@\s]*@)?([^/:\s]+)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Boot:
    """A line that gives clients with tags a server; with no `server` it is dnsmasq's own host."""

    tags: tuple[str, ...]
    server: str
    line: Line
    word: Word
    arch: int | None = None

    @property
    def is_service(self) -> bool:
        """Whether it is a pxe-service that some of the clients need a tag for."""
        return self.arch is not None and bool(self.tags)


class Atom(NamedTuple):
    """What a client says that gives it a tag.

    `kind` is `arch`, `vendor`, or `other`, which a relay can't tell.
    """

    tag: str
    kind: str
    text: str
    line: Line

    @property
    def said(self) -> str:
        """The line without its comment."""
        return f"{self.line.key}={','.join(word.text for word in self.line.words)}"


@dataclass(frozen=True, eq=False)
class Range:
    """A dhcp-range: its tag, and the tags that clients must have to get an address of it."""

    tag: str
    needs: tuple[str, ...]
    start: IPv4Address
    end: IPv4Address
    network: IPv4Network
    line: Line


@dataclass(eq=False)
class Host:
    """A dhcp-host: whom it is about, and what it gives them."""

    line: Line
    macs: list[tuple[Word, Pattern | None]] = field(default_factory=list)
    sets: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    address: IPv4Address | None = None
    name: str = ""
    ignore: bool = False
    other: bool = False

    def is_in(self, ranges: Sequence[Range]) -> bool:
        """Whether its address is in the network of the ranges, if it has one."""
        return self.address is None or not ranges or any(self.address in one.network for one in ranges)


class Client(NamedTuple):
    """A client, as far as dnsmasq looks at it; a `mac` with stars is any client whose address matches it."""

    vendor: str = ""
    arch: int | None = None
    says: frozenset[str] = frozenset()
    interface: str = ""
    mac: Pattern | None = None
    host: Host | None = None


Result = Boot | str | None
"""What gives a client its server, DROP, or nothing."""


def matches(wanted: Iterable[str], tags: frozenset[str] | set[str], *, wild: bool = False) -> bool:
    """Whether a client with these tags has all that are wanted, and none with a ! or # before it."""
    for tag in wanted:
        if tag[:1] in ("!", "#"):
            if _has(tag[1:], tags, wild):
                return False
        elif not _has(tag, tags, wild):
            return False
    return True


def _has(tag: str, tags: frozenset[str] | set[str], wild: bool) -> bool:
    if wild and tag.endswith("*"):
        return any(one.startswith(tag[:-1]) for one in tags)
    return tag in tags


def contains(wide: Pattern, narrow: Pattern) -> bool:
    """Whether all addresses of one pattern match another."""
    return wide.mask & narrow.mask == wide.mask and narrow.value & wide.mask == wide.value


@dataclass
class Model:
    """All that decides about boot servers, in the order of the files."""

    boots: list[Boot] = field(default_factory=list)
    options: list[Boot] = field(default_factory=list)
    services: list[Boot] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    macs: list[tuple[Pattern, tuple[str, ...], Line]] = field(default_factory=list)
    atoms: list[Atom] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    tag_ifs: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    ignores: list[tuple[str, ...]] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)

    def index(self) -> None:
        """Sort hosts by their addresses, once all are there; the last one comes first."""
        self._exact: dict[int, list[Host]] = {}
        self._stars: list[tuple[Pattern, Host]] = []
        for host in reversed(self.hosts):
            for _, pattern in host.macs:
                if pattern is None:
                    continue
                if pattern.exact:
                    self._exact.setdefault(pattern.value, []).append(host)
                else:
                    self._stars.append((pattern, host))

    def signature(self, mac: Pattern, networks: Sequence[Sequence[Range]]) -> object:
        """Return what is the same for clients that dnsmasq treats alike."""
        hosts = [*self._exact.get(mac.value, ())] if mac.exact else []
        hosts += [host for wide, host in self._stars if contains(wide, mac)]
        return (
            mac.exact,
            tuple(
                (
                    one.sets,
                    one.needs,
                    one.ignore,
                    tuple((one.is_in(some), _offered(one, some)[0]) for some in networks),
                )
                if one.address
                else (one.sets, one.needs, one.ignore, id(one) if one in hosts[1:] else 0)
                for one in hosts
            ),
            tuple(at for at, (wide, _, _) in enumerate(self.macs) if contains(wide, mac)),
        )

    def places_of(self, mac: Pattern, places: Sequence[Any]) -> list[Any]:
        """Return where a client may be: its own addresses tell, if its lines have one each."""
        hosts = self._exact.get(mac.value, ()) if mac.exact else ()
        if not hosts or any(host.address is None for host in hosts):
            return list(places)
        inside = [one for one in places if any(one.ranges and host.is_in(one.ranges) for host in hosts)]
        return inside or list(places)

    def results(self, client: Client, ranges: Sequence[Range]) -> set[Result]:
        """Return what a client may get that is offered addresses of these ranges, all of one network."""
        tags = {client.interface} if client.interface else set()
        tags |= client.says
        tags.update(atom.tag for atom in self.atoms if _says(client, atom))
        if client.mac:
            mac = client.mac
            tags.update(tag for wide, some, _ in self.macs if contains(wide, mac) for tag in some)
        host = client.host or self._host(client.mac, ranges, self._with_ifs(tags))
        if host:
            tags |= {"known", *host.sets}
        elif self._host(client.mac, (), self._with_ifs(tags)):
            tags.add("known-othernet")
        now = self._with_ifs(tags)
        if (host and host.ignore) or any(some and matches(some, now) for some in self.ignores):
            return {DROP}
        found: set[Result] = set()
        for one in _offered(host, ranges):
            if one is None:
                found |= self._boots(now, client)
            elif matches(one.needs, now):
                found |= self._boots(self._with_ifs({*tags, one.tag} - {""}), client)
        return found or {None}

    def _with_ifs(self, tags: set[str]) -> set[str]:
        now = set(tags)
        for some, wanted in self.tag_ifs:
            if matches(wanted, now, wild=True):
                now.update(some)
        return now

    def _host(self, mac: Pattern | None, ranges: Sequence[Range], tags: set[str]) -> Host | None:
        """Return the dhcp-host of a client: one that needs tags first, and the fewest stars."""
        if mac is None:
            return None
        exact = self._exact.get(mac.value, ()) if mac.exact else ()
        for tagged in (True, False):
            for host in exact:
                if host.is_in(ranges) and (bool(host.needs) or not tagged) and matches(host.needs, tags):
                    return host
            stars = [
                (-wide.mask.bit_count(), at, host)
                for at, (wide, host) in enumerate(self._stars)
                if contains(wide, mac)
                and host.is_in(ranges)
                and (bool(host.needs) or not tagged)
                and matches(host.needs, tags)
            ]
            if stars:
                return min(stars, key=lambda one: one[:2])[2]
        return None

    def _boots(self, tags: set[str], client: Client) -> set[Result]:
        services = [one for one in self.services if one.arch == client.arch and matches(one.tags, tags)]
        if services:
            return {
                next(one for one in services if one.server == server)
                for server in {s.server for s in services}
            }
        boot, option = _last(self.boots, tags), _last(self.options, tags)
        if option and (boot is None or not boot.server or (option.tags and not boot.tags)):
            boot = option
        return {boot}


def url_host(text: str) -> str:
    """Return the host of a boot file that is a URL."""
    match = _URL.match(text)
    return match[1] if match else ""


def _last(boots: Sequence[Boot], tags: set[str]) -> Boot | None:
    tagged = (one for one in reversed(boots) if one.tags and matches(one.tags, tags))
    return next(tagged, next((one for one in reversed(boots) if not one.tags), None))


def _says(client: Client, atom: Atom) -> bool:
    if atom.kind == "arch":
        return atom.text == "" or atom.text == str(client.arch)
    return atom.kind == "vendor" and atom.text in client.vendor


def _offered(host: Host | None, ranges: Sequence[Range]) -> list[Range | None]:
    """Return the ranges that a client may get its address of."""
    address = host.address if host else None
    if address is not None:
        inside = [one for one in ranges if one.start <= address <= one.end]
        inside = inside or [one for one in ranges if address in one.network]
        if inside:
            return [inside[-1]]
    return list(ranges) or [None]
