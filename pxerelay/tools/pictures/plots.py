"""Small plots, as SVG: a line over time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 240, 48


def plot(values: Sequence[float], description: str) -> str:
    """Return the SVG of values at even steps, the newest on the right; empty for fewer than two."""
    if len(values) < 2:
        return ""
    top = max(values) or 1.0
    step = _WIDTH / (len(values) - 1)
    points = [(at * step, _HEIGHT - 2 - (_HEIGHT - 4) * value / top) for at, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(description)}" '
        'preserveAspectRatio="none" xmlns="http://www.w3.org/2000/svg">'
        f'<polygon class="area" points="0,{_HEIGHT} {line} {_WIDTH},{_HEIGHT}"/>'
        f'<polyline class="line" points="{line}"/></svg>'
    )
