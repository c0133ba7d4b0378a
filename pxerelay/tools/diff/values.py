"""What differs between two configurations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields


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
class Difference:
    """Everything that differs; nothing of it where two configurations mean the same."""

    patterns: tuple[Move, ...] = ()
    addresses: tuple[Move, ...] = ()
    unlisted: tuple[Reach, ...] = ()
    classes_decide: bool = False
    servers: tuple[ServerChange, ...] = ()
    classes: tuple[SettingChange, ...] = ()
    interfaces: tuple[SettingChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return any(getattr(self, part.name) for part in fields(self) if part.name != "classes_decide")

    def moves(self) -> Iterator[Move]:
        """Yield the moves of patterns and addresses."""
        yield from self.patterns
        yield from self.addresses
