"""Target 7: what a daemon takes while it has little to do, and until it is there."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tests.benchmark.loading import mapping_file
from tests.benchmark.mappings import random_rules
from tests.benchmark.messages import macs, requests
from tests.benchmark.peers import Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Rig, rig
from tests.lab.relays import DnsmasqRelay, IscDhcrelay, RelayAgent
from tests.lab.topology import ALTIRIS, RIS

_RULES = 1_000
_REQUESTS, _RATE = 200, 1_000
_SEEN, _SEEN_RATE = 100_000, 20_000
_LARGE = 100_000
_STARTS = 5

_BARE = (sys.executable, "-c", "import asyncio, socket")
"""The least that a daemon like ours could be."""

_LOADER = """
import os, sys
sys.path[:] = sys.argv[2:]
from pxerelay.daemon import loader_child
def tell(code, end=os._exit):
    with open("/proc/self/status") as file:
        print(*(line.split()[1] for line in file if line.startswith("VmHWM:")), file=sys.stderr)
    end(code)
os._exit = tell
loader_child.main([sys.argv[1], "bare"])
"""
"""The process that loads, which tells how much memory it had at most (proc(5)). getrusage(2) would count
what its parent had when it began, too."""


class TwoVlans(Mapped):
    """pxerelay with two VLANs and a thousand rules."""

    kind = "two_vlans"

    def lines(self) -> Iterable[str]:
        """Yield the configuration's lines."""
        yield from (
            f"servers: {{ris: {RIS}, altiris: {ALTIRIS}}}",
            "default: ris",
            "max_requests: 0",
            "interfaces: {vlan10: {}, vlan20: {default: altiris}}",
            "rules:",
        )
        yield from random_rules(_RULES)


class _Spent(NamedTuple):
    """Seconds on the clock and of the processor."""

    wall: float
    cpu: float


def footprint_part(rounds: int, say: Say) -> Result:
    """Look at memory after some requests, at starts, at `status`, at the process that loads."""
    resident: dict[str, list[float]] = {}
    starts: dict[str, list[_Spent]] = {}
    peaks: list[float] = []
    for turn in range(rounds):
        for name, kind in _RELAYS:
            with rig(kind, apart=False) as one:
                _second_vlan(one)
                chance = random.Random(1)
                few = one.request_file("few", requests(macs(_REQUESTS), _REQUESTS, chance))
                one.requests(few, _RATE, _REQUESTS)
                resident.setdefault(name, []).append(_megabytes(one.memory("VmRSS")))
                if kind is TwoVlans:
                    starts.setdefault("status --json", []).append(_status(one))
                    many = one.request_file("many", requests(macs(_SEEN), _SEEN, chance))
                    one.requests(many, _SEEN_RATE, _SEEN)
                    resident.setdefault(_AFTER, []).append(_megabytes(one.memory("VmRSS")))
                    one.agent.stop()
                    there = ("ip", "netns", "exec", one.network.relay.namespace)  # takes a while by itself
                    for _ in range(_STARTS):
                        starts.setdefault("pxerelay", []).append(_ready(one))
                        starts.setdefault("python3", []).append(_ended((*there, *_BARE)))
            say(f"round {turn + 1}: {name}: {resident[name][-1]:.1f} MB")
        peaks.append(_loading_peak())
    memory = {name: middle(found) for name, found in resident.items()}
    wall = {name: middle([one.wall for one in found]) for name, found in starts.items()}
    cpu = {name: middle([one.cpu for one in found]) for name, found in starts.items()}
    peak = middle(peaks)
    tables = [
        Table(
            "Resident memory",
            ("relay", "MB"),
            [(name, round(found, 1)) for name, found in memory.items()]
            + [(f"the process that loads {_LARGE:,} rules, at most", round(peak, 1))],
        ),
        Table(
            "From the start to READY, and commands, seconds",
            ("command", "clock", "processor"),
            [(_NAMES[name], round(wall[name], 3), round(cpu[name], 3)) for name in _NAMES],
        ),
    ]
    bounds = [
        Bound("resident memory with 1,000 rules and 2 VLANs, MB", memory["pxerelay"], 25.0),
        Bound("resident memory when 100,000 clients were seen, MB", memory[_AFTER], 30.0),
        Bound("start to READY, of Python with asyncio alone", wall["pxerelay"] / wall["python3"], 2.5),
        Bound("processor time of `status --json`, s", cpu["status --json"], 0.1),
        Bound("memory of loading 100,000 rules at most, MB", peak, 70.0),
    ]
    return Result("footprint", tables, bounds, {"resident": resident, "starts": starts, "peaks": peaks})


_AFTER = "pxerelay, when 100,000 clients were seen"

_RELAYS: Sequence[tuple[str, type[RelayAgent]]] = (
    ("pxerelay", TwoVlans),
    ("ISC dhcrelay", IscDhcrelay),
    ("dnsmasq", DnsmasqRelay),
)

_NAMES = {
    "pxerelay": "pxerelay run, with the process that loads",
    "python3": 'python3 -c "import asyncio, socket"',
    "status --json": "pxerelay status --json",
}


def _second_vlan(one: Rig) -> None:
    one.network.relay.ip(
        *("link add vlan20 type veth peer name far20", "link set far20 up", "link set vlan20 up"),
        "address add 10.20.20.1/24 dev vlan20",
    )
    one.rest()


def _megabytes(octets: int) -> float:
    return octets / (1 << 20)


def _ready(one: Rig) -> _Spent:
    """Start the daemon, wait until it says that it is ready, and end it."""
    with tempfile.TemporaryDirectory() as folder, closing(_manager(folder)) as manager:
        begun = time.monotonic()
        process = one.network.relay.popen(
            one.agent.command(),
            env={**os.environ, "NOTIFY_SOCKET": f"{folder}/notify"},
            stderr=subprocess.DEVNULL,
        )
        while not manager.recv(4096).startswith(b"READY=1"):
            pass
        wall = time.monotonic() - begun
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        process.send_signal(signal.SIGTERM)
        process.wait()
    ticks = sum(map(int, fields[11:15]))  # its own and that of children it waited for (proc(5))
    return _Spent(wall, ticks / os.sysconf("SC_CLK_TCK"))


def _manager(folder: str) -> socket.socket:
    """Return the socket of a service manager that waits for a daemon (sd_notify(3))."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{folder}/notify")
    manager.settimeout(30)
    return manager


def _status(one: Rig) -> _Spent:
    program = Path(sys.executable).with_name("pxerelay")
    return _ended((sys.executable, str(program), "status", "--json", "--socket", str(one.agent.path("sock"))))


def _loading_peak() -> float:
    path = mapping_file(_LARGE)
    command = (sys.executable, "-I", "-c", _LOADER, str(path), *filter(None, sys.path))
    done = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return _megabytes(int(done.stderr) << 10)


def _ended(command: Sequence[str]) -> _Spent:
    """Run a command to its end."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return _Spent(time.monotonic() - begun, used.ru_utime + used.ru_stime)
