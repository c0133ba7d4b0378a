"""What one who looks may ask in a while, and all together: the page and the daemon have other work too."""

from __future__ import annotations

from collections import Counter, OrderedDict

_MOST_KNOWN = 1024
"""Peers that are told apart; of more, who was here longest ago is forgotten."""


class Bucket:
    """So many at once, and so many a second after that. Times are monotonic seconds."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate, self._left, self._at = burst, rate, burst, now

    def take(self, now: float) -> bool:
        """Whether there is one left; it is taken."""
        self._left = min(self._left + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def wait(self) -> float:
        """Return in how many seconds there is one again, as of the last `take`."""
        return max(1 - self._left, 0.0) / self._rate if self._rate else float("inf")


class Limits:
    """Bounds requests: of each peer, so that none keeps others out, and of all."""

    def __init__(self, each: tuple[float, float], total: tuple[float, float], now: float) -> None:
        """Take what a peer may, and what all may: at once, and a second."""
        self._each = each
        self._all = Bucket(*total, now)
        self._peers: OrderedDict[str, Bucket] = OrderedDict()

    def allow(self, peer: str, now: float) -> bool:
        """Whether a peer may ask once more."""
        return not self.refuse(peer, now)

    def refuse(self, peer: str, now: float) -> float:
        """Return in how many seconds a peer may ask again; 0 if it may now, which is counted."""
        bucket = self._peers.get(peer)
        if bucket is None:
            bucket = self._peers[peer] = Bucket(*self._each, now)
            if len(self._peers) > _MOST_KNOWN:
                self._peers.popitem(last=False)
        self._peers.move_to_end(peer)
        if not bucket.take(now):
            return bucket.wait()
        return 0.0 if self._all.take(now) else self._all.wait()


class Seats:
    """Bounds what lasts: so many of one peer, so many of all."""

    def __init__(self, each: int, total: int) -> None:
        self._each, self._total = each, total
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._taken.total()

    def take(self, peer: str) -> bool:
        """Whether there was a seat for a peer, which has it now."""
        if self._taken[peer] >= self._each or len(self) >= self._total:
            return False
        self._taken[peer] += 1
        return True

    def give_back(self, peer: str) -> None:
        """Have a seat free again."""
        self._taken[peer] -= 1
        self._taken += Counter()
