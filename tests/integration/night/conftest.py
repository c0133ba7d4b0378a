"""The relay host at night: two servers that serve, a daemon as the role runs it, and clients that ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import BASE
from tests.lab import Dnsmasq
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.steady import Steady
from tests.lab.topology import ALTIRIS, Network

BARE = ("setpriv", "--bounding-set=-all,+net_raw,+net_bind_service", "--no-new-privs", *PXERELAY)
"""The daemon with the capabilities that the role's unit gives it: root, but file modes bind it."""

FOR_RIS, FOR_ALTIRIS = "02:00:00:aa:00", "02:80:64:aa:00"
"""Prefixes of clients whose server on vlan10 is one or the other; on vlan20 it is altiris for both."""

_KIB = 1024
_GROWTH = 8 << 20
"""Octets that a night may add to the daemon's memory: what it learns about clients, and no leak."""

_SETTLE = 10.0
"""Seconds until what a night opened is closed again; peers of the control socket have five."""


@dataclass(frozen=True)
class Servers:
    """Both servers of the network, by dnsmasq: it hears its port, not the wire, and so copes with crowds."""

    ris: Dnsmasq
    altiris: Dnsmasq


@pytest.fixture(scope="module")
def servers(network: Network) -> Iterator[Servers]:
    """Have both servers serve."""
    found = Servers(
        *(
            Dnsmasq(one.host, address=one.address, pools=one.pools, bootfile=one.bootfile)
            for one in network.servers
        )
    )
    for server in (found.ris, found.altiris):
        server.start()
    yield found
    for server in (found.ris, found.altiris):
        server.stop()


@pytest.fixture(scope="module", autouse=True)
def clients(network: Network, servers: Servers) -> None:  # noqa: ARG001  # they have somebody to ask
    """Add a host to each VLAN whose clients ask all night."""
    for vlan in ("vlan10", "vlan20"):
        network.add_client(vlan, f"02:00:00:00:00:{vlan[4:]}", vlan)


@pytest.fixture
def relay(start: Callable[..., Daemon]) -> Callable[..., Daemon]:
    """Start a daemon as the role runs it."""

    def run(
        config: str = BASE,
        *,
        command: Sequence[str] = BARE,
        options: Sequence[str] = (),
        file: str = "pxerelay.yml",
    ) -> Daemon:
        return start(config, command=command, options=options, file=file)

    return run


_ASKED = 10
"""Questions that a client asks at least while something goes wrong."""


class Others:
    """Who must not notice: clients of altiris on both VLANs."""

    def __init__(self, asking: Mapping[str, Steady]) -> None:
        self._asking = asking

    def must_not_have_noticed(self, slowest: float = 1.5) -> None:
        """Fail if an answer was lost, came late (seconds), or from the wrong server."""
        for vlan, asking in self._asking.items():
            assert asking.sent >= _ASKED, "they did ask"
            assert (vlan, asking.lost) == (vlan, 0)
            assert asking.answered_by == {ALTIRIS}
            assert asking.slowest < slowest, f"{vlan}: an answer took {asking.slowest:.2f} s"


@contextmanager
def others(network: Network, *vlans: str) -> Iterator[Others]:
    """Have clients of altiris ask during the block, on both VLANs or on those named."""
    asking = {
        vlan: Steady(network.client(vlan), prefix=FOR_ALTIRIS, least=_ASKED)
        for vlan in vlans or ("vlan10", "vlan20")
    }
    with ExitStack() as stack:
        for one in asking.values():
            stack.enter_context(one)
        yield Others(asking)


def ask_once(network: Network, prefix: str = FOR_RIS, vlan: str = "vlan10") -> Steady:
    """Have a client ask once, and return what became of it."""
    with Steady(network.client(vlan), prefix=prefix, clients=1) as asking:
        pass
    return asking


@dataclass(frozen=True)
class Vitals:
    """What of a process must be the same in the morning."""

    pid: int
    sha256: str
    descriptors: int
    memory: int
    threads: int

    @classmethod
    def of(cls, daemon: Daemon) -> Vitals:
        """Look at a daemon."""
        pid = daemon.process.pid
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        return cls(
            pid,
            daemon.status()["config"]["sha256"],
            len(descriptors(daemon)),
            int(status["VmRSS"].split()[0]) * _KIB,
            int(status["Threads"]),
        )


def descriptors(daemon: Daemon) -> set[int]:
    """Return the numbers of the daemon's open files."""
    return {int(entry.name) for entry in Path(f"/proc/{daemon.process.pid}/fd").iterdir()}


@contextmanager
def survives(daemon: Daemon, *, growth: int = _GROWTH) -> Iterator[None]:
    """Fail unless the daemon is the same process after the block, as it was: nothing leaked, nothing lost."""
    before = Vitals.of(daemon)
    yield
    assert daemon.process.poll() is None, "it is still there"
    daemon.wait_for(lambda: Vitals.of(daemon).descriptors <= before.descriptors, _SETTLE)
    daemon.wait_for(lambda: Vitals.of(daemon).threads <= before.threads, _SETTLE)
    after = Vitals.of(daemon)
    assert (after.pid, after.sha256) == (before.pid, before.sha256)
    assert after.memory - before.memory < growth, "what it learned, and no more"
    counters = daemon.status()["counters"]
    assert counters["not_received"] == 0
    assert "Traceback" not in daemon.log


def answer_of(ask: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Have somebody ask who waits, and whose answer comes when there is one."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
    thread.start()
    return thread, answers
