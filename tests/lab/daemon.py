"""`pxerelay run` as a process on the relay host of a network, for tests that look at its log and status."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pxerelay.linux import control_client
from tests.lab.network import Host, LabError
from tests.lab.topology import Network

PXERELAY = (sys.executable, "-m", "pxerelay")

PATIENCE = 20.0
"""Seconds that anything may take where six tests run on two processors."""


class Daemon:
    """`pxerelay run` on the relay host of a network, or on another `host` of it."""

    def __init__(
        self,
        network: Network,
        folder: Path,
        config: str,
        *,
        command: Sequence[str] = PXERELAY,
        options: Sequence[str] = ("--debug",),
        file: str = "pxerelay.yml",
        host: Host | None = None,
    ) -> None:
        self.config = folder / file
        self.config.parent.mkdir(exist_ok=True)
        self.socket = folder / "control_client.sock"
        self.log_path = folder / "log"
        self.config.write_text(config)
        files = ("--config", str(self.config), "--socket", str(self.socket))
        with self.log_path.open("w") as log:
            self.process: subprocess.Popen[str] = (host or network.relay).popen(
                [*command, "run", *files, *options], stdout=log, stderr=log
            )
        self.wait_for(lambda: self._answers() or self.process.poll() is not None, 10)

    def _answers(self) -> bool:
        try:
            control_client.ask(self.socket, "status")
        except control_client.NoDaemonError:
            return False
        return True

    @property
    def log(self) -> str:
        """What the daemon has said so far."""
        return self.log_path.read_text()

    def status(self) -> dict[str, Any]:
        """Ask the daemon over its control socket."""
        return self.ask("status")

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command over its control socket, and return the answer."""
        return control_client.ask(self.socket, command, PATIENCE)

    def reload(self, config: str) -> dict[str, Any]:
        """Exchange the configuration file and have the daemon load it."""
        self.config.write_text(config)
        return self.ask("reload")

    def interface(self, name: str) -> dict[str, Any]:
        """Return what `status` says of a client interface."""
        found: dict[str, Any] = self.status()["interfaces"][name]
        return found

    def states(self) -> dict[str, str]:
        """Return the state of each client interface by its name."""
        return {name: port["state"] for name, port in self.status()["interfaces"].items()}

    def wait_for(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> float:
        """Wait until a condition holds and return the seconds it took; else LabError with the log."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > seconds:
                raise LabError(f"not within {seconds} s; the daemon's log:\n{self.log}")
            time.sleep(0.01)
        return time.monotonic() - start

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the daemon and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=5)
