"""What differs between two configurations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

ALONE4, ALONE6 = "in DHCPv4 alone: ", "in DHCPv6 alone: "
"""In front of what moves in one family only, where both are relayed."""


@dataclass(frozen=True)
class Side:
    """What decides about some clients, before or after.

    `label` is what the file says. `servers` are addresses or DNS names, none of them for `drop`, and None
    where a client's class or a default decides. `rule` is the entry that does, as the file spells it;
    `source` its `file:line`.
    """

    label: str
    servers: tuple[str, ...] | None
    rule: str = ""
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class Move:
    """An address, or addresses that begin alike, whose requests go elsewhere.

    `kind` is `mac`, `oui`, `wildcard`, or `overlap` for what two wildcards both match. All but the first are
    about those addresses that no more specific rule settles: `caught` are the moves of listed addresses that
    such a rule decides about only before or only now, `kept` counts the listed addresses that it matches and
    that have a rule of their own.
    """

    key: str
    kind: str
    before: Side
    after: Side
    caught: tuple[Move, ...] = ()
    kept: int = 0

    @property
    def change(self) -> str:
        """Whether it moved from rule to rule, is new, or fell to class or default."""
        if self.before.servers is None:
            return "new"
        return "fell" if self.after.servers is None else "moved"


@dataclass(frozen=True)
class Reach:
    """Unlisted clients that go elsewhere: on which interfaces, by which class or default.

    The sides' `rule` is a class's name, empty for a default. `where` has None for clients behind routers.
    """

    where: tuple[str | None, ...]
    before: Side
    after: Side


@dataclass(frozen=True)
class RuleChange:
    """A rule that moves nobody: it came, went, or says another `owner`, `until`, `note` or `label`."""

    key: str
    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ServerChange:
    """A name of `servers:` that came, went, or stands for others; `rules` is how many rules name it."""

    name: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    rules: int
    renamed_to: str | None = None


@dataclass(frozen=True)
class SettingChange:
    """Any other entry: its path in words, and what it says on both sides; None where it is not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Moves:
    """Who goes elsewhere in one family."""

    patterns: tuple[Move, ...] = ()
    addresses: tuple[Move, ...] = ()
    unlisted: tuple[Reach, ...] = ()

    def __bool__(self) -> bool:
        """Whether anybody does."""
        return bool(self.patterns or self.addresses or self.unlisted)

    def __sub__(self, other: Moves) -> Moves:
        """Return those that are not the same in another family: of another entry, or between other names."""
        theirs = {_told(move) for move in (*other.patterns, *other.addresses)}
        reach = {_told_of(one) for one in other.unlisted}
        return Moves(
            tuple(move for move in self.patterns if _told(move) not in theirs),
            tuple(move for move in self.addresses if _told(move) not in theirs),
            tuple(one for one in self.unlisted if _told_of(one) not in reach),
        )


def _told(move: Move) -> object:
    """Return what a move says without addresses; where only these tell the two sides apart, with them."""
    return move.key, *_labels(move.before, move.after), frozenset(map(_told, move.caught))


def _told_of(reach: Reach) -> object:
    return reach.where, *_labels(reach.before, reach.after), reach.before.rule, reach.after.rule


def _labels(before: Side, after: Side) -> tuple[object, ...]:
    if before.label == after.label:
        return before.label, before.servers, after.servers
    return before.label, after.label, before.servers is None, after.servers is None


@dataclass(frozen=True)
class Difference:
    """Everything that differs; nothing of it where two configurations mean the same.

    `moves4` and `moves6` are those of a family, None where it is not relayed before and now.
    """

    moves4: Moves | None = None
    moves6: Moves | None = None
    classes_decide: bool = False
    servers: tuple[ServerChange, ...] = ()
    classes: tuple[SettingChange, ...] = ()
    interfaces: tuple[SettingChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return any(getattr(self, part.name) for part in fields(self) if part.name != "classes_decide")

    def by_family(self) -> Iterator[tuple[str, Moves]]:
        """Yield who goes elsewhere: in each family that is relayed, or in one alone, which the text says."""
        if self.moves4 is None or self.moves6 is None:
            found = self.moves4 or self.moves6
            if found:
                yield "", found
            return
        alone4, alone6 = self.moves4 - self.moves6, self.moves6 - self.moves4
        both = self.moves4 - alone4
        yield from ((text, some) for text, some in (("", both), (ALONE4, alone4), (ALONE6, alone6)) if some)
