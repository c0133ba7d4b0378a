"""The rules of all files to one table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pxerelay.config.budget import Budget, TooMuchError
from pxerelay.config.data import Document, Map
from pxerelay.config.places import RulePlaces, rules_of
from pxerelay.config.resolve import Resolver
from pxerelay.policy.days import FOREVER, parse_day
from pxerelay.policy.rules import Choice, PatternRule, RuleTable
from pxerelay.policy.servers import Target
from pxerelay.wire.mac import MacError, Pattern, parse_pattern

_DAY = re.compile(r"2[0-9]{3}-(0[1-9]|1[0-2])-[0-9]{2}")
"""What looks like a day; which ones there are is for the calendar to say."""


def last_day(value: Any) -> int:
    """Return the last day on which a rule applies; ValueError if `until` looks like a day and is none."""
    until = value.get("until") if isinstance(value, Map) else None
    if isinstance(until, str) and _DAY.fullmatch(until):
        return parse_day(until)
    return FOREVER


MOST_SHAPES = 64
"""Ways of wildcards and blocks to fix digits: each is asked about addresses, and compared with all others."""

_MOST_COMPARED = 2_000_000
"""Comparisons of wildcards that overlap, some seconds' worth."""

_UNUSABLE = Choice("?", ())
"""Keeps the place of a rule whose server is at fault."""


class RuleReader:
    """Reads the rules of all documents into one table."""

    def __init__(self, documents: Sequence[Document], resolver: Resolver) -> None:
        self._documents = documents
        self._resolver = resolver
        self._places = RulePlaces(documents)
        self._exact: dict[bytes, Choice] = {}
        self._patterns: dict[Pattern, PatternRule] = {}
        self._dated: dict[Choice, Choice] = {}
        self._shapes: set[int] = set()
        self._order = {document.name: at for at, document in enumerate(documents)}

    def table(self) -> RuleTable:
        """Return the table; faults go to the resolver."""
        for document in self._documents:
            self._read(document, rules_of(document))
        self._find_ambiguous()
        return RuleTable(self._exact, self._patterns.values())

    def _read(self, document: Document, rules: Map) -> None:
        for key, value in rules.items():
            choice = self._choice(document, key, value) or _UNUSABLE
            try:
                pattern = parse_pattern(key)
            except MacError as error:
                self._resolver.fault(document, ("rules", key), str(error), key=True)
                continue
            if pattern.exact:
                chaddr = pattern.chaddr
                if chaddr in self._exact:
                    self._report_double(document, key, pattern)
                else:
                    self._exact[chaddr] = choice
            elif pattern in self._patterns:
                self._report_double(document, key, pattern)
            elif self._is_known_shape(document, key, pattern):
                self._patterns[pattern] = PatternRule(key, pattern, choice)

    def _is_known_shape(self, document: Document, key: str, pattern: Pattern) -> bool:
        """Whether a wildcard fixes the digits that others do, or may be the first of its kind."""
        if pattern.mask not in self._shapes:
            if len(self._shapes) >= MOST_SHAPES:
                message = (
                    f"'{key}' fixes other digits than all wildcards before it, which do so in {MOST_SHAPES} "
                    "ways already; write it as several rules that fix the digits which others fix"
                )
                self._resolver.fault(document, ("rules", key), message, key=True)
                return False
            self._shapes.add(pattern.mask)
        return True

    def _choice(self, document: Document, key: str, value: Any) -> Choice | None:
        """Resolve what a rule says; equal choices with an end are one object, as those without one are."""
        if not isinstance(value, Map):
            return self._resolver.choice(document, value, ("rules", key))
        choice = self._resolver.choice(document, value.get("server"), ("rules", key, "server"))
        try:
            until = last_day(value)
        except ValueError as error:
            self._resolver.fault(document, ("rules", key, "until"), str(error))
            return choice
        if choice is None or until == FOREVER:
            return choice
        dated = replace(choice, until=until)
        return self._dated.setdefault(dated, dated)

    def _report_double(self, document: Document, key: str, pattern: Pattern) -> None:
        first = self._places.of(pattern)
        spelled = f" as '{first.key}'" if first.key != key else ""
        self._resolver.fault(
            document,
            ("rules", key),
            f"'{key}' has a rule{spelled} in {first.document.name}:{first.mark.line} already; keep one",
            key=True,
        )

    def _find_ambiguous(self) -> None:
        """Find pairs that are equally specific, can match one MAC, and name different servers for it."""
        shapes: dict[int, list[PatternRule]] = {}
        for rule in self._patterns.values():
            shapes.setdefault(rule.pattern.mask, []).append(rule)
        masks = sorted(shapes)
        message = (
            f"wildcards overlap in more ways than can be looked through ({_MOST_COMPARED}), "
            "which may send one MAC to different servers; fix the same digits in more of them"
        )
        budget = Budget(_MOST_COMPARED, message)
        try:
            for at, mask in enumerate(masks):
                for other in masks[:at]:
                    if mask.bit_count() == other.bit_count():
                        settling = [
                            m for m in masks if m.bit_count() > mask.bit_count() and m & (mask | other) == m
                        ]
                        self._compare(shapes[other], shapes[mask], mask & other, settling, budget)
        except TooMuchError as error:
            self._resolver.fault(self._documents[0], (), str(error))

    def _compare(
        self,
        some: list[PatternRule],
        others: list[PatternRule],
        common: int,
        settling: Sequence[int],
        budget: Budget,
    ) -> None:
        """Report each of `others` that clashes with one of `some`; once each is enough.

        They overlap if their digits in `common` agree. `settling` are the masks of rules that can settle it.
        """
        groups: dict[int, dict[frozenset[Target], list[PatternRule]]] = {}
        for rule in some:
            group = groups.setdefault(rule.pattern.value & common, {})
            group.setdefault(frozenset(rule.choice.servers), []).append(rule)
        for rule in others:
            group = groups.get(rule.pattern.value & common, {})
            servers = frozenset(rule.choice.servers)
            rivals = (rival for choice, rivals in group.items() if choice != servers for rival in rivals)
            for rival in rivals:
                budget.spend(1 + len(settling))
                if _UNUSABLE not in (rival.choice, rule.choice) and not self._settled(rival, rule, settling):
                    self._report_ambiguous(rival, rule)
                    break

    def _settled(self, rule: PatternRule, rival: PatternRule, settling: Iterable[int]) -> bool:
        """Whether a more specific rule decides about all that both match, for as long as both apply."""
        both = rule.pattern.common(rival.pattern)
        end = min(rule.choice.until, rival.choice.until)
        exact = self._exact.get(both.chaddr) if both.exact else None
        if exact is not None and exact.until >= end:
            return True
        wild = (self._patterns.get(Pattern(mask, both.value & mask)) for mask in settling)
        return any(entry is not None and entry.choice.until >= end for entry in wild)

    def _report_ambiguous(self, rule: PatternRule, rival: PatternRule) -> None:
        places = [(self._places.of(entry.pattern), entry) for entry in (rule, rival)]
        places.sort(key=lambda item: (self._order[item[0].document.name], item[0].mark))
        (first, one), (second, two) = places
        both = one.pattern.common(two.pattern)
        self._resolver.note(
            second.document.finding(
                second.mark,
                f"'{two.text}' ({two.choice.label}) and '{one.text}' ({one.choice.label}) in "
                f"{first.document.name}:{first.mark.line} are equally specific and both match {both}; "
                f"add a rule for {both} or fix more digits in one of them",
            )
        )
