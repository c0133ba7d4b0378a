"""A network in namespaces for each module of tests, and the daemon on its relay host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pxerelay import control
from tests.lab import Lab
from tests.lab.topology import Network

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


PXERELAY = (sys.executable, "-m", "pxerelay")


class Daemon:
    """`pxerelay run` on the relay host of a network."""

    def __init__(
        self,
        network: Network,
        folder: Path,
        config: str,
        *,
        command: Sequence[str] = PXERELAY,
        options: Sequence[str] = ("--debug",),
    ) -> None:
        self.config = folder / "pxerelay.yml"
        self.socket = folder / "control.sock"
        self.log_path = folder / "log"
        self.config.write_text(config)
        files = ("--config", str(self.config), "--socket", str(self.socket))
        with self.log_path.open("w") as log:
            self.process: subprocess.Popen[str] = network.relay.popen(
                [*command, "run", *files, *options], stdout=log, stderr=log
            )
        self.wait_for(lambda: self._answers() or self.process.poll() is not None, 10)

    def _answers(self) -> bool:
        try:
            control.ask(self.socket, "status")
        except control.NoDaemonError:
            return False
        return True

    @property
    def log(self) -> str:
        """What the daemon has said so far."""
        return self.log_path.read_text()

    def status(self) -> dict[str, Any]:
        """Ask the daemon over its control socket."""
        return control.ask(self.socket, "status")

    def reload(self, config: str) -> dict[str, Any]:
        """Exchange the configuration file and have the daemon load it."""
        self.config.write_text(config)
        return control.ask(self.socket, "reload")

    def interface(self, name: str) -> dict[str, Any]:
        """Return what `status` says of a client interface."""
        found: dict[str, Any] = self.status()["interfaces"][name]
        return found

    def wait_for(self, condition: Callable[[], bool], seconds: float = 3.0) -> float:
        """Wait until a condition holds and return the seconds it took; fail with the log if it never does."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > seconds:
                pytest.fail(f"not within {seconds} s; the daemon's log:\n{self.log}")
            time.sleep(0.01)
        return time.monotonic() - start

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the daemon and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=5)


@pytest.fixture(scope="module")
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Build the standard network; its servers are not started."""
    if os.geteuid() != 0:
        pytest.fail("the integration tests make network namespaces: run them as root")
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    with Lab(f"it_{name}_{os.getpid()}") as lab:
        yield Network(lab).build()


@pytest.fixture
def start(network: Network, tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start a daemon with a configuration; it is ended with the test."""
    started: list[Daemon] = []

    def run(config: str = BASE) -> Daemon:
        folder = tmp_path / f"daemon{len(started)}"
        folder.mkdir()
        daemon = Daemon(network, folder, config)
        started.append(daemon)
        return daemon

    yield run
    for daemon in started:
        daemon.stop()
        assert "Traceback" not in daemon.log
