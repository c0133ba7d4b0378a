"""Which messages are dropped unread while more come than can be relayed: no VLAN may delay another.

All VLANs' messages wait in one queue of the kernel, in the order in which they came. While it is short
nothing is dropped. When messages have waited for long in several batches in a row, each VLAN gets a share of
each batch; the longer the wait, the smaller the share. To drop a message unread costs a fifth of relaying
it, so the queue gets short again, and a VLAN that sends little loses nothing (rule 36).

While only one VLAN sends, nobody else is kept waiting: its burst is relayed whole, but for messages that
have waited more than a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

OLDEST = 1.0
"""Seconds that a message may have waited to be relayed at all (rule 36)."""

_CALM = 0.05
"""Seconds of waiting up to which nothing is dropped."""

_GRACE = 0.1
"""Seconds for which the wait may exceed `_CALM` before anything is dropped: the machine may have stood still
for a moment, and the queue may be shrinking already."""

_AGAIN = 1.0
"""Seconds since messages were dropped for which a wait has no grace: it is the same flood."""

_ALONE = 1.0
"""Seconds since two VLANs were last heard in one batch, after which the sender counts as the only one; and
for which an only sender may keep the queue long."""

_LEAST = 8
"""Messages of each batch that a VLAN or router is always allowed."""


class FairShare:
    """Decides for batches of at most `batch` messages. Times are monotonic seconds."""

    __slots__ = ("_batch", "_behind", "_dropped", "_shared")

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._behind: float | None = None
        self._shared = self._dropped = float("-inf")

    def is_calm(self, waited: float, size: int) -> bool:
        """Whether a batch of `size` messages, whose first has waited for so many seconds, needs none dropped.

        One that is not full is all there was in the queue.
        """
        if waited < _CALM or size < self._batch:
            self._behind = None
            return True
        return False

    def excess(self, places: Sequence[int], waited: float, now: float) -> list[int]:
        """Return the positions of the messages in a batch that are to be dropped.

        `places` are where they were heard, each VLAN or router another number; `waited` is how many seconds
        the first of them has waited.
        """
        if self.is_calm(waited, len(places)):
            return []
        if self._behind is None:
            self._behind = now
        counts = Counter(places)
        if len(counts) > 1:
            self._shared = now
        behind = now - self._behind
        if now - self._shared > _ALONE and behind < _ALONE:
            return []
        if behind < _GRACE and now - self._dropped > _AGAIN:
            return []
        share = max(self._batch >> int(waited / _CALM), _LEAST)
        if max(counts.values()) <= share:
            return []
        self._dropped = now
        found, seen = [], dict.fromkeys(counts, 0)
        for at, place in enumerate(places):
            seen[place] += 1
            if seen[place] > share:
                found.append(at)
        return found
