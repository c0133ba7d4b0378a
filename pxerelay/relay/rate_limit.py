"""A bound on what one client may ask in a second, so that a mad one does not bury the servers.

Firmware asks every few seconds (PXE 2.1, 2.2.3), an operating system a handful of times at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

_WINDOW = 1.0
"""Seconds that requests are counted for."""

_CLIENTS = 65536
"""Clients that are told apart within a window; a flood of invented addresses starts the count anew."""


class RateLimit:
    """Counts requests by client. `limit` is how many a client may make in a second; 0 is no limit."""

    __slots__ = ("_counts", "_until", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._counts: Counter[int] = Counter()
        self._until = 0.0

    def is_shut(self, client: int, now: float) -> bool:
        """Whether a client has had all that it may ask, without counting anything."""
        return bool(self.limit) and now < self._until and self._counts[client] >= self.limit

    def excess(self, clients: Collection[int], now: float) -> Mapping[int, int]:
        """Count a request for each client, and return how many of these are beyond the limit, by client.

        Clients are told apart by their numbers (`batch.client_number`); `now` is a monotonic time in seconds.
        """
        if not self.limit or not clients:
            return {}
        counts = self._counts
        if now >= self._until or len(counts) > _CLIENTS:
            counts.clear()
            self._until = now + _WINDOW
        counts.update(clients)
        if max(map(counts.__getitem__, clients)) <= self.limit:
            return {}
        here = Counter(clients)
        over = {client: min(counts[client] - self.limit, number) for client, number in here.items()}
        return {client: number for client, number in over.items() if number > 0}
