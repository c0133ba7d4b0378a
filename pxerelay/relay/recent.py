"""What was sent and what was lost in the last seconds, by which the relay judges itself (`own_health`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from pxerelay.relay.decision import Drop
from pxerelay.relay.outcome import Lost, Outcome, Requests

KEPT = 30
"""Seconds that are remembered."""


class Sums(NamedTuple):
    """Messages of some seconds.

    `sent` are copies of requests that the kernel was given, `failed` those of them that it refused. `heard`
    is all that came, `late` what of it was lost because it was not read in time: it waited for more than a
    second, or the receive buffer was full.
    """

    sent: int = 0
    failed: int = 0
    heard: int = 0
    late: int = 0


class Recent:
    """Sums for each of the last seconds in which anything happened. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque(maxlen=KEPT)

    def add(self, now: float, *, sent: int = 0, failed: int = 0, heard: int = 0, late: int = 0) -> None:
        """Count messages of this moment."""
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0, 0, 0])
        row = self._seconds[-1]
        row[1] += sent
        row[2] += failed
        row[3] += heard
        row[4] += late

    def enter(self, outcomes: Iterable[Outcome], heard: int, failed: int, now: float) -> None:
        """Count a batch of messages by what became of them; `failed` copies were refused by the kernel."""
        sent = late = 0
        for outcome in outcomes:
            if isinstance(outcome, Requests):
                sent += len(outcome.messages) * len(outcome.decision.servers)
            elif isinstance(outcome, Lost) and outcome.decision.reason is Drop.TOO_OLD:
                late += len(outcome.positions)
        self.add(now, sent=sent, failed=failed, heard=heard, late=late)

    def within(self, seconds: int, now: float) -> Sums:
        """Return the sums of the last seconds, of `KEPT` at most; the present one counts as a whole one."""
        since = int(now) - seconds
        rows = [row[1:] for row in self._seconds if row[0] > since]
        return Sums(*map(sum, zip(*rows, strict=True))) if rows else Sums()
