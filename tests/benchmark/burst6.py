"""Clients of DHCPv6 that all ask within one second, and are answered."""

from __future__ import annotations

import random
from dataclasses import asdict

from tests.benchmark.messages import macs
from tests.benchmark.peers import Mapped6
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Run, rig
from tests.benchmark.rig6 import Rig6, Wires6, requests6

COUNT = 20_000


def burst6_part(rounds: int, say: Say) -> Result:
    """Have 20,000 clients ask, each once, within a second; a server answers each request that reaches it.

    Peers are not measured: their answers wait for neighbours, of which a kernel keeps 1024 by default.
    """
    runs: list[Run] = []
    for turn in range(rounds):
        with rig(Mapped6, wires=Wires6, made=Rig6) as one:
            assert isinstance(one, Rig6)
            frames = one.request_file6(requests6(macs(COUNT), COUNT, random.Random(1)))
            run = one.answered(frames, COUNT, COUNT)
        runs.append(run)
        say(f"round {turn + 1}: {run.relayed} of {run.sent} answered, sent in {run.seconds:.2f} s")
    row = (
        "pxerelay",
        COUNT,
        min(run.relayed for run in runs),
        round(middle([run.median_us for run in runs]) / 1000, 1),
        round(middle([run.oldest_us for run in runs]) / 1000, 1),
    )
    columns = ("relay", "asked", "answered, the worst round", "median time to the answer, ms", "longest, ms")
    return Result(
        "burst6",
        [Table(f"DHCPv6: {COUNT:,} clients that ask within a second", columns, [row])],
        [Bound(f"of {COUNT:,} clients of DHCPv6 not answered", max(run.lost for run in runs), 0)],
        {"pxerelay": list(map(asdict, runs))},
    )
