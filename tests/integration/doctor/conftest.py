"""The command on the relay host of a network, and servers that answer oddly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.odd import OddServer
from tests.lab.topology import Network
from tests.lab.topology6 import CLIENT_VLANS6, Network6, Radvd

Start = Callable[..., Daemon]

CONFIG = """\
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
"""
ODD = """\
servers: {odd: 10.20.0.20}
default: odd
interfaces:
  vlan10: {}
"""
PXE = bytes((60, 9)) + b"PXEClient"


@pytest.fixture(scope="module", autouse=True)
def stage(network: Network) -> Iterator[None]:
    for server in network.servers:
        server.start()
    yield
    for server in network.servers:
        server.stop()


@pytest.fixture(scope="module")
def servers6(network6: Network6) -> Iterator[None]:
    """Have both IPv6 servers run."""
    with ExitStack() as stack:
        for server in network6.servers:
            server.start()
            stack.callback(server.stop)
        yield


@pytest.fixture
def advertised(network: Network) -> Iterator[None]:
    """Have the relay host be the router that advertises itself, so that clients ask by DHCPv6."""
    radvd = Radvd(network.relay, dict(CLIENT_VLANS6))
    radvd.start()
    yield
    radvd.stop()


class Doctor:
    """Runs the command on the relay host, for a daemon that runs or for a configuration alone."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.config = folder / "doctor.yml"
        self.socket = folder / "nobody.sock"

    def of(self, daemon: Daemon) -> Doctor:
        """Examine the host that a daemon runs on."""
        self.config, self.socket = daemon.config, daemon.socket
        return self

    def run(
        self, *arguments: str, host: Host | None = None, before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the command, on another host if one is given, by way of another command."""
        files = ("--config", str(self.config), "--socket", str(self.socket))
        command = [*before, *PXERELAY, "doctor", *files, *arguments]
        return (host or self.network.relay).run(command, check=False, timeout=60)

    def report(self, *arguments: str, before: Sequence[str] = ()) -> dict[str, Any]:
        """Return what it tells programs; the exit code must go with it."""
        done = self.run("--json", "--seconds", "1", *arguments, before=before)
        assert not done.stderr, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        wrong = any(finding["severity"] != "note" for finding in report["findings"])
        assert done.returncode == wrong
        return report

    def finds(self, *arguments: str, before: Sequence[str] = ()) -> list[tuple[str, str, str]]:
        """Return severity, code and subject of each finding."""
        found = self.report(*arguments, before=before)["findings"]
        return [(one["severity"], one["code"], one["subject"]) for one in found]

    def static(self, config: str, *arguments: str) -> list[tuple[str, str, str]]:
        """Return what is found without a daemon and without asking, but for that there is no daemon."""
        self.config.write_text(config)
        found = self.finds("--no-probe", *arguments)
        assert ("error", "no-daemon", "daemon") in found
        return [one for one in found if one[1] != "no-daemon"]


@pytest.fixture
def doctor(network: Network, tmp_path: Path) -> Doctor:
    return Doctor(network, tmp_path)


@pytest.fixture
def odd(network: Network) -> Iterator[Callable[..., OddServer]]:
    """Be the server altiris, which sleeps meanwhile, in an odd way."""
    network.altiris.stop()
    with ExitStack() as stack:

        def start(answer: Callable[[OddServer, bytes], None], port: int = 67) -> OddServer:
            return stack.enter_context(closing(OddServer(network.altiris.host, answer, port)))

        yield start
    network.altiris.start()


def nothing(self: OddServer, request: bytes) -> None:
    """Be silent."""


@contextmanager
def changed(host: Host, do: Sequence[str], undo: Sequence[str]) -> Iterator[None]:
    host.ip(*do)
    try:
        yield
    finally:
        host.ip(*undo)
