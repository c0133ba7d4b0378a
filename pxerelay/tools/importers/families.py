"""What files say of DHCPv4 and what they say of DHCPv6, as one mapping.

A client has one rule, one class or one default, whose servers get the requests of their own family. So what
decides in either family is put together: the servers of both. Where one entry can't say it, because a client
that has a rule in one family goes by its class or VLAN in the other and these differ, that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pxerelay.config.resolve import DROP
from pxerelay.tools.importers.decisions import NONE, Kind
from pxerelay.tools.importers.found import (
    Class,
    First,
    Found,
    Interface,
    Remark,
    Rule,
    Servers,
    family_of,
    spelled,
)
from pxerelay.tools.importers.source import Source, Word, quoted
from pxerelay.wire.mac import Pattern, parse_pattern

_NAMES = {4: "DHCPv4", 6: "DHCPv6"}

_ON = "dhcpv6", (True, "these files have DHCPv6 too")
_ONLY_6 = (
    "These files have DHCPv6 alone, so the result relays no DHCPv4; import them together with those of "
    "DHCPv4, if one relay is to do both."
)


def only_6(found: Found) -> None:
    """Have the result relay DHCPv6 alone, as the files do that were read."""
    found.settings.keys["dhcpv4"] = False, "nothing is said of it"
    found.settings.keys["dhcpv6"] = True, ""
    found.notes.append(_ONLY_6)


def settle(found: Found) -> None:
    """Switch DHCPv6 on where a server has an IPv6 address and nothing was said of it yet."""
    settings = found.settings
    mentioned = [found.default, *(one.servers for one in found.rules)]
    mentioned += [one.servers for one in settings.classes]
    mentioned += [one.default for one in settings.interfaces.values()]
    if "dhcpv6" not in settings.keys and any(
        family_of(one) == 6 for servers in mentioned for one in servers if one != DROP
    ):
        settings.keys["dhcpv6"] = True, "some servers have an IPv6 address"


def join(four: Found, six: Found, found: Found) -> None:
    """Put what was found in each family together."""
    _Joint(four, six, found).write()


def off_where_unnamed(four: Found, six: Found) -> None:
    """Switch each family off on the interfaces that only the files of the other one name.

    `*` of DHCPv4 names them all.
    """
    sides = (four, six, "dhcpv4"), (six, four, "dhcpv6")
    named = [set(side.settings.interfaces) for side in (four, six)]
    for (_, other, key), here in zip(sides, named, strict=True):
        for name, entry in other.settings.interfaces.items():
            if "*" not in here and name not in here:
                other.settings.interfaces[name] = entry._replace(off=(*entry.off, key))


def add_of_4(found: Found, side: Found) -> None:
    """Add rules that are about DHCPv4; in DHCPv6 these clients have the default."""
    found.findings.extend(side.findings)
    found.notes.extend(side.notes)
    found.suggested.update(side.suggested)
    for entry in side.entries:
        first = side.first(parse_pattern(spelled(entry.key))) if isinstance(entry, Rule) else None
        if not isinstance(entry, Rule) or first is None:
            found.entries.append(entry)
        else:
            servers = _both(entry.servers, found.default)
            found.rule(first.source, first.word, servers, entry.comment, entry.more)


class _Joint:
    def __init__(self, four: Found, six: Found, found: Found) -> None:
        self._sides = {4: four, 6: six}
        self._found = found
        self._names: dict[str, None] = {}

    def write(self) -> None:
        """Write all of it."""
        found, sides = self._found, self._sides.values()
        for side in sides:
            found.findings.extend(side.findings)
            found.notes.extend(note for note in side.notes if note not in found.notes)
            found.suggested.update(side.suggested)
            self._keys(side)
            remarks = found.settings.remarks
            remarks.extend(one for one in side.settings.remarks if one not in remarks)
            found.settings.hosts_files.extend(side.settings.hosts_files)
        found.settings.keys.setdefault(*_ON)
        found.default_is(self._join(*(side.default for side in sides)))
        self._interfaces()
        self._classes()
        self._rules()
        places = {name: place for side in sides for name, place in side.name_places.items()}
        for name in self._names:
            found.fault(
                *places.get(name, (Source("", ""), Word("", 1, 1))),
                f"{quoted(name)} is a DNS name, which gets the requests of both families, and these clients "
                f"boot from another server in the other one; write its address in the place of the name",
            )

    def _join(self, four: Servers, six: Servers) -> Servers:
        """Return the servers of both families; keep the names that would get the other one's requests too."""
        for part, other in ((four, six), (six, four)):
            if other not in ((), (DROP,)):
                names = (one for one in part if one != DROP and not family_of(one) and one not in other)
                self._names.update(dict.fromkeys(names))
        return _both(four, six)

    def _keys(self, side: Found) -> None:
        """Take the keys of a family; of lists the entries, of others those of DHCPv4 first."""
        keys = self._found.settings.keys
        for key, (value, comment) in side.settings.keys.items():
            there = keys.get(key)
            if there and isinstance(value, list) and isinstance(there[0], list):
                keys[key] = [*there[0], *(one for one in value if one not in there[0])], there[1]
            else:
                keys.setdefault(key, (value, comment))

    def _interfaces(self) -> None:
        sides = [side.settings.interfaces for side in self._sides.values()]
        for name in dict.fromkeys(name for side in sides for name in side):
            entries = [side.get(name, Interface()) for side in sides]
            defaults = [
                entry.default or side.default
                for entry, side in zip(entries, self._sides.values(), strict=True)
            ]
            servers = self._join(*defaults) if any(entry.default for entry in entries) else ()
            comment = ", ".join(dict.fromkeys(entry.comment for entry in entries if entry.comment))
            off = tuple(dict.fromkeys(one for entry in entries for one in entry.off))
            own = servers if servers != self._found.default else ()
            link_address = next((entry.link_address for entry in entries if entry.link_address), "")
            self._found.settings.interfaces[name] = Interface(own, comment, off, link_address)

    def _outcome(self, family: int, kind: Kind, place: str | None) -> Servers:
        """Return where clients of a kind go that no rule names."""
        side = self._sides[family]
        for entry in side.settings.classes:
            if _matches(entry, kind, place):
                return entry.servers
        return self._class_or_default(family, None, place)

    def _kinds(self) -> list[Kind]:
        """Return all kinds of clients that the classes of either family tell apart."""
        classes = [one for side in self._sides.values() for one in side.settings.classes]
        vendors = dict.fromkeys(("", *(one.vendor_class for one in classes)))
        numbers = dict.fromkeys((None, *(number for one in classes for number in one.arch)))
        return [Kind(vendor, number) for vendor in vendors for number in numbers]

    def _classes(self) -> None:
        """Write what clients have that are of a class of one family and of a class of the other, or of none.

        Of each list the first class counts that a client is of. So, of both, does the first pair, if pairs
        stand in the order of the first list, and among these in that of the second.
        """
        four, six = (side.settings.classes for side in self._sides.values())
        written: list[Class] = []
        for one in (*four, None):
            for other in (*six, None):
                both = _conditions(one, other)
                if both is None or any(_covers(entry, both) for entry in written):
                    continue
                for entry in self._by_place(one, other, both):
                    if entry.servers and not any(_covers(before, entry) for before in written):
                        written.append(entry)
        taken: set[str] = set()
        for entry in written:
            name, number = entry.name, 1
            while name in taken:
                number += 1
                name = f"{entry.name} {number}"
            taken.add(name)
            self._found.settings.classes.append(entry._replace(name=name))

    def _by_place(self, one: Class | None, other: Class | None, both: Class) -> Iterator[Class]:
        """Yield a class for each set of VLANs with the same default in a family that no class is of."""
        here = [(4, one), (6, other)]
        apart: dict[Servers, list[str]] = {}
        everywhere = self._join(*(self._class_or_default(family, entry, None) for family, entry in here))
        for name in both.interfaces or self._found.settings.interfaces if None in (one, other) else ():
            servers = self._join(*(self._class_or_default(family, entry, name) for family, entry in here))
            if servers != everywhere:
                apart.setdefault(servers, []).append(name)
        for servers, names in apart.items():
            base = both.name.partition(" on ")[0]
            yield both._replace(
                name=f"{base} on {', '.join(names[:3])}", servers=servers, interfaces=tuple(names)
            )
        yield both._replace(servers=everywhere)

    def _class_or_default(self, family: int, entry: Class | None, place: str | None) -> Servers:
        if entry:
            return entry.servers
        here = self._sides[family].settings.interfaces.get(place or "")
        return (here.default if here else ()) or self._sides[family].default

    def _rules(self) -> None:
        by_pattern = [
            {parse_pattern(spelled(one.key)): one for one in side.rules} for side in self._sides.values()
        ]
        taken: set[Pattern] = set()
        for side in self._sides.values():
            for entry in side.entries:
                if isinstance(entry, Remark):
                    self._found.entries.append(entry)
                    continue
                pattern = parse_pattern(spelled(entry.key))
                if pattern in taken:
                    continue
                taken.add(pattern)
                firsts = [one.first(pattern) for one in self._sides.values()]
                self._rule(entry, firsts)
                ends = {dict(one[pattern].more).get("until") for one in by_pattern if pattern in one}
                if len(ends) > 1:
                    place = next(one for one in reversed(firsts) if one)
                    self._found.fault(
                        place.source,
                        place.word,
                        f"this client's servers do not end on the same day in both families; a rule has one "
                        f"`until`, now {dict(entry.more).get('until', 'none')}",
                    )

    def _rule(self, entry: Rule, firsts: Sequence[First | None]) -> None:
        known = [one for one in firsts if one]
        place = known[-1]
        homes = [home for side in self._sides.values() for home in side.homes(entry.key)]
        places: tuple[str | None, ...] = (None, *self._found.settings.interfaces)
        if homes:
            places = tuple(dict.fromkeys(homes))
        parts = []
        for family, first in zip(self._sides, firsts, strict=True):
            part, others = (first.servers, ()) if first else self._elsewhere(family, places)
            parts.append(part)
            if others:
                self._found.fault(
                    place.source,
                    place.word,
                    f"this client has a server of its own in {_NAMES[10 - family]} only; in {_NAMES[family]} "
                    f"it has {_listed(part)} or {_listed(others)}, by its class or VLAN, and a rule says one "
                    f"of them; now {_listed(part)}",
                )
        source, word = (firsts[0] or place)[:2]
        self._found.rule(source, word, self._join(*parts), entry.comment, entry.more)

    def _elsewhere(self, family: int, places: Sequence[str | None]) -> tuple[Servers, Servers]:
        """Return where a client goes in a family that has no rule for it; and where else it may go."""
        usual = _only(self._outcome(family, NONE, places[0]), family)
        for place in places:
            for kind in self._kinds():
                other = _only(self._outcome(family, kind, place), family)
                if other != usual:
                    return usual, other or ("nobody",)
        return usual, ()


def _matches(entry: Class, kind: Kind, place: str | None) -> bool:
    return (
        kind.vendor.startswith(entry.vendor_class)
        and (not entry.arch or kind.arch in entry.arch)
        and (not entry.interfaces or place in entry.interfaces)
    )


def _conditions(one: Class | None, other: Class | None) -> Class | None:
    """Return what a client must be that is of both classes, None standing for any; None if it can't be."""
    if one is None or other is None:
        return one or other
    longer, shorter = sorted((one.vendor_class, other.vendor_class), key=len, reverse=True)
    arch = _common(one.arch, other.arch)
    interfaces = _common(one.interfaces, other.interfaces)
    if not longer.startswith(shorter) or arch is None or interfaces is None:
        return None
    name = one.name if one.name == other.name else f"{one.name}, {other.name}"
    return Class(name, (), longer, arch, interfaces, one.comment)


_T = TypeVar("_T")


def _common(some: tuple[_T, ...], others: tuple[_T, ...]) -> tuple[_T, ...] | None:
    """Return what two conditions both let in, where an empty one lets in all; None for nothing."""
    if not some or not others:
        return some or others
    return tuple(one for one in some if one in others) or None


def _covers(wide: Class, narrow: Class) -> bool:
    """Whether a class takes all clients that another would."""
    return (
        narrow.vendor_class.startswith(wide.vendor_class)
        and (not wide.arch or (bool(narrow.arch) and set(narrow.arch) <= set(wide.arch)))
        and (
            not wide.interfaces
            or (bool(narrow.interfaces) and set(narrow.interfaces) <= set(wide.interfaces))
        )
    )


def _only(servers: Servers, family: int) -> Servers:
    """Return the servers that are for a family, or may be."""
    return tuple(one for one in servers if one == DROP or family_of(one) in (0, family))


def _both(four: Servers, six: Servers) -> Servers:
    """Return the servers of both families; `drop` is one only where the other has none either."""
    servers = tuple(_of(four, 4)) + tuple(_of(six, 6))
    return tuple(dict.fromkeys(servers)) or ((DROP,) if DROP in (*four, *six) else ())


def _of(servers: Servers, family: int) -> Iterator[str]:
    return (one for one in _only(servers, family) if one != DROP)


def _listed(servers: Servers) -> str:
    return ", ".join(servers) or "nobody"
