"""The few places that a server has for peers: who has one, and who has to leave when there is none left.

A peer that says nothing costs a place for as long as it likes. So each source, a user of this host where that
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


class Place:
    """A peer's place. `leave` is called when the peer has to go.

    `busy`: we work for it, and it does not have to go; else we wait for it.
    """

    def __init__(self, source: Hashable) -> None:
        self.source = source
        self.busy = False
        self.leave: Callable[[], object] = lambda: None


class Places:
    """At most `most` places, and `each` for one source."""

    def __init__(self, most: int, each: int) -> None:
        self._most, self._each = most, each
        self._taken: dict[Place, None] = {}
        self._known: dict[Hashable, None] = {}

    def take(self, source: Hashable) -> Place | None:
        """Return a place for a peer, None if there is none; another one may have to go for it."""
        mine = [place for place in self._taken if place.source == source]
        if len(mine) >= self._each:
            if not self._free(mine):
                return None
        elif len(self._taken) >= self._most:
            strangers = [place for place in self._taken if place.source not in self._known]
            if not self._free(strangers) and (source not in self._known or not self._free(self._taken)):
                return None
        place = Place(source)
        self._taken[place] = None
        return place

    def _free(self, places: Iterable[Place]) -> bool:
        """Have one of these go; whether there was one that we wait for.

        It is the oldest one of the source that has most of them.
        """
        idle = [place for place in places if not place.busy]
        count = Counter(place.source for place in idle)
        victim = max(idle, key=lambda place: count[place.source], default=None)  # of equals the first
        if victim is None:
            return False
        self.give_back(victim)
        victim.leave()
        return True

    def give_back(self, place: Place) -> None:
        """Have a place free for the next peer."""
        self._taken.pop(place, None)

    def served(self, place: Place) -> None:
        """Remember the source of a peer as one that was served."""
        self._known.pop(place.source, None)
        self._known[place.source] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
