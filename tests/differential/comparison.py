"""Two relays' outcomes side by side, and the rows of differences.yml that explain where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import yaml

from tests.differential.cases import Case, Outcome
from tests.differential.features import features
from tests.differential.outline import outline

TABLE = Path(__file__).with_name("differences.yml")


class Named(Protocol):
    """A case of either family."""

    @property
    def name(self) -> str:
        """What it is called."""


@dataclass(frozen=True)
class Difference:
    """One case that a peer treats in another way, or one of the ways that it does."""

    peer: str
    case: Named
    theirs: str
    ours: str
    words: frozenset[str]


@dataclass(frozen=True)
class Row:
    """One explanation: for this peer, messages like this, these outlines (`*` stands for anything)."""

    id: str
    peers: tuple[str, ...]
    when: frozenset[str]
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    because: str
    source: str

    def __str__(self) -> str:
        return self.id

    def explains(self, difference: Difference) -> bool:
        """Whether this is such a difference. Where both outlines are the same, nothing is."""
        return (
            difference.peer in self.peers
            and self.when <= difference.words
            and difference.theirs != difference.ours
            and any(fnmatchcase(difference.theirs, theirs) for theirs in self.theirs)
            and any(fnmatchcase(difference.ours, ours) for ours in self.ours)
        )


def read_table(path: Path = TABLE) -> list[Row]:
    """Return the rows of the table."""
    return [
        Row(
            id=row["id"],
            peers=tuple(row["peers"]),
            when=frozenset(row["when"]),
            theirs=_listed(row["they"]),
            ours=_listed(row["we"]),
            because=row["because"],
            source=row["source"],
        )
        for row in yaml.safe_load(path.read_text())
    ]


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def differences(
    cases: Sequence[Case], peer: str, theirs: Sequence[Outcome], ours: Sequence[Outcome]
) -> list[Difference]:
    """Return every case whose outcomes are not the same to the last octet."""
    return [
        Difference(peer, case, one, other, features(case))
        for case, their, our in zip(cases, theirs, ours, strict=True)
        if their != our
        for one, other in _steps(outline(case, their), outline(case, our))
    ]


def _steps(theirs: str, ours: str) -> list[tuple[str, str]]:
    """Tell one thing at a time: where a message went, and what of it was changed."""
    their_way, their_changes = theirs.rpartition("; ")[::2]
    our_way, our_changes = ours.rpartition("; ")[::2]
    several = any(" | " in told for told in (theirs, ours))
    if several or not their_way or not our_way or their_way == our_way or their_changes == our_changes:
        return [(theirs, ours)]
    between = f"{our_way}; {their_changes}"
    return [(f"{their_way}; {our_changes}", ours), (between, ours)]


def unexplained(found: Iterable[Difference], table: Sequence[Row]) -> list[Difference]:
    """Return the differences that no row explains."""
    return [difference for difference in found if not any(row.explains(difference) for row in table)]


def explained_twice(found: Iterable[Difference], table: Sequence[Row]) -> dict[Difference, list[str]]:
    """Return the differences that more than one row explains: one of those rows says too much."""
    rows = {difference: [row.id for row in table if row.explains(difference)] for difference in found}
    return {difference: ids for difference, ids in rows.items() if len(ids) > 1}


def uses(found: Iterable[Difference], table: Sequence[Row]) -> Counter[str]:
    """Count by id the differences that each row explains."""
    return Counter(row.id for difference in found for row in table if row.explains(difference))


def report(found: Sequence[Difference], examples: int = 6) -> str:
    """Return differences in words, those of one kind together."""
    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for difference in found:
        groups.setdefault((difference.peer, difference.theirs, difference.ours), []).append(difference)
    lines = []
    for (peer, theirs, ours), group in sorted(groups.items(), key=lambda item: (item[0][0], -len(item[1]))):
        names = "; ".join(difference.case.name for difference in group[:examples])
        common = frozenset.intersection(*(difference.words for difference in group))
        lines += [f"{peer}, {len(group)} messages: {names}{'; ...' if len(group) > examples else ''}"]
        lines += [f"  they: {theirs}", f"  we:   {ours}", f"  when: {', '.join(sorted(common))}"]
    return "\n".join(lines)
