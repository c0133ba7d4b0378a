"""The last hour, a state of the daemon a minute: rates for plots, and who went where."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

STEP = 60.0
"""Seconds between two states."""

_POINTS = 60
_COARSE = 10
"""How many states are kept for plots, and each how many of them with all rows, for the picture."""

_MOST_ROWS = 4000
"""Rows of interface, rule and server that are kept of one state."""


@dataclass(frozen=True)
class Sample:
    """Sums of one state: since the daemon's start, at a time in monotonic seconds."""

    at: float
    requests: int
    replies: int
    dropped: int


Rows = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Detail:
    """The rows of one state: requests by interface and kind of rule, copies by interface and server."""

    at: float
    requests: Rows
    copies: Rows


class History:
    """Keeps states of the last hour, and begins anew where the daemon did."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=_POINTS + 1)
        self._details: deque[Detail] = deque(maxlen=_POINTS // _COARSE)
        self._latest: Detail | None = None

    def note(self, status: Mapping[str, Any], now: float) -> None:
        """Take down a state."""
        sample = _sample(status, now)
        if self._samples and _began_anew(self._samples[-1], sample):
            self._samples.clear()
            self._details.clear()
        self._samples.append(sample)
        self._latest = _detail(status, now)
        if not self._details or now - self._details[-1].at >= _COARSE * STEP - 1:
            self._details.append(self._latest)

    @property
    def seconds(self) -> float:
        """For how long there are states."""
        return self._samples[-1].at - self._samples[0].at if self._samples else 0.0

    def rates(self) -> dict[str, list[float]]:
        """Return requests, replies and drops a second, one value for each minute, the newest last."""
        found: dict[str, list[float]] = {"requests": [], "replies": [], "dropped": []}
        samples = list(self._samples)
        for before, after in pairwise(samples):
            seconds = max(after.at - before.at, 0.001)
            for name, values in found.items():
                values.append(round(max(getattr(after, name) - getattr(before, name), 0) / seconds, 3))
        return found

    def flows(self, status: Mapping[str, Any], now: float) -> tuple[Rows, Rows, float]:
        """Return who went where in the last hour, or since there are states, and in how many seconds.

        Requests by kind of rule and interface, and copies of them by interface and server.
        """
        latest = _detail(status, now)
        first = self._details[0] if self._details else None
        if first is None or now - first.at < STEP or _less(latest.copies, first.copies):
            return latest.requests, latest.copies, 0.0  # since the daemon's start
        return (
            _between(first.requests, latest.requests),
            _between(first.copies, latest.copies),
            now - first.at,
        )


def _traffics(status: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return the traffic of each family that the daemon tells of."""
    return [status[key] for key in ("traffic", "traffic6") if key in status]


def _detail(status: Mapping[str, Any], now: float) -> Detail:
    requests, copies = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for traffic in _traffics(status):
        for row in traffic["requests"][:_MOST_ROWS]:
            requests[row["rule"], row["interface"]] += row["count"]
        for row in traffic["copies"][:_MOST_ROWS]:
            copies[row["interface"], row["server"]] += row["count"]
    return Detail(now, dict(requests), dict(copies))


def _sample(status: Mapping[str, Any], now: float) -> Sample:
    counters = [status[key] for key in ("counters", "counters6") if key in status]
    return Sample(
        now,
        sum(one["requests"] for one in counters),
        sum(one["replies"] for one in counters),
        sum(sum(one.get("dropped", {}).values()) for one in counters),
    )


def _began_anew(before: Sample, after: Sample) -> bool:
    return after.requests < before.requests or after.replies < before.replies


def _less(latest: Rows, first: Rows) -> bool:
    return any(latest.get(key, 0) < count for key, count in first.items())


def _between(first: Rows, latest: Rows) -> Rows:
    found = {key: count - first.get(key, 0) for key, count in latest.items()}
    return {key: count for key, count in found.items() if count > 0}
