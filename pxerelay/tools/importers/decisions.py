"""Classes and defaults that send each kind of client, on each interface, where another program sent it.

A kind is what a client says of itself: a text that its option 60 begins with, an architecture, both, or
neither. Classes are a list of which the first that matches wins, so the more is said the earlier it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pxerelay.tools.importers.found import Class, Servers

_MOST_CHECKED = 40_000
"""Steps that it may take to find out which classes are of no use."""


class Kind(NamedTuple):
    """What a client says: how its option 60 begins, and its architecture."""

    vendor: str = ""
    arch: int | None = None


NONE = Kind()
"""A client that says nothing that anything depends on."""


@dataclass(frozen=True)
class Table:
    """Where clients of each kind go, on each interface and (None) elsewhere; no servers: nowhere is known."""

    kinds: Sequence[Kind]
    places: Sequence[str | None]
    servers: Callable[[Kind, str | None], Servers]
    name: Callable[[Kind], str]

    def classes(self) -> list[Class]:
        """Return the classes."""
        entries = _joined(self._useful(list(self._all())))
        return list(_named(entries))

    def wrong(self, classes: Sequence[Class]) -> Iterator[tuple[Kind, str | None, Servers]]:
        """Yield where the classes send a client elsewhere, and where to."""
        for kind in self.kinds:
            for place in self.places:
                servers = self._chosen(classes, kind, place)
                if servers != self.servers(kind, place):
                    yield kind, place, servers

    def _all(self) -> Iterator[Class]:
        kinds = [kind for kind in self.kinds if kind != NONE]
        kinds.sort(key=lambda kind: (not kind.vendor or kind.arch is None, -len(kind.vendor)))
        for kind in kinds:
            everywhere = self.servers(kind, None)
            apart: dict[Servers, list[str]] = {}
            for place in self.places:
                servers = self.servers(kind, place)
                if place is not None and servers and servers != everywhere:
                    apart.setdefault(servers, []).append(place)
            arch = () if kind.arch is None else (kind.arch,)
            for servers, names in apart.items():
                yield Class(self.name(kind), servers, kind.vendor, arch, tuple(names))
            if everywhere:
                yield Class(self.name(kind), everywhere, kind.vendor, arch)

    def _chosen(self, classes: Iterable[Class], kind: Kind, place: str | None) -> Servers:
        for entry in classes:
            if (
                kind.vendor.startswith(entry.vendor_class)
                and (not entry.arch or kind.arch in entry.arch)
                and (not entry.interfaces or place in entry.interfaces)
            ):
                return entry.servers
        return self.servers(NONE, place) or self.servers(NONE, None)

    def _useful(self, classes: list[Class]) -> list[Class]:
        """Return the classes without those that change nothing."""
        if len(classes) ** 2 * len(self.kinds) * len(self.places) > _MOST_CHECKED:
            return classes
        wanted = {
            (kind, place): self._chosen(classes, kind, place) for kind in self.kinds for place in self.places
        }
        for entry in reversed(classes.copy()):
            without = [one for one in classes if one is not entry]
            if all(self._chosen(without, *point) == servers for point, servers in wanted.items()):
                classes = without
        return classes


def _joined(classes: Iterable[Class]) -> list[Class]:
    """Join neighbours that differ in their architecture only."""
    done: list[Class] = []
    for entry in classes:
        last = done[-1] if done else None
        same = (
            last
            and entry.arch
            and last.arch
            and last._replace(name="", arch=()) == entry._replace(name="", arch=())
        )
        if last and same:
            name = last.name if last.name == entry.name else f"{last.name}, {entry.name}"
            done[-1] = last._replace(name=name, arch=(*last.arch, *entry.arch))
        else:
            done.append(entry)
    return done


def _named(classes: Iterable[Class]) -> Iterator[Class]:
    """Yield the classes, each with a name of its own."""
    taken: set[str] = set()
    for entry in classes:
        name, number = entry.name, 1
        if entry.interfaces:
            name = f"{entry.name} on {', '.join(entry.interfaces[:3])}"
        while name in taken:
            number += 1
            name = f"{name.removesuffix(f' {number - 1}')} {number}"
        taken.add(name)
        yield entry._replace(name=name)
