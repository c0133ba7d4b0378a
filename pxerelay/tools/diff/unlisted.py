"""Clients that no rule names: where classes and defaults send them, before and after.

What decides about them is what they say of themselves and where they are, so two configurations are
compared for every kind of client that either of them can tell apart. There are few:

- the beginnings of option 60 that classes name, and a client with none of them: which of the beginnings a
  client has depends only on the longest one;
- of option 93 none, each number, and each two: what one configuration decides is settled by one number of
  several, so that two configurations never need more than two;
- interfaces by name, one name for each glob, and behind routers; of those that are treated alike, one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from pxerelay.config.budget import Budget
from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.policy.rules import Choice, Default
from pxerelay.policy.servers import Target
from pxerelay.tools.diff.values import Reach, Side
from pxerelay.tools.diff.views import Servers, View
from pxerelay.wire.client import DescribedClient
from pxerelay.wire.globs import is_glob

_NOBODY = bytes(6)
"""The address of a client that no rule is asked about."""

_FILLING = "~"
"""What stands for * and ? in the name of an interface that is meant by a glob and by no name."""


MOST_KINDS = 60_000_000
"""Kinds of clients, times interfaces and classes, that are tried: half a minute's worth.

Who writes a hundred classes with an option 60 and an option 93 of their own each makes millions of kinds.
"""

_FEW = 3
"""Interfaces whose defaults are told where somebody fell to them."""


@dataclass(frozen=True)
class Outcome:
    """What decides about some unlisted client: a class of this name, or a default with an empty one."""

    name: str
    choice: Choice


class Unlisted:
    """Every way in which two configurations treat clients that no rule names, in one family."""

    def __init__(self, old: Config, new: Config, view: View) -> None:
        self._old, self._new = old, new
        self.view = view
        self._found: dict[tuple[Outcome, Outcome], dict[str | None, None]] = {}
        self._moves: dict[tuple[Servers | None, Servers | None], bool] = {}
        message = (
            "the classes of these two configurations tell more kinds of clients apart than can be tried; "
            "compare configurations with fewer classes, or fewer `vendor_class` and `arch` in them"
        )
        self._budget = Budget(MOST_KINDS, message)
        self._compare()
        self._pairs = {
            (view.servers(before.choice), view.servers(after.choice)) for before, after in self._found
        }

    def moves(self, before: Servers | None, after: Servers | None) -> bool:
        """Whether some client goes elsewhere; None stands for one that no rule names."""
        if before is not None and after is not None:
            return before != after
        if (before, after) not in self._moves:
            self._moves[before, after] = self._some_move(before, after)
        return self._moves[before, after]

    def _some_move(self, before: Servers | None, after: Servers | None) -> bool:
        return any(
            (old if before is None else before) != (new if after is None else after)
            for old, new in self._pairs
        )

    def reach(self) -> Iterator[Reach]:
        """Yield who of them goes elsewhere."""
        grouped: dict[tuple[Side, Side], dict[str | None, None]] = {}
        for (before, after), where in self._found.items():
            if self.view.servers(before.choice) != self.view.servers(after.choice):
                sides = self._side(before), self._side(after)
                grouped.setdefault(sides, {}).update(where)
        for (one, other), where in grouped.items():
            yield Reach(tuple(where), one, other)

    @property
    def default_texts(self) -> tuple[str, str]:
        """What the defaults are, in words, before and after."""
        return _defaults(self._old), _defaults(self._new)

    def _compare(self) -> None:
        classes = len(self._old.policy.classes) + len(self._new.policy.classes)
        kinds = []
        for kind in self._kinds():
            self._budget.spend(1 + classes)
            kinds.append(kind)
        alike: dict[object, list[tuple[str | None, str | None]]] = {}
        for shown, name in self._interfaces():
            alike.setdefault(self._treatment(name), []).append((shown, name))
        for some in alike.values():
            _, name = some[0]
            self._budget.spend(len(kinds) * (1 + classes))
            where = dict.fromkeys(shown for shown, _ in some)
            before, after = _default_on(self._old, name), _default_on(self._new, name)
            for vendor_class, architectures in kinds:
                client = DescribedClient(_NOBODY, name, vendor_class, architectures)
                pair = _decide(self._old, client, before), _decide(self._new, client, after)
                self._found.setdefault(pair, {}).update(where)

    def _treatment(self, name: str | None) -> object:
        """Return something that is equal for interfaces that are treated alike."""
        for config in (self._old, self._new):
            for one in config.policy.classes:
                self._budget.spend(1 if one.interfaces is None else 1 + len(one.interfaces.texts))
        return tuple(
            (
                _default_on(config, name).choice,
                tuple(one.interfaces is None or name in one.interfaces for one in config.policy.classes),
            )
            for config in (self._old, self._new)
        )

    def _kinds(self) -> Iterator[tuple[bytes, tuple[int, ...]]]:
        classes = (*self._old.policy.classes, *self._new.policy.classes)
        beginnings = {b"", *(one.vendor_class for one in classes if one.vendor_class is not None)}
        named = [one.architectures for one in classes if one.architectures is not None]
        all_numbers = sorted(set[int]().union(*named))
        self._budget.spend(len(all_numbers) * len(named))
        by_use = {tuple(number in some for some in named): number for number in all_numbers}
        numbers = list(by_use.values())
        for vendor_class in sorted(beginnings):
            yield vendor_class, ()
            for number in numbers:
                yield vendor_class, (number,)
            for two in combinations(numbers, 2):
                yield vendor_class, two

    def _interfaces(self) -> Iterator[tuple[str | None, str | None]]:
        """Yield who is served by both: what to call the interface, and a name that stands for it."""
        found = False
        configs = self._old, self._new
        for shown, name in representatives(*configs):
            settings = [config.setting_for(name) for config in configs]
            if all(one is not None and self.view.serves(one) for one in settings):
                found = True
                yield shown, name
        if not found or all(map(self.view.has_routers, configs)):
            yield None, None

    def _side(self, outcome: Outcome) -> Side:
        return Side(outcome.choice.label, server_texts(self.view.targets(outcome.choice)), outcome.name)


def representatives(old: Config, new: Config) -> list[tuple[str, str]]:
    """Return what either configuration calls interfaces, each with a name that stands for it."""
    texts: dict[str, None] = {}
    for config in (new, old):
        texts.update(dict.fromkeys(entry.name for entry in config.interfaces))
        for one in config.policy.classes:
            texts.update(dict.fromkeys(sorted(one.interfaces.texts) if one.interfaces else ()))
    names = {text for text in texts if not is_glob(text)}
    return [(text, _example(text, names) if is_glob(text) else text) for text in texts]


def _example(glob: str, taken: set[str]) -> str:
    """Return a name that a glob means and that is none of the names that stand for themselves."""
    examples = [""]
    at = 0
    while at < len(glob):
        end = glob.find("]", at + 2) if glob[at] == "[" else -1
        if end > 0:
            inside = glob[at + 1 : end]
            among = _FILLING if inside.startswith("!") else inside.replace("-", "")
            examples = [example + one for example in examples[:64] for one in among]
            at = end
        else:
            more = _FILLING if glob[at] in "*?" else glob[at]
            examples = [example + more for example in examples]
        at += 1
    return next((example for example in examples if example not in taken), examples[0])


def _default_on(config: Config, interface: str | None) -> Default:
    setting: InterfaceSetting | None = config.setting_for(interface) if interface is not None else None
    return (setting.default if setting else None) or config.policy.default


def _decide(config: Config, client: DescribedClient, default: Default) -> Outcome:
    for one in config.policy.classes:
        if one.matches(client):
            return Outcome(one.name, one.choice)
    return Outcome("", default.choice)


def server_texts(servers: Sequence[Target]) -> tuple[str, ...]:
    """Spell servers."""
    return tuple(map(str, servers))


def _defaults(config: Config) -> str:
    own = [f"{entry.name}: {entry.default.choice.label}" for entry in config.interfaces if entry.default]
    if len(own) > _FEW:
        own = [f"{len(own)} interfaces have their own"]
    return "; ".join([f"default: {config.policy.default.choice.label}", *own])
