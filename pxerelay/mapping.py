"""The rules of all files to one table, and where in the files each of them stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pxerelay.document import Document, Map, Mark
from pxerelay.mac import MAC_OCTETS, MacError, Pattern, parse_pattern
from pxerelay.resolve import Resolver
from pxerelay.rules import Choice, PatternRule, RuleTable


@dataclass(frozen=True)
class RulePlace:
    """Where a rule stands, and how its key is spelled there."""

    document: Document
    key: str
    mark: Mark


class RulePlaces:
    """Finds where rules stand; indexed when first asked, for only errors and `explain` ask."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def of(self, pattern: Pattern) -> RulePlace:
        """Return where the first rule with a pattern stands; KeyError if there is none."""
        document, key = self._index[pattern]
        return RulePlace(document, key, document.data["rules"].key_mark(key))

    def of_text(self, text: str) -> RulePlace:
        """Return where the rule with a pattern stands, however it is spelled there."""
        return self.of(parse_pattern(text))

    @cached_property
    def _index(self) -> dict[Pattern, tuple[Document, str]]:
        index: dict[Pattern, tuple[Document, str]] = {}
        for document in self._documents:
            for key in rules_of(document):
                try:
                    index.setdefault(parse_pattern(key), (document, key))
                except MacError:
                    continue
        return index


def rules_of(document: Document) -> Map:
    """Return the `rules:` of a file, an empty mapping where it has none."""
    rules = document.data.get("rules") if isinstance(document.data, Map) else None
    return rules if isinstance(rules, Map) else Map()


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

    def table(self) -> RuleTable:
        """Return the table; faults go to the resolver."""
        for document in self._documents:
            self._read(document, rules_of(document))
        self._find_ambiguous()
        return RuleTable(self._exact, self._patterns.values())

    def _read(self, document: Document, rules: Map) -> None:
        for key, value in rules.items():
            try:
                pattern = parse_pattern(key)
            except MacError as error:
                self._resolver.fault(document, ("rules", key), str(error), key=True)
                continue
            choice = self._resolver.choice(document, value, ("rules", key)) or _UNUSABLE
            if pattern.exact:
                chaddr = pattern.value.to_bytes(MAC_OCTETS, "big")
                if chaddr in self._exact:
                    self._report_double(document, key, pattern)
                else:
                    self._exact[chaddr] = choice
            elif pattern in self._patterns:
                self._report_double(document, key, pattern)
            else:
                self._patterns[pattern] = PatternRule(key, pattern, choice)

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
        """Find pairs that are equally specific, can match one MAC and choose differently."""
        shapes: dict[int, list[PatternRule]] = {}
        for rule in self._patterns.values():
            shapes.setdefault(rule.pattern.mask, []).append(rule)
        masks = sorted(shapes)
        for at, mask in enumerate(masks):
            for other in masks[:at]:
                if mask.bit_count() == other.bit_count():
                    self._compare(shapes[other], shapes[mask], mask & other)

    def _compare(self, some: list[PatternRule], others: list[PatternRule], common: int) -> None:
        """Report each of `others` that overlaps one of `some` with another choice; once each is enough."""
        groups: dict[int, dict[Choice, PatternRule]] = {}
        for rule in some:
            groups.setdefault(rule.pattern.value & common, {}).setdefault(rule.choice, rule)
        for rule in others:
            for choice, rival in groups.get(rule.pattern.value & common, {}).items():
                if choice != rule.choice and _UNUSABLE not in (choice, rule.choice):
                    self._report_ambiguous(rival, rule)
                    break

    def _report_ambiguous(self, rule: PatternRule, rival: PatternRule) -> None:
        places = [(self._places.of(entry.pattern), entry) for entry in (rule, rival)]
        order = {document.name: at for at, document in enumerate(self._documents)}
        places.sort(key=lambda item: (order[item[0].document.name], item[0].mark))
        (first, one), (second, two) = places
        both = Pattern(one.pattern.mask | two.pattern.mask, one.pattern.value | two.pattern.value)
        self._resolver.findings.append(
            second.document.finding(
                second.mark,
                f"'{two.text}' ({two.choice.label}) and '{one.text}' ({one.choice.label}) in "
                f"{first.document.name}:{first.mark.line} are equally specific and both match {both}; "
                f"add a rule for {both} or fix more digits in one of them",
            )
        )
