"""Which boot server a client belongs to.

The order of precedence is stated once, in `candidates`: exact MAC; the wildcard or OUI with the most
fixed digits; classes; the interface's default; the default. The relay takes the first candidate,
`explain` shows the others as what lost.

The cost of a lookup does not grow with the number of rules. Exact addresses are one table. Wildcards and
blocks are grouped by shape, which digits are fixed: one dictionary a shape, asked with the address's
fixed digits. Mappings of any size have only a handful of shapes, and only those are asked that have a
rule for addresses that begin like this one.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from typing import NamedTuple

from pxerelay.policy.days import FOREVER
from pxerelay.policy.mac_table import MacTable
from pxerelay.policy.servers import Target
from pxerelay.wire.client import Client
from pxerelay.wire.globs import Names
from pxerelay.wire.mac import MAC_OCTETS, Pattern, format_mac, rule_kind


class Reason(Enum):
    """What kind of entry chose; the values are what `explain --format json` prints."""

    MAC = "mac"
    OUI = "oui"
    WILDCARD = "wildcard"
    CLASS = "class"
    INTERFACE_DEFAULT = "interface-default"
    DEFAULT = "default"


RULES = frozenset({Reason.MAC, Reason.OUI, Reason.WILDCARD})
"""What entries of `rules:` are."""


@dataclass(frozen=True)
class Choice:
    """Where a client's requests go: each of `servers` gets a copy, and with none they are dropped.

    `label` is what the file says: server names, addresses or `drop`. `until` is the last day on which a rule
    says so.
    """

    label: str
    servers: tuple[Target, ...]
    until: int = FOREVER

    @property
    def drop(self) -> bool:
        """Whether such clients are never served."""
        return not self.servers

    def ended(self, today: int) -> bool:
        """Whether the rule that says so does not apply any more."""
        return self.until < today


@dataclass(frozen=True)
class Default:
    """What applies where no rule and no class does: an interface's default or the file's."""

    reason: Reason
    rule: str
    choice: Choice


class Match(NamedTuple):
    """An entry that applies to a client: its kind, its key or name as the file spells it, its choice."""

    reason: Reason
    rule: str
    choice: Choice


@dataclass(frozen=True)
class ClientClass:
    """Clients told by what they say of themselves; every condition that is given must hold.

    `vendor_class` is a prefix of option 60; `architectures` holds numbers of option 93, one of which the
    client must name; `interfaces` are client interfaces, one of which it must be heard on.
    """

    name: str
    choice: Choice
    vendor_class: bytes | None = None
    architectures: frozenset[int] | None = None
    interfaces: Names | None = None

    def matches(self, client: Client) -> bool:
        """Whether the client belongs to the class."""
        return (
            (self.interfaces is None or client.interface in self.interfaces)
            and (self.vendor_class is None or client.vendor_class.startswith(self.vendor_class))
            and (self.architectures is None or not self.architectures.isdisjoint(client.architectures))
        )


class PatternRule(NamedTuple):
    """A wildcard or block, as the file spells it."""

    text: str
    pattern: Pattern
    choice: Choice

    @property
    def reason(self) -> Reason:
        """Which of the two it is."""
        return Reason(rule_kind(self.text, self.pattern))


Shape = tuple[int, Mapping[int, PatternRule]]
"""The mask of wildcards or blocks, and these by the digits that it leaves."""

_BEGINNINGS = (24, 16, 8, 0)
"""How many of an address's first bits shapes are told apart by: those of as many octets as a shape fixes."""

_ADDRESS_BITS = 8 * MAC_OCTETS


class RuleTable:
    """All rules by MAC. Built once, then only read; a reload builds another.

    `ends` has, for each day that is the last one of some rules, how many.
    """

    __slots__ = ("_by_beginning", "_exact", "_shapes", "_size", "ends")

    def __init__(self, exact: Mapping[bytes, Choice], patterns: Iterable[PatternRule] = ()) -> None:
        self._exact = MacTable(exact)
        shapes: dict[int, dict[int, PatternRule]] = {}
        for rule in patterns:
            shapes.setdefault(rule.pattern.mask, {})[rule.pattern.value] = rule
        self._shapes = shapes
        self._by_beginning = _by_beginning(shapes)
        self._size = len(exact) + sum(map(len, shapes.values()))
        ends = Counter(choice.until for choice in exact.values() if choice.until != FOREVER)
        ends.update(rule.choice.until for rule in self.patterns() if rule.choice.until != FOREVER)
        self.ends: Mapping[int, int] = dict(sorted(ends.items()))

    def __len__(self) -> int:
        """Return how many rules there are, those that have ended too."""
        return self._size

    def on(self, today: int) -> RuleTable:
        """Return the table without the rules that have ended: asking it costs what asking this one does."""
        if all(until >= today for until in self.ends):
            return self
        table = copy.copy(self)
        table._exact = self._exact.without(lambda choice: choice.ended(today))
        if any(rule.choice.ended(today) for rule in self.patterns()):
            left = {
                mask: {value: rule for value, rule in rules.items() if not rule.choice.ended(today)}
                for mask, rules in self._shapes.items()
            }
            table._shapes = {mask: rules for mask, rules in left.items() if rules}
            table._by_beginning = _by_beginning(table._shapes)
        return table

    def exact(self) -> Iterator[tuple[bytes, Choice]]:
        """Yield the addresses that have a rule of their own, in no order that means anything."""
        return self._exact.items()

    def patterns(self) -> Iterator[PatternRule]:
        """Yield the wildcards and blocks."""
        for rules in self._shapes.values():
            yield from rules.values()

    def first(self, chaddr: bytes) -> Choice | PatternRule | None:
        """Return the most specific rule that matches: of an exact address its choice; None if none does."""
        choice = self._exact.get(chaddr)
        if choice is None:
            number = int.from_bytes(chaddr, "big")
            for mask, rules in self._shapes_for(number):
                rule = rules.get(number & mask)
                if rule is not None:
                    return rule
        return choice

    def choice(self, chaddr: bytes) -> Choice | None:
        """Return the choice of the most specific rule that matches; None if none does."""
        found = self.first(chaddr)
        return found.choice if isinstance(found, PatternRule) else found

    def _shapes_for(self, address: int) -> Sequence[Shape]:
        """Return the shapes that may have a rule for an address, the most specific first."""
        for shift, shapes in self._by_beginning:
            found = shapes.get(address >> shift)
            if found is not None:
                return found
        return ()

    def matching(self, chaddr: bytes) -> Iterator[Match]:
        """Yield the rules that match the 6 octets of an address, the most specific first."""
        choice = self._exact.get(chaddr)
        if choice is not None:
            yield Match(Reason.MAC, format_mac(chaddr), choice)
        for rule in self.patterns_for(int.from_bytes(chaddr, "big")):
            yield Match(rule.reason, rule.text, rule.choice)

    def patterns_for(self, address: int) -> Iterator[PatternRule]:
        """Yield the wildcards and blocks that match an address, the most specific first."""
        for mask, rules in self._shapes_for(address):
            rule = rules.get(address & mask)
            if rule is not None:
                yield rule


def _by_beginning(
    shapes: Mapping[int, Mapping[int, PatternRule]],
) -> list[tuple[int, dict[int, tuple[Shape, ...]]]]:
    """Return, for each length of beginnings, by how much to shift an address, and what shapes begin so.

    The longest beginnings come first; they have all shapes too that fit and fix less.
    """
    begins: dict[int, tuple[int, set[int]]] = {}
    for mask, rules in shapes.items():
        bits = next(bits for bits in _BEGINNINGS if (mask >> _ADDRESS_BITS - bits) + 1 == 1 << bits)
        begins[mask] = bits, {value >> _ADDRESS_BITS - bits for value in rules}
    ordered = sorted(shapes, key=lambda mask: -mask.bit_count())
    shared: dict[tuple[int, ...], tuple[Shape, ...]] = {}
    found = []
    for bits in _BEGINNINGS:
        fitting: dict[int, tuple[Shape, ...]] = {}
        for beginning in {one for length, all_ in begins.values() if length == bits for one in all_}:
            masks = tuple(
                mask
                for mask in ordered
                if begins[mask][0] <= bits and beginning >> bits - begins[mask][0] in begins[mask][1]
            )
            if masks not in shared:
                shared[masks] = tuple((mask, shapes[mask]) for mask in masks)
            fitting[beginning] = shared[masks]
        if fitting:
            found.append((_ADDRESS_BITS - bits, fitting))
    return found


@dataclass(frozen=True)
class Policy:
    """The mapping as a whole: everything that chooses."""

    rules: RuleTable
    classes: tuple[ClientClass, ...]
    default: Default

    def on(self, today: int) -> Policy:
        """Return what chooses on a day: all but the rules that have ended."""
        rules = self.rules.on(today)
        return self if rules is self.rules else replace(self, rules=rules)

    def candidates(self, client: Client, interface_default: Default | None) -> Iterator[Match]:
        """Yield what applies to a client, in the order of precedence; the first one wins.

        A client with no Ethernet address (hardware type or length is another) matches no rule and no
        class: only its interface's default and the default are left. But whoever is never to be served is not
        served for claiming another hardware type or length: rules that say `drop` hold for what stands where
        an Ethernet address would.
        """
        if client.chaddr is not None:
            yield from self.rules.matching(client.chaddr)
            for entry in self.classes:
                if entry.matches(client):
                    yield Match(Reason.CLASS, entry.name, entry.choice)
        else:
            yield from islice((one for one in self.rules.matching(client.claimed) if one.choice.drop), 1)
        for fallback in (interface_default, self.default):
            if fallback is not None:
                yield Match(fallback.reason, fallback.rule, fallback.choice)

    def choose(self, client: Client, interface_default: Default | None) -> Match:
        """Return the candidate that wins."""
        return next(self.candidates(client, interface_default))
