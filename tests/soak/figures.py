"""What every soak looks at: memory, what the machine lost, what the log holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TypeVar

from tests.lab import Host

Reason = TypeVar("Reason", bound=Enum)
"""Why a message is dropped, in one of the families."""

RUNS = 3
"""Runs of a client's program, each of several tries, in which a client of a busy machine must have booted."""
GROWTH = 4096
"""KiB by which resident memory may grow after the first half of the soak: allocator noise."""
POOL = 20000
"""Different datagrams from each side; in half a soak the daemon has met nearly all of them."""
WARNING_SECONDS = 10
"""How often the log may tell of one kind of trouble."""


def resident(pid: int) -> int:
    """Return a process's resident memory in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def lost_at_port(host: Host, port: int, table: str = "udp") -> int:
    """Return how many datagrams the kernel of a host dropped because a port was read too slowly."""
    rows = [line.split() for line in host.run(["cat", f"/proc/net/{table}"]).stdout.splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if row[1].endswith(f":{port:04X}"))


def lost_by_the_machine() -> int:
    """Return how many packets this machine's processors had no time for; a lab's wires are made of them."""
    rows = [line.split() for line in Path("/proc/net/softnet_stat").read_text().splitlines()]
    return sum(int(row[1], 16) for row in rows)


def log_troubles(
    log: str, seconds: float, meanings: Mapping[Reason, str], must_be_met: Sequence[Reason]
) -> list[str]:
    """Return what the log should not hold: anything worse than a warning, or one warning too often."""
    lines = log.splitlines()
    told = Counter(meaning for line in lines for meaning in meanings.values() if meaning in line)
    warnings = sum(line.startswith("<4>") for line in lines)
    print(
        f"log lines            {len(lines)} in {seconds:.0f} s, {warnings} warnings, {told.total()} of drops"
    )
    most = seconds // WARNING_SECONDS + 1
    troubles = [f"told {number} times: {meaning}" for meaning, number in told.items() if number > most]
    troubles += [f"never told: {meanings[drop]}" for drop in must_be_met if not told[meanings[drop]]]
    return troubles + [f"in the log: {line}" for line in lines if not line.startswith(("<6>", "<4>"))]
