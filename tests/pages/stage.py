"""A host for the commands of a page: its own /etc and folder, a network where it has one, and a daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.lab import Lab
from tests.lab.command import REPOSITORY
from tests.lab.network import LabError
from tests.lab.topology import Network

UNIT = REPOSITORY / "tests/lab/unit"

SECONDS = 180.0
"""How long a command may take, on a machine that has much else to do."""

MOUNTED = 'mount --bind "$0" /etc && cd "$1" && shift && exec "$@"'
"""Runs a command with an /etc of its own, in a folder."""


class Stage:
    """What the commands of one scene of one page find; `close` ends it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.etc, self.work = folder / "etc", folder / "work"
        self.run_folder, self.state, self._programs = folder / "run", folder / "state", folder / "bin"
        self._log = folder / "log"
        self.network: Network | None = None
        self.with_daemon = False
        """Whether a daemon is started before the first command."""
        self.in_journal = False
        """Whether that is the unit pxerelay, and what it tells is in a journal."""
        self.actions: dict[str, Callable[[], None]] = {}
        """What may happen while a command runs."""
        self._daemon: subprocess.Popen[bytes] | None = None
        self._closing = ExitStack()
        subprocess.run(["cp", "--archive", "/etc", str(self.etc)], check=True)
        for made in (self.etc / "pxerelay", self.work, self.run_folder, self.state, self._programs):
            made.mkdir(exist_ok=True)
        self.program("pxerelay", f'exec {sys.executable} -m pxerelay "$@"')
        self._journal = folder / "journal"
        self.program("journalctl", f'exec /usr/bin/journalctl --directory {self._journal}/journal "$@"')
        self.environment = {
            "HOME": str(self.work),
            "LANG": "C.UTF-8",
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "RUNTIME_DIRECTORY": str(self.run_folder),
            "STATE_DIRECTORY": str(self.state),
            "TZ": "UTC",
        }

    def close(self) -> None:
        """End the daemon and the servers, and remove the network."""
        self._closing.close()

    def build(self) -> Network:
        """Give it the standard network of the lab, with both servers; commands are run on its relay host."""
        lab = self._closing.enter_context(Lab(self.name))
        self.network = Network(lab).build()
        for server in self.network.servers:
            server.start()
            self._closing.callback(server.stop)
        return self.network

    def program(self, name: str, line: str) -> None:
        """Have a command of this name, which is a line of shell."""
        file = self._programs / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)

    def at_end(self, do: Callable[[], object]) -> None:
        """Have something done by `close`, before what was built earlier is ended."""
        self._closing.callback(do)

    def unit(self, name: str, line: str) -> subprocess.Popen[bytes]:
        """Run a command until the end as systemd runs a unit: what it tells is in a journal."""
        if not self._journal.exists():
            self._journal.mkdir()
            self.at_end(self._remove_groups)
        return self._background(f"exec {UNIT} {self.name} {self._journal} {name}.service {line}")

    def _remove_groups(self) -> None:
        """Remove the units' control groups, once the last process has left them."""
        line = self._here(f"{UNIT} {self.name}")
        self._wait(
            lambda: subprocess.run(line, capture_output=True, check=False).returncode == 0, complain=False
        )

    def write(self, path: str, text: str) -> None:
        """Write a file: below /etc, or in the folder in which commands are run."""
        file = self.etc / path.removeprefix("/etc/") if path.startswith("/etc/") else self.work / path
        if path.startswith("/") and not path.startswith("/etc/"):
            raise ValueError(
                f"{path}: a file of a page is below /etc, or is named from the folder it is used in"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def shell(self, line: str) -> None:
        """Do what must have been done before; an error if it fails."""
        done = subprocess.run(
            self._here(line), capture_output=True, text=True, check=False, env=self.environment
        )
        if done.returncode:
            raise LabError(f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")

    def until(self, line: str, fits: Callable[[list[str]], bool]) -> None:
        """Run a command again and again, until what it prints fits; an error after some minutes."""
        self._wait(lambda: fits(self.run(line)))

    def run(self, line: str, over: Callable[[list[str]], bool] | None = None, action: str = "") -> list[str]:
        """Run a command line and return what it printed, both outputs together.

        With an action, that is done once the command has printed something, and the command is interrupted
        as soon as what it printed is `over`; at the latest after some minutes.
        """
        if self.with_daemon and self._daemon is None:
            self._start()
        printed = self.work.with_name("printed")
        with printed.open("w") as file:
            process = subprocess.Popen(
                self._here(line),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        try:
            if action:
                self._wait(lambda: printed.stat().st_size > 0 or process.poll() is not None)
                self.actions[action]()
                assert over is not None
                self._wait(lambda: over(_lines(printed)) or process.poll() is not None, complain=False)
                _signal(process, signal.SIGINT)
            process.wait(SECONDS)
        finally:
            _signal(process, signal.SIGKILL)
            process.wait()
        return _lines(printed)

    def _background(self, line: str) -> subprocess.Popen[bytes]:
        with self._log.open("a") as log:
            process = subprocess.Popen(
                self._here(line),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        self.at_end(lambda: self._stop(process))
        return process

    def _start(self) -> None:
        run = "pxerelay run"
        daemon = self.unit("pxerelay", run) if self.in_journal else self._background(f"exec {run}")
        self._daemon = daemon
        self._wait(lambda: self._answers() or daemon.poll() is not None)
        if daemon.poll() is not None:
            raise LabError(f"the daemon has ended:\n{self._log.read_text()}")

    def _answers(self) -> bool:
        """Whether the daemon has begun: `pxerelay healthy` says well or degraded."""
        words = self._here("exec pxerelay healthy --timeout 20")
        done = subprocess.run(words, capture_output=True, check=False, env=self.environment)
        return done.returncode in (0, 1)

    def _stop(self, daemon: subprocess.Popen[bytes]) -> None:
        _signal(daemon, signal.SIGTERM)
        daemon.wait(SECONDS)

    def _here(self, line: str) -> list[str]:
        inside = ["unshare", "--mount", "sh", "-c", MOUNTED, str(self.etc), str(self.work), "sh", "-c", line]
        if self.network is None:
            return inside
        return ["ip", "netns", "exec", self.network.relay.namespace, *inside]

    def _wait(self, condition: Callable[[], bool], *, complain: bool = True) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > deadline:
                if complain:
                    raise LabError("waited for some minutes in vain")
                return
            time.sleep(0.1)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()
