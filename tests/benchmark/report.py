"""The figures as JSON, as Markdown, and as a picture."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from tests.benchmark.results import Result, Table

mpl.use("svg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pxerelay", "font.size": 9})

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
    """Draw every target as a bar, in parts of what it may be at most; and each relay's cost of a message."""
    costs = [table for result in results for table in result.tables if table.columns[1].startswith("CPU")]
    figure, places = pyplot.subplots(
        len(costs) + 1,
        1,
        figsize=(7.5, 2.2 * (len(costs) + 1)),
        layout="constrained",
    )
    places = list(places) if costs else [places]
    bounds = [bound for result in results for bound in result.bounds][::-1]
    parts = [bound.value / bound.most if bound.most else float(bound.value > 0) for bound in bounds]
    places[0].barh([f"{bound.what} (at most {bound.most:g})" for bound in bounds], parts, color=_OURS)
    places[0].axvline(1, color=_LINE)
    places[0].set_title("Targets: what was measured, as a part of what it may be")
    for place, table in zip(places[1:], costs, strict=True):
        rows = list(table.rows)[::-1]
        colors = [_OURS if str(row[0]).startswith("pxerelay") else _PEERS for row in rows]
        bars = place.barh([str(row[0]) for row in rows], [float(row[1]) for row in rows], color=colors)
        place.bar_label(bars, fmt="%.1f", padding=2)
        place.set_title(f"{table.title}: {table.columns[1]}")
    for place in places:
        place.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
