"""What one relay host carries: more and more clients at once, until messages are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tests.benchmark.peers import Mapped
from tests.benchmark.results import Result, Say, Table, middle
from tests.benchmark.rig import Run, rig
from tests.benchmark.steady import REPLIES, REQUESTS, SECONDS
from tests.lab.relays import IscDhcrelay, RelayAgent

RATES = (500, 2_500, 10_000, 25_000, 40_000, 55_000)
"""Requests a second, and as many replies."""

ROUNDS = 3
"""More would tell nothing new: nothing here is held against a bound."""

_RELAYS: Sequence[tuple[str, type[RelayAgent]]] = (("pxerelay", Mapped), ("ISC dhcrelay", IscDhcrelay))
_COLUMNS = (
    "each way, each second",
    "processor, %",
    "requests lost, %",
    "replies lost, %",
    "median delay, us",
    "99 of 100, us",
)


def sizing_part(rounds: int, say: Say) -> Result:
    """Send requests and replies at once, at each rate, each relay on one processor."""
    runs: dict[tuple[str, int], list[tuple[Run, Run]]] = {}
    for turn in range(min(rounds, ROUNDS)):
        for rate in RATES:
            for name, kind in _RELAYS:
                with rig(kind) as one:
                    frames = REQUESTS.frames(one), REPLIES.frames(one)
                    one.both(*frames, rate, rate)
                    pair = one.both(*frames, rate, rate * SECONDS)
                runs.setdefault((name, rate), []).append(pair)
                say(f"round {turn + 1}: {name}, {rate} each way: {_row([pair])[1:]}")
    tables = [
        Table(f"Requests and replies at once, {name}", _COLUMNS, [_row(runs[name, rate]) for rate in RATES])
        for name, _ in _RELAYS
    ]
    plain = {
        f"{name}, {rate}": [list(map(asdict, pair)) for pair in found] for (name, rate), found in runs.items()
    }
    return Result("sizing", tables, [], plain)


def _row(found: Sequence[tuple[Run, Run]]) -> tuple[int, int, float, float, int, int]:
    return (
        round(middle([min(run.sent / run.seconds for run in pair) for pair in found])),
        round(middle([max(run.cpu_seconds / run.seconds for run in pair) * 100 for pair in found])),
        round(middle([asked.lost / asked.sent * 100 for asked, _ in found]), 2),
        round(middle([answered.lost / answered.sent * 100 for _, answered in found]), 2),
        round(middle([max(run.median_us for run in pair) for pair in found])),
        round(middle([max(run.p99_us for run in pair) for pair in found])),
    )
