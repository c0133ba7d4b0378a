"""Who goes where, as a picture: columns of names, and bands between them, as wide as what flows.

The SVG has no style of its own but classes, and takes its colours from the page around it. It is no more than
a picture of a table, which stands beside it for who can't see it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pxerelay.wire.text import ends, printable

MOST_NAMES = 14
"""Names in a column; what flows least is one more, `others`."""

COLOURS = 8
"""Classes `c0` to `c7` of bands, by where they end."""

_WIDTH = 960
_NAMES = 230
"""Of the picture, and of a column's names."""

_BAR = 10
_LINE = 24
"""Height that a name has at least, in pixels of the picture."""

_GAP = 10
_TOP = 34
_LONGEST = 26


@dataclass(frozen=True)
class Flow:
    """What flows from a name in a column to one in the next; `column` counts from 0."""

    column: int
    source: str
    target: str
    amount: float


@dataclass(frozen=True)
class _Box:
    """A name and where it is drawn."""

    name: str
    amount: float
    top: float
    height: float


def picture(titles: Sequence[str], flows: Iterable[Flow], description: str) -> str:
    """Return the SVG of flows between columns with these titles; empty if nothing flows.

    `description` is read in the picture's place.
    """
    kept = [flow for flow in flows if flow.amount > 0]
    if not kept:
        return ""
    named = [_names(kept, column) for column in range(len(titles))]
    merged = _merged(kept, named)
    amounts = [_amounts(merged, column) for column in range(len(titles))]
    height = max(_room(column) for column in amounts)
    boxes = [_stacked(column, height) for column in amounts]
    colour = {name: f"c{at % COLOURS}" for at, name in enumerate(boxes[-1])}
    parts = [
        f'<svg class="flows" viewBox="0 0 {_WIDTH} {height + _TOP:.0f}" role="img" '
        f'aria-label="{escape(description)}" xmlns="http://www.w3.org/2000/svg">'
    ]
    parts += [_title(at, len(titles), title) for at, title in enumerate(titles)]
    parts += _bands(merged, boxes, colour)
    for at, column in enumerate(boxes):
        parts += [_name(at, len(boxes), box) for box in column.values()]
    return "".join([*parts, "</svg>"])


def _names(flows: Sequence[Flow], column: int) -> frozenset[str]:
    """Return the names of a column that have a place of their own."""
    amounts = _amounts(flows, column)
    return frozenset(sorted(amounts, key=lambda name: (-amounts[name], name))[:MOST_NAMES])


def _amounts(flows: Iterable[Flow], column: int) -> dict[str, float]:
    """Return what flows through each name of a column: the more of what comes and what goes."""
    comes: dict[str, float] = defaultdict(float)
    goes: dict[str, float] = defaultdict(float)
    for flow in flows:
        if flow.column == column:
            goes[flow.source] += flow.amount
        if flow.column == column - 1:
            comes[flow.target] += flow.amount
    return {name: max(comes.get(name, 0.0), goes.get(name, 0.0)) for name in dict.fromkeys((*comes, *goes))}


def _merged(flows: Iterable[Flow], named: Sequence[frozenset[str]]) -> list[Flow]:
    sums: dict[tuple[int, str, str], float] = defaultdict(float)
    for flow in flows:
        source = flow.source if flow.source in named[flow.column] else "others"
        target = flow.target if flow.target in named[flow.column + 1] else "others"
        sums[flow.column, source, target] += flow.amount
    return [Flow(*key, amount) for key, amount in sums.items()]


def _room(amounts: Mapping[str, float]) -> float:
    return max(len(amounts) * (_LINE + _GAP), 160.0)


def _stacked(amounts: Mapping[str, float], height: float) -> dict[str, _Box]:
    """Place a column's names below each other, the largest first, each as high as what flows through it."""
    order = sorted(amounts, key=lambda name: (name == "others", -amounts[name], name))
    free = height - len(order) * (_LINE + _GAP)
    total = sum(amounts.values())
    boxes, top = {}, float(_TOP)
    for name in order:
        size = _LINE + free * amounts[name] / total
        boxes[name] = _Box(name, amounts[name], top, size)
        top += size + _GAP
    return boxes


def _left(column: int, columns: int) -> float:
    """Return where a column's bar begins: names are beside it, outside of the picture's middle."""
    room = (_WIDTH - 2 * _NAMES - _BAR) / max(columns - 1, 1)
    return _NAMES + column * room


def _bands(
    flows: Sequence[Flow], boxes: Sequence[Mapping[str, _Box]], colour: Mapping[str, str]
) -> list[str]:
    """Draw the bands; each takes its part of the bars at its ends, in the order of those bars."""
    used: dict[tuple[int, str, str], float] = defaultdict(float)
    parts = []
    order = sorted(
        flows,
        key=lambda flow: (
            flow.column,
            boxes[flow.column][flow.source].top,
            boxes[flow.column + 1][flow.target].top,
        ),
    )
    for flow in order:
        one, other = boxes[flow.column][flow.source], boxes[flow.column + 1][flow.target]
        sizes = [box.height * flow.amount / box.amount for box in (one, other)]
        starts = []
        for side, box, size in (("out", one, sizes[0]), ("in", other, sizes[1])):
            key = (flow.column, side, box.name)
            starts.append(box.top + used[key])
            used[key] += size
        left, right = _left(flow.column, len(boxes)) + _BAR, _left(flow.column + 1, len(boxes))
        middle = (left + right) / 2
        (top1, top2), (end1, end2) = starts, [start + size for start, size in zip(starts, sizes, strict=True)]
        path = (
            f"M{left:.1f} {top1:.1f}C{middle:.1f} {top1:.1f} {middle:.1f} {top2:.1f} {right:.1f} {top2:.1f}"
            f"V{end2:.1f}C{middle:.1f} {end2:.1f} {middle:.1f} {end1:.1f} {left:.1f} {end1:.1f}Z"
        )
        kind = colour.get(flow.target, "cx")
        text = f"{_shown(flow.source)} to {_shown(flow.target)}: {amount_text(flow.amount)}"
        parts.append(f'<path class="band {kind}" d="{path}"><title>{escape(text)}</title></path>')
    return parts


def _title(at: int, columns: int, title: str) -> str:
    x, anchor = _text_at(at, columns)
    return f'<text class="title" x="{x:.0f}" y="18" text-anchor="{anchor}">{escape(title)}</text>'


def _text_at(at: int, columns: int) -> tuple[float, str]:
    left = _left(at, columns)
    if at == 0:
        return left - 8, "end"
    return left + _BAR + 8, "start"


def _name(at: int, columns: int, box: _Box) -> str:
    x, anchor = _text_at(at, columns)
    y = box.top + box.height / 2
    left = _left(at, columns)
    return (
        f'<rect class="bar" x="{left:.1f}" y="{box.top:.1f}" width="{_BAR}" height="{box.height:.1f}"/>'
        f'<text x="{x:.0f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(_shown(box.name))} '
        f'<tspan class="amount">{amount_text(box.amount)}</tspan></text>'
    )


def _shown(name: str) -> str:
    return printable(ends(name, _LONGEST))


def amount_text(amount: float) -> str:
    """Return a number as people write it."""
    return f"{amount:,.0f}" if amount >= 10 or amount == int(amount) else f"{amount:.1f}"
