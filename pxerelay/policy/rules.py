"""Which boot server a client belongs to.

The order of precedence is stated once, in `candidates`: exact MAC; the wildcard or OUI with the most
fixed digits; classes; the interface's default; the default. The relay takes the first candidate,
`explain` shows the others as what lost.

The cost of a lookup does not grow with the number of rules. Exact addresses are one table. Wildcards and
blocks are grouped by shape, which digits are fixed: one dictionary a shape, asked with the address's
fixed digits. Mappings of any size have only a handful of shapes. Those whose rules all begin otherwise than
an address are not asked: with 20 shapes that halves what a client costs that no rule names (`make bench
ARGS=rules`, "a client never met before").
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from typing import NamedTuple

from pxerelay.policy.days import FOREVER
from pxerelay.policy.mac_table import MacTable
from pxerelay.policy.servers import Target
from pxerelay.wire.client import AnyClient
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

    `vendor_class` is a prefix of option 60, in DHCPv6 of one of the strings of option 16; `architectures`
    holds numbers of option 93 or 61, one of which the client must name; `interfaces` are client interfaces,
    one of which it must be heard on.
    """

    name: str
    choice: Choice
    vendor_class: bytes | None = None
    architectures: frozenset[int] | None = None
    interfaces: Names | None = None

    def may_match(self, client: AnyClient) -> bool:
        """Whether the client would belong to the class if it said what it is."""
        return self.interfaces is None or client.interface in self.interfaces

    def matches(self, client: AnyClient) -> bool:
        """Whether the client belongs to the class."""
        return (
            (self.interfaces is None or client.interface in self.interfaces)
            and (self.vendor_class is None or client.says_class(self.vendor_class))
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

_AFTER_BEGINNING = 8 * (MAC_OCTETS - 2)
"""Bits of an address after its first two octets."""


class RuleTable:
    """All rules by MAC. Built once, then only read; a reload builds another.

    `ends` has, for each day that is the last one of some rules, how many.
    """

    __slots__ = ("_by_beginning", "_exact", "_other", "_shapes", "_size", "ends")

    def __init__(self, exact: Mapping[bytes, Choice], patterns: Iterable[PatternRule] = ()) -> None:
        self._exact = MacTable(exact)
        shapes: dict[int, dict[int, PatternRule]] = {}
        for rule in patterns:
            shapes.setdefault(rule.pattern.mask, {})[rule.pattern.value] = rule
        self._hold(shapes.items())
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
            table._hold(
                (mask, left)
                for mask, rules in self._shapes
                if (left := {value: rule for value, rule in rules.items() if not rule.choice.ended(today)})
            )
        return table

    def _hold(self, shapes: Iterable[Shape]) -> None:
        """Take these shapes, and find out which to ask about an address by its first two octets."""
        self._shapes = tuple(sorted(shapes, key=lambda shape: -shape[0].bit_count()))
        fixing = {mask for mask, _ in self._shapes if mask >> _AFTER_BEGINNING == 0xFFFF}
        self._other = tuple(shape for shape in self._shapes if shape[0] not in fixing)
        masks: dict[int, set[int]] = {}
        for mask, rules in self._shapes:
            if mask in fixing:
                for value in rules:
                    masks.setdefault(value >> _AFTER_BEGINNING, set()).add(mask)
        shared = {
            some: tuple(one for one in self._shapes if one[0] in some or one[0] not in fixing)
            for some in map(frozenset, masks.values())
        }
        self._by_beginning = {beginning: shared[frozenset(some)] for beginning, some in masks.items()}

    def exact(self) -> Iterator[tuple[bytes, Choice]]:
        """Yield the addresses that have a rule of their own, in no order that means anything."""
        return self._exact.items()

    def patterns(self) -> Iterator[PatternRule]:
        """Yield the wildcards and blocks."""
        for _, rules in self._shapes:
            yield from rules.values()

    def first(self, chaddr: bytes) -> Choice | PatternRule | None:
        """Return the most specific rule that matches: of an exact address its choice; None if none does."""
        choice = self._exact.get(chaddr)
        if choice is None:
            number = int.from_bytes(chaddr, "big")
            for mask, rules in self._by_beginning.get(number >> _AFTER_BEGINNING, self._other):
                rule = rules.get(number & mask)
                if rule is not None:
                    return rule
        return choice

    def choice(self, chaddr: bytes) -> Choice | None:
        """Return the choice of the most specific rule that matches; None if none does."""
        found = self.first(chaddr)
        return found.choice if isinstance(found, PatternRule) else found

    def matching(self, chaddr: bytes) -> Iterator[Match]:
        """Yield the rules that match the 6 octets of an address, the most specific first."""
        choice = self._exact.get(chaddr)
        if choice is not None:
            yield Match(Reason.MAC, format_mac(chaddr), choice)
        for rule in self.patterns_for(int.from_bytes(chaddr, "big")):
            yield Match(rule.reason, rule.text, rule.choice)

    def patterns_for(self, address: int) -> Iterator[PatternRule]:
        """Yield the wildcards and blocks that match an address, the most specific first."""
        for mask, rules in self._by_beginning.get(address >> _AFTER_BEGINNING, self._other):
            rule = rules.get(address & mask)
            if rule is not None:
                yield rule


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

    def candidates(self, client: AnyClient, interface_default: Default | None) -> Iterator[Match]:
        """Yield what applies to a client, in the order of precedence; the first one wins.

        A client with no Ethernet address (hardware type or length is another) matches no rule and no
        class: only its interface's default and the default are left. But whoever is never to be served is not
        served for claiming another hardware type or length: rules that say `drop` hold for what stands where
        an Ethernet address would. A client of DHCPv6 whose Ethernet address nobody told matches classes
        (rule 120).
        """
        if client.chaddr is not None:
            yield from self.rules.matching(client.chaddr)
        if client.chaddr is not None or client.claimed is None:
            for entry in self.classes:
                if entry.matches(client):
                    yield Match(Reason.CLASS, entry.name, entry.choice)
        else:
            yield from islice((one for one in self.rules.matching(client.claimed) if one.choice.drop), 1)
        for fallback in (interface_default, self.default):
            if fallback is not None:
                yield Match(fallback.reason, fallback.rule, fallback.choice)

    def possible(self, client: AnyClient, interface_default: Default | None) -> list[Choice]:
        """Return all that a client may have been chosen for that no rule names, if it said what it is."""
        choices = [entry.choice for entry in self.classes if entry.may_match(client)]
        return [*choices, (interface_default or self.default).choice]

    def choose(self, client: AnyClient, interface_default: Default | None) -> Match:
        """Return the candidate that wins."""
        return next(self.candidates(client, interface_default))
