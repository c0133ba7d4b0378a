"""Where in the files rules stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pxerelay.config.data import Document, Map, Mark
from pxerelay.wire.mac import MacError, Pattern, parse_pattern


@dataclass(frozen=True)
class RulePlace:
    """Where a rule stands, and how its key is spelled there."""

    document: Document
    key: str
    mark: Mark

    @property
    def value(self) -> Any:
        """What the rule says, as the file has it."""
        return self.document.data["rules"][self.key]


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

    def line_of(self, text: str) -> str:
        """Return the same as `file:line`."""
        place = self.of_text(text)
        return f"{place.document.name}:{place.mark.line}"

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
