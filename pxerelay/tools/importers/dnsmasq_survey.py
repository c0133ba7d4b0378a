"""What dnsmasq would do in each place with each kind of client that no line names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pxerelay.config.resolve import DROP
from pxerelay.tools.importers.decisions import NONE, Kind
from pxerelay.tools.importers.dnsmasq_model import Boot, Client, Host, Model, Range, Result
from pxerelay.tools.importers.dnsmasq_options import beginnings
from pxerelay.tools.importers.found import Found, Servers
from pxerelay.tools.importers.source import Source, Word, quoted
from pxerelay.wire.mac import Pattern

_MOST_KINDS = 400
_ARCH_IN_TEXT = re.compile(r"Arch:(\d{5})")


class Place(NamedTuple):
    """Where clients are: the ranges of a network, or an interface that tags are about; else anywhere."""

    ranges: tuple[Range, ...] = ()
    interface: str = ""


ANYWHERE = Place()

Results = frozenset[Result]


class Survey:
    """All that is asked of a model. `base` has what clients get that no dhcp-host and no dhcp-mac is about.

    `default` are the servers of clients anywhere that say nothing special; `named` are the words that were
    named as not understood.
    """

    def __init__(self, model: Model, found: Found) -> None:
        model.index()
        self.model = model
        self.found = found
        self.named: set[int] = set()
        self.places = list(self._all_places())
        self.kinds = list(self._all_kinds())
        self.base = {
            (place, kind): self.results(place, kind)
            for place in (ANYWHERE, *self.places)
            for kind in self.kinds
        }
        self.default = self.servers(self.base[ANYWHERE, NONE])

    def points(self, places: Iterable[Place]) -> list[tuple[Place, Kind]]:
        """Return all kinds of clients in these places, or anywhere if there are none."""
        return [(place, kind) for place in list(places) or [ANYWHERE] for kind in self.kinds]

    def _all_places(self) -> Iterator[Place]:
        networks: dict[object, list[Range]] = {}
        for one in self.model.ranges:
            networks.setdefault(one.network, []).append(one)
        for ranges in networks.values():
            yield Place(tuple(ranges), self.found.interface_of([ranges[0].network]) or "")
        model = self.model
        used = {tag for boot in (*model.boots, *model.options, *model.services) for tag in boot.tags}
        used |= {tag for _, wanted in model.tag_ifs for tag in wanted}
        used |= {tag for some in model.ignores for tag in some}
        used = {tag.lstrip("!#") for tag in used}
        for name in dict.fromkeys(model.interfaces):
            if name in used or any(tag.endswith("*") and name.startswith(tag[:-1]) for tag in used):
                yield Place((), name)

    def _all_kinds(self) -> Iterator[Kind]:
        archs = sorted(
            {int(atom.text) for atom in self.model.atoms if atom.kind == "arch" and atom.text}
            | {one.arch for one in self.model.services if one.arch is not None}
        )
        vendors: dict[str, None] = {}
        for atom in self.model.atoms:
            if atom.kind == "vendor" and atom.text:
                vendors.update(dict.fromkeys(beginnings(atom.text) or (atom.text,)))
        yield NONE
        yield from (Kind(vendor) for vendor in vendors)
        yield from (Kind("", arch) for arch in archs)
        if len(archs) * len(vendors) > _MOST_KINDS:
            return
        for vendor in vendors:
            said = _ARCH_IN_TEXT.search(vendor)
            yield from (Kind(vendor, arch) for arch in archs if not said or int(said[1]) == arch)

    def results(
        self,
        place: Place,
        kind: Kind,
        *,
        says: Iterable[str] = (),
        mac: Pattern | None = None,
        host: Host | None = None,
    ) -> Results:
        """Return what may become of a client; `says` are tags of what only clients know."""
        client = Client(kind.vendor, kind.arch, frozenset(says), place.interface, mac, host)
        return frozenset(self.model.results(client, place.ranges))

    def servers(self, results: Results, *, telling: bool = True) -> Servers:
        """Return the servers that results mean; what can't be said is named, once for each line."""
        servers: dict[Servers, Result] = {}
        for one in sorted(results, key=lambda r: r.word.line if isinstance(r, Boot) else 0):
            if isinstance(one, Boot):
                servers[(one.server or self.found.told.own_address,)] = one
            else:
                servers[(DROP,) if one == DROP else ()] = one
        boots = [one for one in servers.values() if isinstance(one, Boot)]
        own = servers.get(("",))
        if telling and isinstance(own, Boot):
            self.tell(
                own,
                f"clients fetch {quoted(own.word.text)} from dnsmasq's own host; say which address that "
                f"has by "
                "--self ADDRESS",
            )
        if len(servers) > 1 and boots and telling and own is None:
            others = ", ".join(one.server or "dnsmasq's own host" for one in boots[:-1]) or "no server"
            self.tell(
                boots[-1],
                f"a client may have this server or {others}, by the address that it gets or by its choice "
                f"of a menu; "
                "write rules or `classes:` for them",
            )
        return next(iter(servers)) if len(servers) == 1 and own is None else ()

    def tell(self, boot: Boot, message: str) -> None:
        """Name the line of a server, once."""
        if id(boot.word) not in self.named:
            self.named.add(id(boot.word))
            self.found.fault(boot.line.source, boot.word, message)

    def wanted(self, kind: Kind, place: Place) -> Servers:
        """Return where a kind of client is to go; what the user says of the default goes before the file."""
        servers = self.servers(self.base[place, kind])
        return self.found.default if servers == self.default else servers

    def where(self, place: Place) -> tuple[Source, Word]:
        """Return where it is said what clients of a place get."""
        boots = [one for one in self.base[place, NONE] if isinstance(one, Boot)]
        if boots and boots[0].tags:
            return boots[0].line.source, boots[0].word
        if place.ranges:
            line = place.ranges[0].line
            return line.source, line.words[0]
        boot = next(one for kind in self.kinds for one in self.base[place, kind] if isinstance(one, Boot))
        return boot.line.source, boot.word
