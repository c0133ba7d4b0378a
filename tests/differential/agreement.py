"""What holds for a table of differences, in either family: each has one row, and each row a difference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar

from tests.differential.comparison import Difference, Row, explained_twice, report, unexplained, uses

Found = Mapping[str, Sequence[Difference]]
"""The differences from each other relay."""


class Agreement(ABC):
    """Tests of a table. `peers` are the other relays, `vocabulary` the words that a row may have."""

    table: ClassVar[Sequence[Row]]
    peers: ClassVar[Sequence[str]]
    vocabulary: ClassVar[AbstractSet[str]]

    @staticmethod
    @abstractmethod
    def compared() -> Found:
        """Send every message through every relay, and compare."""

    def test_every_difference_has_a_row(self, found: Found, peer: str) -> None:
        """None is there that nobody has explained."""
        left = unexplained(found[peer], self.table)
        assert not left, f"differences that no row explains:\n{report(left)}"

    def test_no_difference_has_two_rows(self, found: Found, peer: str) -> None:
        """One explanation is enough."""
        twice = explained_twice(found[peer], self.table)
        assert not twice, (
            f"explained more than once: {set(map(tuple, twice.values()))}\n{report(list(twice))}"
        )

    def test_every_row_has_a_difference(self, found: Found, row: Row, row_peer: str) -> None:
        """No row explains what is not there."""
        assert uses(found[row_peer], [row])[row.id], (
            f"{row_peer} no longer does so: take it out of differences.yml"
        )

    def test_the_table_speaks_the_words_of_its_cases(self) -> None:
        """A row with a word that no case has would explain nothing, or everything."""
        for row in self.table:
            assert row.when <= self.vocabulary, row.id
            assert set(row.peers) <= set(self.peers), row.id
            assert row.source.startswith("RFC "), row.id
        assert len({row.id for row in self.table}) == len(self.table)
