"""A network in namespaces for each module of tests, and the daemon on its relay host."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.lab import Host, Lab
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network
from tests.lab.topology6 import Network6
from tests.lab.wire import FakeServer, Station
from tests.lab.wire6 import FakeServer6, Station6, settled

BASE = """\
max_requests: 0
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
rules:
  "02:00:00:10:00:01": altiris
  "02:80:64": altiris
  "52:54:00:12:3?:*": altiris
  "02:00:00:de:ad:01": drop
"""

BASE6 = BASE.replace("max_requests: 0\n", "max_requests: 0\ndhcpv6: true\n").replace(
    "servers: {ris: 10.20.0.10, altiris: 10.20.0.20}",
    'servers: {ris: [10.20.0.10, "2001:db8:20::10"], altiris: [10.20.0.20, "2001:db8:20::20"]}',
)
"""The same, with IPv6 addresses of the servers."""


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_ends_commands() -> None:
    """Let what tests start be ended by SIGINT, also where a shell began them in the background without it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Build the standard network; its servers are not started."""
    if os.geteuid() != 0:
        pytest.fail("the integration tests make network namespaces: run them as root")
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    with Lab(f"it_{name}_{os.getpid()}") as lab:
        yield Network(lab).build()


@pytest.fixture(scope="module")
def network6(network: Network) -> Network6:
    """Add IPv6 to the standard network; its servers are not started."""
    built = Network6(network).build()
    for interface in ("vlan10", "vlan20", "core"):
        settled(network.relay, interface)
    return built


@pytest.fixture(scope="module")
def client(network: Network) -> Host:
    """Add a client to vlan10 that does what a test tells it."""
    return network.add_client("probe", "02:00:00:00:00:01")


@pytest.fixture
def station(client: Host) -> Iterator[Station]:
    """Open the client's interface."""
    with closing(Station(client)) as station:
        yield station


@pytest.fixture
def server(network: Network) -> Iterator[FakeServer]:
    """Be the server `ris`."""
    with closing(FakeServer(network.ris.host)) as server:
        yield server


@pytest.fixture
def station6(network6: Network6, client: Host) -> Iterator[Station6]:
    """Open the client's interface, for what is over IPv6."""
    assert network6
    settled(client)
    with closing(Station6(client)) as station:
        yield station


@pytest.fixture
def server6(network6: Network6) -> Iterator[FakeServer6]:
    """Be the DHCPv6 server `ris`."""
    with closing(FakeServer6(network6.ris.host)) as server:
        yield server


@pytest.fixture
def start(network: Network, tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start a daemon with a configuration; it is ended with the test."""
    started: list[Daemon] = []

    def run(
        config: str = BASE,
        *,
        command: Sequence[str] = PXERELAY,
        options: Sequence[str] = ("--debug",),
        file: str = "pxerelay.yml",
    ) -> Daemon:
        folder = tmp_path / f"daemon{len(started)}"
        folder.mkdir()
        daemon = Daemon(network, folder, config, command=command, options=options, file=file)
        started.append(daemon)
        return daemon

    yield run
    for daemon in started:
        daemon.stop()
        assert "Traceback" not in daemon.log
