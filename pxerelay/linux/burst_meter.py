"""Whether much has come lately."""

from __future__ import annotations


class BurstMeter:
    """Counts in windows of some seconds, and tells whether `many` came in this one or in the one before."""

    __slots__ = ("_before", "_count", "_start", "_window", "many")

    def __init__(self, window: float, many: int) -> None:
        self._window = window
        self.many = many
        self._start = float("-inf")
        self._count = self._before = 0

    def busy(self, count: int, now: float) -> bool:
        """Count so many more, at a monotonic time in seconds; whether that is a busy time."""
        passed = now - self._start
        if passed >= self._window:
            self._before = self._count if passed < 2 * self._window else 0
            self._start, self._count = now, 0
        self._count += count
        return self._count >= self.many or self._before >= self.many
