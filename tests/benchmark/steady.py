"""Target 1: processor time for each message at a steady rate, ours and the peers' in turn."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from tests.benchmark.messages import CLIENTS, macs, replies, requests, sized
from tests.benchmark.peers import DhcpHelper, Floor, Mapped, Thousand
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Rig, Run, rig
from tests.lab.relays import DnsmasqRelay, IscDhcrelay, RelayAgent

SECONDS = 4
MESSAGES = 20_000
"""Different messages; they are sent again and again."""


@dataclass(frozen=True)
class Load:
    """What is sent: so many a second, from so many clients; requests, or replies to them.

    Requests of `sizes` in turn are sent `at_once` in a system call; without sizes they are as recorded.
    """

    rate: int
    clients: int = CLIENTS
    messages: int = MESSAGES
    replies: bool = False
    sizes: tuple[int, ...] = ()
    at_once: int = 1

    def frames(self, one: Rig) -> Path:
        """Write what is sent."""
        chance, who = random.Random(1), macs(self.clients)
        if self.replies:
            return one.reply_file("replies", replies(who, self.messages, chance))
        if self.sizes:
            return one.request_file("sized", sized(who, self.messages, self.sizes))
        return one.request_file("requests", requests(who, self.messages, chance))

    def run(self, one: Rig, frames: Path | None = None) -> Run:
        """Send for a second to warm up, then measure. Frames that were written before are not made again."""
        frames = frames or self.frames(one)
        go = one.replies if self.replies else partial(one.requests, at_once=self.at_once)
        go(frames, self.rate, self.rate)
        return go(frames, self.rate, self.rate * SECONDS)


REQUESTS = Load(50_000)
STRANGERS = replace(REQUESTS, clients=50_000 * (SECONDS + 1), messages=50_000 * (SECONDS + 1))
BATCHES = Load(50_000, sizes=(412, 476, 548), at_once=64)
BATCHED_STRANGERS = replace(BATCHES, clients=STRANGERS.clients, messages=STRANGERS.messages)
REPLIES = Load(40_000, clients=500, replies=True)

_Case = tuple[str, type[RelayAgent], Load]

REQUEST_CASES: Sequence[_Case] = (
    ("pxerelay", Mapped, REQUESTS),
    ("C floor", Floor, REQUESTS),
    ("ISC dhcrelay", IscDhcrelay, REQUESTS),
    ("dnsmasq", DnsmasqRelay, REQUESTS),
    ("dhcp-helper", DhcpHelper, REQUESTS),
    ("pxerelay, each request from a client never met before", Mapped, STRANGERS),
)
BATCH_CASES: Sequence[_Case] = (
    ("pxerelay", Thousand, BATCHES),
    ("C floor", Floor, BATCHES),
    ("ISC dhcrelay", IscDhcrelay, BATCHES),
    ("pxerelay, each request from a client never met before", Thousand, BATCHED_STRANGERS),
)
REPLY_CASES: Sequence[_Case] = (
    ("pxerelay", Mapped, REPLIES),
    ("ISC dhcrelay", IscDhcrelay, REPLIES),
    ("dnsmasq", DnsmasqRelay, REPLIES),
)


def requests_part(rounds: int, say: Say) -> Result:
    """Measure requests of mixed sizes at 50,000 a second."""
    runs = _in_turn(REQUEST_CASES, rounds, say)
    costs = costs_of(runs)
    return Result(
        "requests",
        [as_table("Requests, 50,000 a second, 347 to 412 octets", runs, costs)],
        [
            Bound("CPU per request, of ISC dhcrelay's", costs["pxerelay"] / costs["ISC dhcrelay"], 0.45),
            Bound("CPU per request, of the C floor's", costs["pxerelay"] / costs["C floor"], 1.0),
        ],
        plain_runs(runs),
    )


def batches_part(rounds: int, say: Say) -> Result:
    """Measure requests of three sizes in turn, 64 in a call, with a thousand rules."""
    runs = _in_turn(BATCH_CASES, rounds, say)
    costs = costs_of(runs)
    isc, strangers = costs["ISC dhcrelay"], costs[BATCH_CASES[-1][0]]
    return Result(
        "batches",
        [as_table("Requests, 50,000 a second, 64 in a call, of three sizes in turn", runs, costs)],
        [
            Bound("CPU per request in batches, of ISC dhcrelay's", costs["pxerelay"] / isc, 0.42),
            Bound("CPU per request in batches, of the C floor's", costs["pxerelay"] / costs["C floor"], 1.1),
            Bound("CPU per request of clients never met, of ISC dhcrelay's", strangers / isc, 0.5),
        ],
        plain_runs(runs),
    )


def replies_part(rounds: int, say: Say) -> Result:
    """Measure replies at 40,000 a second, each to another client by link layer."""
    runs = _in_turn(REPLY_CASES, rounds, say)
    costs = costs_of(runs)
    ratio = costs["pxerelay"] / costs["ISC dhcrelay"]
    return Result(
        "replies",
        [as_table("Replies, 40,000 a second", runs, costs)],
        [Bound("CPU per reply, of ISC dhcrelay's", ratio, 0.65)],
        plain_runs(runs),
    )


def _in_turn(cases: Sequence[_Case], rounds: int, say: Say) -> dict[str, list[Run]]:
    """Run every case once a round, so that what the machine does meanwhile meets all alike."""
    runs: dict[str, list[Run]] = {name: [] for name, _, _ in cases}
    for turn in range(rounds):
        for name, kind, load in cases:
            with rig(kind) as one:
                run = load.run(one)
            runs[name].append(run)
            say(f"round {turn + 1}: {name} {run.cpu_us:.2f} us, {run.lost} lost")
    return runs


def costs_of(runs: Mapping[str, Sequence[Run]]) -> dict[str, float]:
    """Return the middle of the processor times that a relay needed for a message."""
    return {name: middle([run.cpu_us for run in found]) for name, found in runs.items()}


def as_table(
    title: str, runs: Mapping[str, Sequence[Run]], costs: Mapping[str, float], beside: str = "ISC dhcrelay"
) -> Table:
    """Return a row for each relay; processor time is also told as a multiple of one's."""
    columns = ("relay", "CPU, us each", "of dhcrelay", "lost", "median delay, us", "99 of 100, us")
    return Table(
        title,
        columns,
        [
            (
                name,
                round(costs[name], 2),
                round(costs[name] / costs[beside], 2),
                sum(run.lost for run in found),
                round(middle([run.median_us for run in found])),
                round(middle([run.p99_us for run in found])),
            )
            for name, found in runs.items()
        ],
    )


def plain_runs(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[dict[str, float]]]:
    """Return each single measurement as plain data."""
    return {name: [{**asdict(run), "cpu_us": run.cpu_us} for run in found] for name, found in runs.items()}
