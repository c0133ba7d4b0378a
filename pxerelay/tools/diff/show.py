"""A difference for a terminal, as Markdown for a comment on a pull request, and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pxerelay.tools.diff.outline import Section, headline, sections
from pxerelay.tools.diff.values import Difference, Move, Moves
from pxerelay.wire.text import printable

FEW, SOME = 20, 50
"""Rows of a section on a terminal and in a comment, which may have 65,536 characters (GitHub)."""

UNFOLDED = 8
"""Rows that a comment shows without being asked."""

_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "&<>|`*_[]@~\\"}
"""Signs that Markdown or the pages that show it would take for more than they are."""


@dataclass(frozen=True)
class Part:
    """A difference, and the hosts it is that of; none where two files were compared.

    `note` takes the difference's place where a host is on one side only.
    """

    hosts: tuple[str, ...]
    difference: Difference
    note: str = ""

    @property
    def first_line(self) -> str:
        """What it is about, in one line."""
        return self.note or headline(self.difference)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.note or self.difference)


def as_text(parts: Sequence[Part], *, everything: bool = False) -> str:
    """Return differences for a terminal."""
    return "\n\n".join("\n".join(_text_lines(part, everything=everything)) for part in parts)


def _text_lines(part: Part, *, everything: bool) -> list[str]:
    hosts = printable(", ".join(part.hosts))
    lines = [f"{hosts}: {part.first_line}" if hosts else part.first_line]
    for section in sections(part.difference):
        lines += ["", printable(section.title)]
        shown, left = _cut(section, None if everything else FEW)
        lines += _aligned([_with_arrow(section, row) for row in shown])
        if left:
            lines.append(f"  {f'and {left} more; ' if shown else ''}--all shows them")
    return lines


def _cut(section: Section, most: int | None) -> tuple[Sequence[tuple[str, ...]], int]:
    """Return the rows to show, and how many are left out."""
    if most is None:
        return section.rows, 0
    most = 0 if section.told else most
    return section.rows[:most], max(len(section.rows) - most, 0)


def _with_arrow(section: Section, row: tuple[str, ...]) -> tuple[str, ...]:
    """Return a row with where from and where to in one cell."""
    if "from" not in section.columns:
        return row
    at = section.columns.index("from")
    arrow = f"{row[at]} -> {row[at + 1]}" if row[at] or row[at + 1] else ""
    return (*row[:at], arrow, *row[at + 2 :])


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        ("  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def as_markdown(parts: Sequence[Part], *, everything: bool = False) -> str:
    """Return differences as Markdown: tables, those that may be long folded."""
    blocks = []
    for part in parts:
        hosts = f"{_escaped(', '.join(part.hosts))}: " if part.hosts else ""
        blocks.append(f"**pxerelay: {hosts}{part.first_line}**")
        blocks += [_block(section, everything=everything) for section in sections(part.difference)]
    return "\n\n".join(blocks)


def _block(section: Section, *, everything: bool) -> str:
    shown, left = _cut(section, None if everything else SOME)
    title = _escaped(section.title)
    if not shown:
        return f"**{title}**"
    lines = [
        _row(section.columns),
        _row(["---"] * len(section.columns)),
        *(_row([_escaped(cell.strip()) for cell in row]) for row in shown),
    ]
    table = "\n".join(lines) + (f"\n\nand {left} more" if left else "")
    if len(section.rows) > UNFOLDED:
        return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>"
    return f"**{title}**\n\n{table}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return printable(text).translate(_ENTITIES).replace("-&#62;", "→")


def as_json(parts: Sequence[Part], *, everything: bool = False) -> str:  # noqa: ARG001  # it always has all
    """Return differences as one JSON object, or as a list of them with their hosts; always all of it."""
    objects = []
    for part in parts:
        plain = {"differs": bool(part), **_plain(part.difference)}
        objects.append({"hosts": part.hosts, "note": part.note, **plain} if part.hosts else plain)
    with_hosts = any(part.hosts for part in parts) or len(parts) != 1
    return json.dumps(objects if with_hosts else objects[0], ensure_ascii=False)


def _plain(difference: Difference) -> dict[str, Any]:
    return {
        **_moves(difference.moves4 or Moves()),
        **({} if difference.moves6 is None else {"dhcpv6": _moves(difference.moves6)}),
        "servers": [asdict(change) for change in difference.servers],
        "classes": [asdict(change) for change in difference.classes],
        "interfaces": [asdict(change) for change in difference.interfaces],
        "settings": [asdict(change) for change in difference.settings],
        "rules": [asdict(change) for change in difference.rules],
    }


def _moves(moves: Moves) -> dict[str, Any]:
    return {
        "unlisted": [asdict(reach) for reach in moves.unlisted],
        "patterns": [_move(move) for move in moves.patterns],
        "addresses": [_move(move) for move in moves.addresses],
    }


def _move(move: Move) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": move.key,
        "kind": move.kind,
        "change": move.change,
        "before": vars(move.before),
        "after": vars(move.after),
    }
    if move.kind != "mac":
        found |= {"caught": [one.key for one in move.caught], "kept": move.kept}
    return found


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}
"""The values of `diff --format`."""
