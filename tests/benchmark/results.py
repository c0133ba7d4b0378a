"""Figures of a benchmark, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple

Say = Callable[[str], None]
"""Tells the one who waits what is being done."""


class Bound(NamedTuple):
    """One target of the project: what a figure may be at most."""

    what: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        """Whether the figure is within the bound."""
        return self.value <= self.most


@dataclass(frozen=True)
class Table:
    """Figures that belong together, a row for each relay or case; `columns` names what stands in a row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]


@dataclass(frozen=True)
class Result:
    """What one part of the benchmark found. `runs` holds each single measurement."""

    name: str
    tables: Sequence[Table]
    bounds: Sequence[Bound]
    runs: Any = field(default_factory=dict)

    @classmethod
    def of_json(cls, plain: Mapping[str, Any]) -> Result:
        """Return what `as_json` was made of."""
        tables = [Table(**table) for table in plain["tables"]]
        bounds = [Bound(bound["what"], bound["value"], bound["most"]) for bound in plain["bounds"]]
        return cls(plain["name"], tables, bounds, plain["runs"])

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        bounds = [{**bound._asdict(), "met": bound.met} for bound in self.bounds]
        return {**asdict(self), "bounds": bounds}


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return median(values)
