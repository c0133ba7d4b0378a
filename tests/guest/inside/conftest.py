"""The integration tests' network, and one daemon for each module of tests: starting one is slow in here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import network
from tests.lab import DhcpServer
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer

__all__ = ["network"]


@pytest.fixture(scope="module")
def daemon(
    request: pytest.FixtureRequest, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """Start a daemon with the module's CONFIG, and the capabilities that the role's unit gives it."""
    bare = ("setpriv", "--bounding-set=-all,+net_raw,+net_bind_service", "--no-new-privs", *PXERELAY)
    daemon = Daemon(network, tmp_path_factory.mktemp("daemon"), request.module.CONFIG, command=bare)
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


class Relay:
    """The module's daemon as one test sees it: what it says and counts from now on."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._said = len(daemon.log)
        self._before = daemon.status()["counters"]

    @property
    def log(self) -> str:
        """What it has said."""
        return self.daemon.log[self._said :]

    def must_say(self, text: str) -> None:
        """Fail unless it has said this or says it soon: the log may come a moment after the packets."""
        self.daemon.wait_for(lambda: text in self.log)

    @property
    def requests(self) -> int:
        """How many requests it has relayed."""
        return int(self.daemon.status()["counters"]["requests"]) - int(self._before["requests"])

    @property
    def dropped(self) -> dict[str, int]:
        """What it has dropped, by reason; those that were not met are left out."""
        now: dict[str, int] = self.daemon.status()["counters"]["dropped"]
        return {
            reason: count - self._before["dropped"][reason]
            for reason, count in now.items()
            if count != self._before["dropped"][reason]
        }

    def configure(self, config: str) -> None:
        """Give it another configuration, until the test ends."""
        assert "error" not in self.daemon.reload(config)


@pytest.fixture
def relay(request: pytest.FixtureRequest, daemon: Daemon) -> Iterator[Relay]:
    relay = Relay(daemon)
    yield relay
    if daemon.config.read_text() != request.module.CONFIG:
        relay.configure(request.module.CONFIG)


@pytest.fixture
def ris(network: Network) -> Iterator[FakeServer]:
    with closing(FakeServer(network.ris.host)) as server:
        yield server


@pytest.fixture
def altiris(network: Network) -> Iterator[FakeServer]:
    with closing(FakeServer(network.altiris.host)) as server:
        yield server


@contextmanager
def running(server: DhcpServer) -> Iterator[None]:
    """Have a real server serve for the block."""
    server.start()
    try:
        yield
    finally:
        server.stop()


def sockets_on_port_67(daemon: Daemon) -> int:
    """Count the UDP sockets on port 67 in the daemon's network namespace."""
    lines = Path(f"/proc/{daemon.process.pid}/net/udp").read_text().splitlines()
    return sum(" 00000000:0043 " in line for line in lines)
