"""Rules before and after: which addresses, blocks and wildcards are decided otherwise.

All addresses that match the same wildcards and blocks of both configurations, and have no rule of their own,
are decided alike. What decides before, and what after, are two of these at most; so it is enough to look at
each of them, and at what each two of them both match, for some address that matches nothing more specific.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pxerelay.config.budget import Budget
from pxerelay.config.data import Document, Map
from pxerelay.config.places import RulePlace, RulePlaces, rules_of
from pxerelay.policy.rules import Choice, PatternRule, RuleTable
from pxerelay.tools.diff.unlisted import Unlisted, server_texts
from pxerelay.tools.diff.values import Move, RuleChange, Side
from pxerelay.tools.diff.views import Servers, View
from pxerelay.wire.mac import Pattern, format_mac, parse_pattern, rule_kind

FALLBACK = "class or default"
"""The label of what decides where no rule does."""

MOST_OVERLAPS = 1_000_000
"""Pairs of wildcards that overlap and are looked at, some ten seconds' worth."""

MOST_COUNTED = 200_000_000
"""Listed addresses, for each kind of wildcard that moves, that are looked at: a million for 200 kinds."""

REMARKS = ("owner", "until", "note")
"""What a rule says besides where to send."""


class RuleSide:
    """The rules of one configuration that apply today, as one family has them, and all of its files."""

    def __init__(self, table: RuleTable, documents: Sequence[Document], view: View) -> None:
        self.documents = documents
        self._view = view
        self.exact = dict(table.exact())
        self.by_mask: dict[int, dict[int, PatternRule]] = defaultdict(dict)
        for rule in table.patterns():
            self.by_mask[rule.pattern.mask][rule.pattern.value] = rule
        self._masks = sorted(self.by_mask, key=lambda mask: -mask.bit_count())
        self._places = RulePlaces(documents)
        self._servers: dict[int, Servers] = {}
        self._texts: dict[int, tuple[str, ...]] = {}

    def patterns(self) -> Iterator[Pattern]:
        """Yield the wildcards and blocks."""
        for rules in self.by_mask.values():
            yield from (rule.pattern for rule in rules.values())

    def place(self, pattern: Pattern) -> RulePlace | None:
        """Return where a rule stands, one that has ended too."""
        try:
            return self._places.of(pattern)
        except KeyError:
            return None

    def get(self, pattern: Pattern) -> PatternRule | None:
        """Return the wildcard or block that is this one, however it is spelled."""
        return self.by_mask[pattern.mask].get(pattern.value) if pattern.mask in self.by_mask else None

    def widest(self, pattern: Pattern) -> PatternRule | None:
        """Return what decides about addresses of a pattern that nothing more specific matches."""
        for mask in self._masks:
            if mask & pattern.mask == mask:
                rule = self.by_mask[mask].get(pattern.value & mask)
                if rule is not None:
                    return rule
        return None

    def servers(self, choice: Choice | None) -> Servers | None:
        """Return where a choice sends, in no order."""
        if choice is None:
            return None
        known = self._servers.get(id(choice))
        if known is None:
            known = self._servers[id(choice)] = self._view.servers(choice)
        return known

    def side(self, pattern: Pattern, choice: Choice | None, default: str) -> Side:
        """Return what decides, by an entry with this pattern; without a choice a class or default does."""
        if choice is None:
            return Side(f"{FALLBACK} ({default})", None)
        place = self._places.of(pattern)
        source = f"{place.document.name}:{place.mark.line}"
        texts = self._texts.get(id(choice))
        if texts is None:
            texts = self._texts[id(choice)] = server_texts(self._view.targets(choice))
        return Side(choice.label, texts, place.key, source)


@dataclass(frozen=True)
class RuleMoves:
    """What `compare_rules` found; `changes` are those of rules that move nobody in this family."""

    patterns: tuple[Move, ...]
    addresses: tuple[Move, ...]
    changes: tuple[RuleChange, ...]


def compare_rules(old: RuleSide, new: RuleSide, unlisted: Unlisted) -> RuleMoves:
    """Return which rules move clients, and which came, went or changed and move none."""
    comparison = _Comparison(old, new, unlisted)
    comparison.addresses()
    comparison.patterns()
    return RuleMoves(
        tuple(comparison.pattern_moves()),
        tuple(comparison.address_moves),
        tuple(comparison.changes),
    )


class _Comparison:
    """One run over the rules of two configurations."""

    def __init__(self, old: RuleSide, new: RuleSide, unlisted: Unlisted) -> None:
        self._old, self._new = old, new
        self._unlisted = unlisted
        self._defaults = unlisted.default_texts
        self._moved: dict[Pattern, Move] = {}
        self._caught: dict[Pattern, list[Move]] = defaultdict(list)
        self.address_moves: list[Move] = []
        self.changes: list[RuleChange] = []

    def addresses(self) -> None:
        """Compare what decides about each address that has a rule of its own on either side."""
        old, new = self._old, self._new
        alike: set[tuple[int, int]] = set()
        for octets in sorted(old.exact.keys() | new.exact.keys()):
            before, after = old.exact.get(octets), new.exact.get(octets)
            pair = id(before), id(after)
            if pair in alike:
                continue
            if before is not None and after is not None and self._same(before, after):
                alike.add(pair)
                continue
            pattern = Pattern.of(octets)
            wide = [
                side.widest(pattern) if choice is None else None
                for side, choice in ((old, before), (new, after))
            ]
            move = self._move(pattern, format_mac(octets), "mac", (before, after), (wide[0], wide[1]))
            if move is None:
                self._note(format_mac(octets), before, after)
                continue
            self.address_moves.append(move)
            for rule in wide:
                if rule is not None:
                    self._caught[rule.pattern].append(move)

    def patterns(self) -> None:
        """Compare what decides about wildcards and blocks, and where a changed one crosses others."""
        old, new = self._old, self._new
        changed: list[Pattern] = []
        for pattern in sorted({*old.patterns(), *new.patterns()}, key=lambda one: (one.value, one.mask)):
            before, after = old.get(pattern), new.get(pattern)
            if before and after and self._same(before.choice, after.choice):
                continue
            changed.append(pattern)
            text = (after or before or PatternRule(str(pattern), pattern, Choice("", ()))).text
            wide = old.widest(pattern), new.widest(pattern)
            move = self._move(pattern, text, rule_kind(text, pattern), (None, None), wide)
            if move is not None:
                self._moved[pattern] = move
            else:
                self._note(text, before.choice if before else None, after.choice if after else None)
        budget = Budget(MOST_OVERLAPS, "more wildcards overlap than can be compared; change fewer at a time")
        for one, other in self._crossing(changed):
            budget.spend()
            self._overlap(one, other)

    def _overlap(self, one: Pattern, other: Pattern) -> None:
        old, new = self._old, self._new
        both = one.common(other)
        octets = both.chaddr
        listed = both.exact and (octets in old.exact or octets in new.exact)
        if listed or both in self._moved or old.get(both) or new.get(both):
            return
        wide = old.widest(both), new.widest(both)
        move = self._move(both, str(both), "overlap", (None, None), wide)
        if move is None:
            return
        told = (self._moved[part] for part in (one, other) if part in self._moved)
        if all(_ends(move) != _ends(part) for part in told):
            self._moved[both] = move

    def _crossing(self, changed: Iterable[Pattern]) -> Iterator[tuple[Pattern, Pattern]]:
        """Yield each changed pattern with those that overlap it, where neither is inside the other."""
        everything: dict[int, set[int]] = defaultdict(set)
        for pattern in (*self._old.patterns(), *self._new.patterns()):
            everything[pattern.mask].add(pattern.value)
        indexes: dict[tuple[int, int], dict[int, list[int]]] = {}
        shape = 0
        for one in sorted(changed, key=lambda pattern: (pattern.mask, pattern.value)):
            if one.mask != shape:  # what one shape crosses is not kept for the next
                shape = one.mask
                indexes.clear()
            for mask, values in everything.items():
                common = mask & one.mask
                if common in (mask, one.mask):
                    continue
                if (mask, common) not in indexes:
                    index = indexes[mask, common] = defaultdict(list)
                    for value in sorted(values):
                        index[value & common].append(value)
                for value in indexes[mask, common].get(one.value & common, ()):
                    yield one, Pattern(mask, value)

    def _move(
        self,
        pattern: Pattern,
        text: str,
        kind: str,
        own: tuple[Choice | None, Choice | None],
        wide: tuple[PatternRule | None, PatternRule | None],
    ) -> Move | None:
        """Return the move of clients whose own rules, or else the wider ones, decide; None if it is none."""
        sides = []
        for choice, rule in zip(own, wide, strict=True):
            decides = choice if choice is not None else rule.choice if rule is not None else None
            sides.append((pattern if choice is not None or rule is None else rule.pattern, decides))
        (one, before), (other, after) = sides
        if before is None and after is None:
            return None
        if not self._unlisted.moves(self._old.servers(before), self._new.servers(after)):
            return None
        return Move(
            text,
            kind,
            self._old.side(one, before, self._defaults[0]),
            self._new.side(other, after, self._defaults[1]),
        )

    def _same(self, before: Choice, after: Choice) -> bool:
        return before.label == after.label and self._old.servers(before) == self._new.servers(after)

    def _note(self, key: str, before: Choice | None, after: Choice | None) -> None:
        texts = (choice.label if choice else None for choice in (before, after))
        self.changes.append(RuleChange(key, "rule", *texts))

    def pattern_moves(self) -> Iterator[Move]:
        """Yield the moves of wildcards and blocks, with the listed addresses that have to do with them."""
        kept: dict[int, Counter[int]] = {}
        numbers = [int.from_bytes(octets, "big") for octets in self._new.exact] if self._moved else []
        budget = Budget(
            MOST_COUNTED, "more kinds of wildcards move than can be counted; change fewer at a time"
        )
        for mask in {pattern.mask for pattern in self._moved}:
            budget.spend(len(numbers))
            kept[mask] = Counter(number & mask for number in numbers)
        for pattern, move in sorted(self._moved.items(), key=lambda item: (item[0].value, item[0].mask)):
            caught = tuple(self._caught.get(pattern, ()))
            yield replace(move, caught=caught, kept=kept[pattern.mask][pattern.value])


def _ends(move: Move) -> list[frozenset[str] | None]:
    """Return where clients went and go, in no order."""
    return [None if side.servers is None else frozenset(side.servers) for side in (move.before, move.after)]


def remarks(old: RuleSide, new: RuleSide) -> Iterator[RuleChange]:
    """Yield where a rule that both have says another owner, until or note."""
    said = [_said(side.documents) for side in (old, new)]
    for pattern in sorted({*said[0], *said[1]}):
        if said[0].get(pattern) == said[1].get(pattern):
            continue
        places = [side.place(pattern) for side in (old, new)]
        if places[0] and places[1]:
            before, after = (one.get(pattern, {}) for one in said)
            for what in REMARKS:
                if before.get(what) != after.get(what):
                    yield RuleChange(places[1].key, what, before.get(what), after.get(what))


def _said(documents: Sequence[Document]) -> dict[Pattern, dict[str, str]]:
    found = {}
    for document in documents:
        for key, value in rules_of(document).items():
            if isinstance(value, Map):
                found[parse_pattern(key)] = {what: value[what] for what in REMARKS if what in value}
    return found
