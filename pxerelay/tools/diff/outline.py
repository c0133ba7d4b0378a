"""A difference as sections of rows, the same for a terminal and for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pxerelay.tools.diff.values import (
    Difference,
    Move,
    Moves,
    Reach,
    RuleChange,
    ServerChange,
    SettingChange,
    Side,
)
from pxerelay.wire.mac import parse_pattern

NEW = {"moved": "", "new": "new: ", "fell": "fell to a default: "}
"""What groups of moves are called, by `Move.change`."""


_FEW = 8
"""Interfaces that are named in one row."""


@dataclass(frozen=True)
class Section:
    """Rows under a title. Of many rows the first ones may do, and where all is `told` by the title, none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    told: bool = False


def headline(difference: Difference) -> str:
    """Return in one line how much moves."""
    if not difference:
        return "no difference: every client goes where it went"
    said = [f"{alone}{_how_many(moves)}" for alone, moves in difference.by_family()]
    return f"goes elsewhere: {'; '.join(said)}" if said else "nobody goes elsewhere; what differs:"


def _how_many(moves: Moves) -> str:
    parts = [_count(len(moves.addresses), "listed address", "listed addresses")]
    parts.append(_count(len(moves.patterns), "block or wildcard", "blocks and wildcards"))
    if moves.unlisted:
        parts.append("unlisted clients")
    return ", ".join(part for part in parts if part)


def sections(difference: Difference) -> Iterator[Section]:
    """Yield what differs, what reaches the most clients first."""
    every = "every unlisted client" + (" that no class takes" if difference.classes_decide else "")
    for alone, moves in difference.by_family():
        yield from _section(
            f"{alone}unlisted clients",
            ("who", "from", "to"),
            ((_who(reach, every), *ends(reach.before, reach.after)) for reach in moves.unlisted),
        )
        yield from _section(
            f"{alone}blocks and wildcards",
            ("which", "from", "to", "decided by"),
            (row for move in moves.patterns for row in _pattern_rows(move)),
        )
        yield from _groups(moves.addresses, alone)
    yield from _section("servers", ("name", "what"), map(_server_row, difference.servers))
    for title, changes in (
        ("classes", difference.classes),
        ("interfaces", difference.interfaces),
        ("settings", difference.settings),
    ):
        yield from _section(title, ("which", "from", "to"), map(_setting_row, changes))
    yield from _not_moves(difference.rules)


def ends(before: Side, after: Side) -> tuple[str, str]:
    """Return where clients went and go; with addresses, where only these tell the two apart."""
    if before.label != after.label:
        return before.label, after.label
    one, other = (f"{side.label} {', '.join(side.servers or ())}".rstrip() for side in (before, after))
    return one, other


def _section(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[Section]:
    listed = tuple(rows)
    if listed:
        yield Section(title, columns, listed)


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}" if number else ""


def _who(reach: Reach, every: str) -> str:
    names = [name for name in reach.where if name is not None]
    left = len(names) - _FEW
    places = [f"on {', '.join(names[:_FEW])}{f' and {left} more' if left > 0 else ''}"] if names else []
    on = " and ".join([*places, *(["behind routers"] if None in reach.where else [])])
    before, after = reach.before.rule, reach.after.rule
    if not before and not after:
        return f"{every} {on}"
    if before == after:
        return f"unlisted clients of class {before} {on}"
    sides = [f"of class {name}" if name else "of no class" for name in (before, after)]
    return f"unlisted clients {sides[0]} before, {sides[1]} now, {on}"


def _pattern_rows(move: Move) -> Iterator[tuple[str, ...]]:
    what = {"overlap": "where wildcards overlap", "oui": "block"}.get(move.kind, move.kind)
    yield f"{move.key} ({what})", *ends(move.before, move.after), _decided_by(move)
    for one in move.caught:
        yield f"  {one.key}", *ends(one.before, one.after), _decided_by(one)
    if move.kept:
        kept = _count(
            move.kept, "listed address keeps a rule of its own", "listed addresses keep their rules"
        )
        yield f"  {kept}", "", "", ""


def _decided_by(move: Move) -> str:
    sides = []
    for side in (move.before, move.after):
        if side.servers is None:
            sides.append("no rule")
        else:
            own = side.rule == move.key or parse_pattern(side.rule) == parse_pattern(move.key)
            sides.append(side.source if own else f"{side.rule} in {side.source}")
    return " -> ".join(dict.fromkeys(sides))


def _groups(moves: Iterable[Move], alone: str) -> Iterator[Section]:
    found: dict[tuple[str, str, str], list[Move]] = {}
    for move in moves:
        found.setdefault((move.change, *ends(move.before, move.after)), []).append(move)
    for (change, before, after), some in sorted(found.items(), key=lambda item: -len(item[1])):
        title = f"{alone}{NEW[change]}{before} -> {after}: {_count(len(some), 'address', 'addresses')}"
        rows = tuple((move.key, _decided_by(move)) for move in some)
        told = some[0].before.label == some[0].after.label  # the server's address is another
        yield Section(title, ("address", "decided by"), rows, told=told)


def _server_row(change: ServerChange) -> tuple[str, str]:
    rules = _count(change.rules, "rule names", "rules name") or "no rule names"
    now, was = (", ".join(side or ()) for side in (change.after, change.before))
    if change.renamed_to is not None:
        return change.name, f"is called {change.renamed_to} now, with the same addresses"
    if change.after is None:
        return change.name, f"is gone ({was})"
    if change.before is None:
        return change.name, f"is new: {now}; {rules} it"
    return change.name, f"is now {now}, was {was}: {rules} it"


def _setting_row(change: SettingChange) -> tuple[str, str, str]:
    return change.name, *_texts(change.before, change.after)


def _texts(before: str | None, after: str | None) -> tuple[str, str]:
    return before if before is not None else "(none)", after if after is not None else "(none)"


def _not_moves(changes: Iterable[RuleChange]) -> Iterator[Section]:
    """Yield what rules say otherwise; the many that only name the same servers otherwise as one."""
    relabelled: Counter[tuple[str, str]] = Counter()
    rows = []
    for change in changes:
        if change.what == "rule" and change.before is not None and change.after is not None:
            relabelled[change.before, change.after] += 1
            continue
        what = change.what
        if what == "rule":
            what = "added" if change.before is None else "removed"
        rows.append((change.key, what, *_texts(change.before, change.after)))
    for (before, after), number in relabelled.items():
        rows.append((_count(number, "rule", "rules"), "same servers", before, after))
    yield from _section("rules that move nobody", ("rule", "what", "from", "to"), rows)
