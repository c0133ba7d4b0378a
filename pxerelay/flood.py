"""A bound on what one client may ask in a second, so that a mad one does not bury the servers.

Firmware asks every few seconds (PXE 2.1, 2.2.3), an operating system a handful of times at once.
"""

from __future__ import annotations

_WINDOW = 1.0
"""Seconds that requests are counted for."""

_CLIENTS = 65536
"""Clients that are told apart within a window; a flood of invented addresses starts the count anew."""


class FloodGate:
    """Counts requests by chaddr. `limit` is how many a client may make in a second; 0 is no limit."""

    __slots__ = ("_counts", "_until", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._counts: dict[bytes, int] = {}
        self._until = 0.0

    def admits(self, chaddr: bytes, now: float) -> bool:
        """Count a request and tell whether it is within the limit; `now` is a monotonic time in seconds."""
        if not self.limit:
            return True
        if now >= self._until or len(self._counts) > _CLIENTS:
            self._counts.clear()
            self._until = now + _WINDOW
        count = self._counts[chaddr] = self._counts.get(chaddr, 0) + 1
        return count <= self.limit
