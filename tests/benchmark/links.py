"""Target 8: thousands of client interfaces, and changes of them, while requests of others flow."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmark.messages import macs, requests
from tests.benchmark.peers import Floor, Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Rig, Run, rig
from tests.lab import LabError
from tests.lab.relays import RelayAgent
from tests.lab.topology import RIS

_SIZES = ((4_094, 0), (1_000, 9_000))
"""Client interfaces, and links that are none."""

_ALWAYS = 2
"""Client interfaces that are there in any case."""

_STARTS, _CHANGES = 5, 20
_RATE, _SECONDS, _CLIENTS = 5_000, 5, 1_000
_DARK, _DARK_TURNS = 500, 3
_FLAPS, _FLAPS_A_SECOND = 25, 5
_PATIENCE = 10.0
_QUIET = 3
"""Seconds without an event after which a kernel counts as being done with thousands of links."""

MB = 1 << 20


class Links(Mapped):
    """pxerelay with client interfaces by a glob, which tells a service manager what it does."""

    kind = "links"
    notify = ""

    def lines(self) -> Iterable[str]:
        """Yield the configuration's lines."""
        yield "max_requests: 0"
        yield f"default: {RIS}"
        yield 'interfaces: {vlan10: {}, vlan20: {}, "client*": {}}'

    def start(self) -> None:
        """Start the process."""
        env = {**os.environ, "NOTIFY_SOCKET": self.notify}
        self.process = self.network.relay.popen(self.command(), log=self.log_path.name, env=env)


class Found(NamedTuple):
    """What was measured with so many interfaces; seconds, of the clock or of the processor, and octets."""

    start: float
    start_among_news: float
    resident: int
    followed: list[float]
    change_cpu: float
    dark: list[Run]
    dark_floor: list[Run]
    """The same with a relay that looks at no link: how late the machine itself makes a request."""
    flap_share: float


def links_part(rounds: int, say: Say) -> Result:
    """Start with many links, change one, take many down and up, have one flap."""
    few: list[float] = []
    found: dict[tuple[int, int], list[Found]] = {size: [] for size in _SIZES}
    for turn in range(min(rounds, 3)):
        for size in _SIZES:
            with rig(Links, apart=False) as one, _manager(one) as manager:
                one.network.relay.ip("link add vlan20 type veth peer name far20", "link set vlan20 up")
                few += [_started(one, manager) for _ in range(_STARTS)]
                _make(one, *size)
                found[size].append(_measured(one, manager))
            last = found[size][-1]
            change = f"a change in {middle(last.followed) * 1000:.0f} ms"
            say(f"round {turn + 1}: {size}: READY in {last.start:.2f} s, {last.resident >> 20} MB, {change}")
    usual = middle(few)
    rows: list[Sequence[str | float]] = []
    bounds = []
    for (clients, others), runs in found.items():
        start, resident = (
            middle([one.start for one in runs]),
            middle([one.resident for one in runs]) / MB,
        )
        among_news = middle([one.start_among_news for one in runs])
        followed = middle([seconds for one in runs for seconds in one.followed]) * 1000
        cpu = middle([one.change_cpu for one in runs]) * 1000
        lost = max(run.lost for one in runs for run in one.dark)
        oldest = [run.oldest_us / 1000 for one in runs for run in one.dark]
        floor = [run.oldest_us / 1000 for one in runs for run in one.dark_floor]
        share = middle([one.flap_share for one in runs]) * 100
        rows.append(
            (
                f"{clients:,}, among {clients + others:,} links",
                *(round(start, 2), round(among_news, 2), round(resident), round(followed), round(cpu, 1)),
                *(f"{middle(found):.1f}; {max(found):.1f}" for found in (oldest, floor)),
                round(share, 1),
            )
        )
        name = f"with {clients:,} client interfaces"
        bounds += [
            Bound(f"start to READY {name}, of that with 2", start / usual, 3.0),
            Bound(f"resident memory {name}, MB", resident, 40.0),
            Bound(f"a change is followed {name}, ms", followed, 50.0),
            Bound(f"processor time of a change {name}, ms", cpu, 20.0),
            Bound(f"requests lost while {_DARK} others go down and up {name}", lost, 0),
            Bound(f"slowest request meanwhile {name}, ms", max(oldest), 50.0),
            Bound(f"processor for a foreign link that flaps {name}, %", share, 5.0),
        ]
    columns = (
        *("client interfaces", "start, s", "start while the kernel tells of new links, s", "MB"),
        *("a change, ms", "its processor, ms"),
    )
    meanwhile = f"slowest request while {_DARK} go down and up, ms: usual, worst"
    table = Table(
        f"Interfaces; start with {_ALWAYS} is {usual:.2f} s",
        (*columns, meanwhile, "the same with the least in C", "a foreign link flaps, % processor"),
        rows,
    )
    plain = {
        f"{clients} among {clients + others}": [_plain(one) for one in runs]
        for (clients, others), runs in found.items()
    }
    return Result("links", [table], bounds, {"few": few, **plain})


def _plain(found: Found) -> dict[str, Any]:
    dark, floor = ([asdict(run) for run in runs] for runs in (found.dark, found.dark_floor))
    return {**found._asdict(), "dark": dark, "dark_floor": floor}


@contextmanager
def _manager(one: Rig) -> Iterator[socket.socket]:
    """Be the service manager of the daemons to come (sd_notify(3))."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        Links.notify = f"{folder}/notify"
        manager.bind(Links.notify)
        manager.settimeout(_PATIENCE)
        one.agent.stop()
        yield manager


def _started(one: Rig, manager: socket.socket) -> float:
    """Start the daemon anew, and return how long that took."""
    one.agent.stop()
    _empty(manager)
    begun = time.monotonic()
    one.agent.start()
    while not manager.recv(4096).startswith(b"READY=1"):
        pass
    return time.monotonic() - begun


def _empty(manager: socket.socket) -> None:
    manager.setblocking(False)
    try:
        while manager.recv(4096):
            pass
    except BlockingIOError:
        manager.settimeout(_PATIENCE)


def _make(one: Rig, clients: int, others: int) -> None:
    """Make interfaces: `client0` and so on with addresses, `other0` and so on without.

    None of them solicits routers (RFC 4861, 6.3.7): the kernel has the timers of thousands end at once, and
    whoever relays waits up to 0.1 s, the least in C too.
    """
    relay, made = one.network.relay, clients - _ALWAYS
    for name in ("all", "default"):
        relay.sysctl(f"net.ipv6.conf.{name}.router_solicitations", 0)
    for name, count in (("client", made), ("other", others)):
        relay.ip(*(f"link add {name}{at} type veth peer name {name}{at + 1}" for at in range(0, count, 2)))
    relay.ip(
        *(f"address add 10.{100 + (at >> 8)}.{at & 255}.1/24 dev client{at}" for at in range(made)),
        *(f"link set client{at} up" for at in range(made)),
        *(f"link set other{at} up" for at in range(others)),
    )


def _wait_for_the_kernel(one: Rig) -> None:
    """Wait until it has told of all carriers: it tells of 50 links a second or so."""
    watching = ["timeout", str(_QUIET), "ip", "-oneline", "monitor", "link", "address"]
    while one.network.relay.run(watching, check=False).stdout:
        pass


def _measured(one: Rig, manager: socket.socket) -> Found:
    start_among_news = _started(one, manager)
    _wait_for_the_kernel(one)
    start = middle([_started(one, manager) for _ in range(_STARTS)])
    one.rest()
    resident, ip = one.memory("VmRSS"), one.network.relay.ip
    frames = one.request_file("links", requests(macs(_CLIENTS), _CLIENTS, random.Random(1)))
    before = one.cpu_seconds()
    for at in range(_CHANGES):
        _change(one, at, 1, 2)
    one.rest()
    change_cpu = (one.cpu_seconds() - before) / _CHANGES

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(one.requests, frames, _RATE, _RATE * _SECONDS)
        followed = []
        for at in range(_CHANGES):
            followed.append(_change(one, at, 2, 1))
            time.sleep(_SECONDS / _CHANGES / 2)
        asked.result()
    dark = [_dark(one, frames) for _ in range(_DARK_TURNS)]

    ip("link add foreign0 type veth peer name foreign1", "link set foreign1 up")
    before, begun = one.cpu_seconds(), time.monotonic()
    for at in range(_FLAPS):
        ip(f"link set foreign0 {'down' if at % 2 else 'up'}")
        time.sleep(max(0.0, begun + (at + 1) / _FLAPS_A_SECOND - time.monotonic()))
    share = (one.cpu_seconds() - before) / (time.monotonic() - begun)
    with _in_place(one, Floor(one.network)):
        dark_floor = [_dark(one, frames) for _ in range(_DARK_TURNS)]
    return Found(start, start_among_news, resident, followed, change_cpu, dark, dark_floor, share)


def _dark(one: Rig, frames: Path) -> Run:
    """Take interfaces down and up while requests of others flow."""
    ip = one.network.relay.ip
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(one.requests, frames, _RATE, _RATE * _SECONDS)
        ip(*(f"link set client{at} down" for at in range(100, 100 + _DARK)))
        time.sleep(1)
        ip(*(f"link set client{at} up" for at in range(100, 100 + _DARK)))
        run = asked.result()
    _wait_for_the_kernel(one)
    one.rest()
    return run


@contextmanager
def _in_place(one: Rig, other: RelayAgent) -> Iterator[None]:
    """Have another relay in the place of the one that is measured."""
    own, one.agent = one.agent, other
    own.stop()
    try:
        one.start()
        yield
    finally:
        other.stop()
        one.agent = own


def _change(one: Rig, at: int, old: int, new: int) -> float:
    """Give an interface another address; return the seconds until the daemon says that it knows."""
    subnet = f"10.100.{at}"
    wanted = f"interface client{at} active, giaddr {subnet}.{new}\n"
    before = one.agent.log.count(wanted)
    one.network.relay.ip(
        f"address del {subnet}.{old}/24 dev client{at}", f"address add {subnet}.{new}/24 dev client{at}"
    )
    begun = time.monotonic()
    while one.agent.log.count(wanted) == before:
        if time.monotonic() - begun > _PATIENCE:
            raise LabError(f"client{at} has another address, and the daemon does not know")
        time.sleep(0.001)
    return time.monotonic() - begun
