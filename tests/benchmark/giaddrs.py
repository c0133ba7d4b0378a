"""Requests that routers relay to us: what one costs when they come with one giaddr, or with many."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from ipaddress import IPv4Address

from tests.benchmark.messages import macs, requests, routed_frames, write_frames
from tests.benchmark.peers import Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Run, frames_file, rig
from tests.lab.relays import CLIENT_INTERFACE
from tests.lab.topology import RIS

_GIADDRS = (1, 4_000, 100_000)
_RATE, _COUNT = 20_000, 200_000
_CLIENTS = 10_000
_FIRST = int(IPv4Address("10.64.0.1"))


class Routed(Mapped):
    """pxerelay behind routers."""

    kind = "routed"

    def lines(self) -> Iterable[str]:
        """Yield the configuration's lines."""
        yield f"default: {RIS}"
        yield "max_requests: 0"
        yield "accept_relayed_from: [10.64.0.0/10]"


def giaddrs_part(rounds: int, say: Say) -> Result:
    """Measure requests of so many giaddrs, each from a router of its own, in turn."""
    runs: dict[int, list[Run]] = {count: [] for count in _GIADDRS}
    messages = requests(macs(_CLIENTS), _GIADDRS[-1], random.Random(1))
    with rig(Routed) as one:
        text = one.network.relay.run(["cat", f"/sys/class/net/{CLIENT_INTERFACE}/address"]).stdout
        relay = bytes.fromhex(text.strip().replace(":", ""))
        files = {
            count: write_frames(
                frames_file(f"giaddrs-{count}"), routed_frames(messages, relay, _addresses(count))
            )
            for count in _GIADDRS
        }
        for turn in range(rounds + 1):
            for count, file in files.items():
                run = one.requests(file, _RATE, _COUNT)
                if turn:  # the first one is to get warm
                    runs[count].append(run)
                    say(f"round {turn}: {count:,} giaddrs: {run.cpu_us:.2f} us, {run.lost} lost")
    costs = {count: middle([run.cpu_us for run in found]) for count, found in runs.items()}
    rows = [
        (f"{count:,}", round(cost, 2), round(cost / costs[1], 2), max(run.lost for run in runs[count]))
        for count, cost in costs.items()
    ]
    return Result(
        "giaddrs",
        [
            Table(
                f"Requests that routers relay, {_RATE:,} a second",
                ("giaddrs", "CPU, us each", "of that with one", "lost, the worst round"),
                rows,
            )
        ],
        [
            Bound(
                f"CPU per request of {_GIADDRS[-1]:,} giaddrs, of that with one",
                costs[_GIADDRS[-1]] / costs[1],
                1.3,
            )
        ],
        {str(count): [asdict(run) for run in found] for count, found in runs.items()},
    )


def _addresses(count: int) -> Sequence[IPv4Address]:
    """Return routers' addresses, each in a /28 of its own."""
    return [IPv4Address(_FIRST + at * 16) for at in range(count)]
