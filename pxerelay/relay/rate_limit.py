"""A bound on what one client may ask in a second, so that a faulty one does not flood the servers.

Firmware asks every few seconds (PXE 2.1, 2.2.3), an operating system a handful of times at once. A client is
counted where it is heard, by interface or router and hardware address, and with all that it asks, also what
is dropped for another reason: so nobody can use up the allowance of a client of another VLAN (rule 33).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pxerelay.wire.batch import Asker

_WINDOW = 1.0
"""Seconds that requests are counted for."""

_CLIENTS = 1 << 13
"""Clients of one place that are told apart within a window; a flood of invented addresses starts the count of
its own VLAN anew."""


class RateLimit:
    """Counts requests by client. `limit` is how many a client may make in a second; 0 is no limit.

    Places and clients are as `Batch.asker` returns them. Times are monotonic seconds.
    """

    __slots__ = ("_places", "_until", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._places: dict[int, Counter[Asker]] = {}
        self._until = 0.0

    def is_shut(self, place: int, client: Asker, now: float) -> bool:
        """Whether a client has had all that it may ask, without counting anything."""
        if not self.limit or now >= self._until:
            return False
        counts = self._places.get(place)
        return counts is not None and counts[client] >= self.limit

    def excess(self, place: int, clients: Sequence[Asker], now: float) -> list[int]:
        """Count a request for each client, and return the positions of those beyond the limit."""
        if not self.limit or not clients:
            return []
        if now >= self._until:
            self._places.clear()
            self._until = now + _WINDOW
        counts = self._places.get(place)
        if counts is None or len(counts) > _CLIENTS:
            counts = self._places[place] = Counter()
        counts.update(clients)
        if max(map(counts.__getitem__, clients)) <= self.limit:
            return []
        found, left = [], {client: counts[client] - self.limit for client in set(clients)}
        for at in range(len(clients) - 1, -1, -1):
            if left[clients[at]] > 0:
                left[clients[at]] -= 1
                found.append(at)
        return found
