"""The figures as JSON, as Markdown, and as a picture."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from tests.benchmark.results import Bound, Result, Table

mpl.use("svg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pxerelay", "font.size": 8, "axes.titlesize": 9})

_START, _END = "<!-- benchmark -->", "<!-- /benchmark -->"

_OURS, _PEERS, _LINE = "#2f6fbb", "#b8bec6", "#c0392b"


def machine() -> dict[str, str]:
    """Return what of the machine has a say in the figures."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processors": f"{len(models)} x {models[0] if models else platform.machine()}",
        "kernel": platform.release(),
        "python": f"{platform.python_version()}, {platform.python_compiler()}",
    }


def kept(path: Path) -> dict[str, Result]:
    """Return the parts of an earlier run by their names; none if there was none."""
    if not path.exists():
        return {}
    return {plain["name"]: Result.of_json(plain) for plain in json.loads(path.read_text())["results"]}


def as_json(results: Sequence[Result], about: dict[str, Any]) -> str:
    """Return everything, each single run too."""
    return json.dumps({**about, "results": [result.as_json() for result in results]}, indent=1) + "\n"


def as_markdown(results: Sequence[Result], about: dict[str, Any]) -> str:
    """Return the tables for people; the targets first."""
    parts = [", ".join(f"{key}: {value}" for key, value in about.items())]
    rows = [
        (bound.what, f"{bound.value:.3g}", f"{bound.most:g}", "yes" if bound.met else "NO")
        for result in results
        for bound in result.bounds
    ]
    if rows:
        parts.append(_markdown(Table("Targets", ("figure", "measured", "at most", "met"), rows)))
    parts.extend(_markdown(table) for result in results for table in result.tables)
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    lines = [
        f"**{table.title}**",
        "",
        f"| {' | '.join(table.columns)} |",
        f"|---{'|---:' * (len(table.columns) - 1)}|",
        *(f"| {' | '.join(map(_cell, row))} |" for row in table.rows),
    ]
    return "\n".join(lines)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def put_into(page: Path, markdown: str) -> None:
    """Put the tables into a page, in the place of those that are there.

    Raises ValueError if the page has no place for them: two lines, `<!-- benchmark -->` and
    `<!-- /benchmark -->`.
    """
    before, start, rest = page.read_text().partition(_START)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"{page} has no lines {_START} and {_END} in this order")
    page.write_text(f"{before}{start}\n{markdown}{end}{after}")


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw targets as parts of what they may be, each relay's cost of a message, and its load."""
    tables = [table for result in results for table in result.tables]
    costs = [table for table in tables if table.columns[1].startswith("CPU")]
    loads = [table for table in tables if table.columns[1].startswith("processor")]
    count = 1 + len(costs) + bool(loads)
    figure, grid = pyplot.subplots(count, 1, figsize=(8, 2.4 * count), layout="constrained", squeeze=False)
    places = [row[0] for row in grid]
    _draw_targets(places[0], [bound for result in results for bound in result.bounds])
    for place, table in zip(places[1:], costs, strict=False):
        _draw_costs(place, table)
    if loads:
        _draw_loads(places[-1], loads)
    for place in places:
        place.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _draw_targets(place: Axes, bounds: Sequence[Bound]) -> None:
    parts = [max(bound.value, 0) / bound.most if bound.most else float(bound.value > 0) for bound in bounds]
    place.barh([f"{bound.what} (at most {bound.most:g})" for bound in bounds], parts, color=_OURS)
    place.invert_yaxis()
    place.axvline(1, color=_LINE)
    place.set_title("targets: what was measured, as a part of what it may be", loc="right")


def _draw_costs(place: Axes, table: Table) -> None:
    colors = [_OURS if str(row[0]).startswith("pxerelay") else _PEERS for row in table.rows]
    bars = place.barh(
        [str(row[0]) for row in table.rows], [float(row[1]) for row in table.rows], color=colors
    )
    place.invert_yaxis()
    place.bar_label(bars, fmt="%.1f", padding=2)
    place.set_title(f"{table.title}: {table.columns[1]}", loc="right")


def _draw_loads(place: Axes, tables: Sequence[Table]) -> None:
    for table in tables:
        name = table.title.rpartition(", ")[2]
        rates, shares = zip(*((float(row[0]), float(row[1])) for row in table.rows), strict=True)
        place.plot(rates, shares, marker="o", label=name, color=_OURS if name == "pxerelay" else _PEERS)
    place.set_xlabel(tables[0].columns[0])
    place.set_ylim(0, 100)
    place.legend()
    place.set_title("requests and replies at once: processor, %", loc="right")
