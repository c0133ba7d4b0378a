"""The few slots that a server has for peers: who has one, and who has to leave when there is none left.

A peer that says nothing costs a slot for as long as it likes. So each source, a user of this host where that
can be told, has only some of them, and a newcomer always finds one while we wait for somebody: the oldest
of those who have not said what they want, or do not take their answer, leaves for it. Who asks as soon
as it is connected, as programs do, is not kept out by however many that are silent.

A source that was served before is not displaced by one that never was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

_MOST_KNOWN = 64
"""Sources that are remembered as served."""


class Slot:
    """A peer's slot. `leave` is called when the peer has to go.

    `busy`: we work for it, and it does not have to go; else we wait for it.
    """

    def __init__(self, source: Hashable) -> None:
        self.source = source
        self.busy = False
        self.leave: Callable[[], object] = lambda: None


class Slots:
    """At most `most` slots, and `each` for one source."""

    def __init__(self, most: int, each: int) -> None:
        self._most, self._each = most, each
        self._taken: dict[Slot, None] = {}
        self._known: dict[Hashable, None] = {}

    def take(self, source: Hashable) -> Slot | None:
        """Return a slot for a peer, None if there is none; another one may have to go for it."""
        mine = [slot for slot in self._taken if slot.source == source]
        if len(mine) >= self._each:
            if not self._free(mine):
                return None
        elif len(self._taken) >= self._most:
            strangers = [slot for slot in self._taken if slot.source not in self._known]
            if not self._free(strangers) and (source not in self._known or not self._free(self._taken)):
                return None
        slot = Slot(source)
        self._taken[slot] = None
        return slot

    def _free(self, slots: Iterable[Slot]) -> bool:
        """Have one of these go; whether there was one that we wait for.

        It is the oldest one of the source that has most of them.
        """
        idle = [slot for slot in slots if not slot.busy]
        count = Counter(slot.source for slot in idle)
        victim = max(idle, key=lambda slot: count[slot.source], default=None)  # of equals the first
        if victim is None:
            return False
        self.give_back(victim)
        victim.leave()
        return True

    def give_back(self, slot: Slot) -> None:
        """Have a slot free for the next peer."""
        self._taken.pop(slot, None)

    def served(self, slot: Slot) -> None:
        """Remember the source of a peer as one that was served."""
        self._known.pop(slot.source, None)
        self._known[slot.source] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
