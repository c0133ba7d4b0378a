"""Target 2: a burst of requests at line speed."""

from __future__ import annotations

from dataclasses import asdict

from tests.benchmark.peers import DhcpHelper, Floor, Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Run, rig
from tests.benchmark.steady import REQUESTS
from tests.lab.relays import DnsmasqRelay, IscDhcrelay

COUNT = 100_000
CASES = (
    ("pxerelay", Mapped),
    ("C floor", Floor),
    ("ISC dhcrelay", IscDhcrelay),
    ("dnsmasq", DnsmasqRelay),
    ("dhcp-helper", DhcpHelper),
)


def burst_part(rounds: int, say: Say) -> Result:
    """Send requests as fast as the machine can, and count what comes out; all relays in their own buffers."""
    runs: dict[str, list[Run]] = {name: [] for name, _ in CASES}
    for turn in range(rounds):
        for name, kind in CASES:
            with rig(kind) as one:
                run = one.requests(REQUESTS.frames(one), 0, COUNT)
            runs[name].append(run)
            say(f"round {turn + 1}: {name} lost {run.lost} of {run.sent}, sent in {run.seconds:.2f} s")
    rows = [
        (
            name,
            round(middle([run.sent / run.seconds for run in found])),
            max(run.lost for run in found),
            round(middle([run.oldest_us for run in found]) / 1000, 1),
        )
        for name, found in runs.items()
    ]
    title = f"A burst of {COUNT:,} requests as fast as they can be sent"
    columns = ("relay", "sent each second", "lost, the worst round", "last one out after, ms")
    return Result(
        "burst",
        [Table(title, columns, rows)],
        [Bound(f"lost of a burst of {COUNT:,}", max(run.lost for run in runs["pxerelay"]), 0)],
        {name: list(map(asdict, found)) for name, found in runs.items()},
    )
