"""BIRD on a host of the lab, out of Debian's package."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.lab import Host, debian
from tests.lab.command import run

WAIT = 60.0
"""Seconds in which it ends."""


class Bird:
    """BIRD with a configuration."""

    def __init__(self, host: Host, folder: Path, config: str) -> None:
        folder.mkdir()
        (folder / "bird.conf").write_text(config)
        self.socket, self.log = folder / "bird.ctl", folder / "log"
        command = debian.program_with_libraries("bird2", "usr/sbin/bird")
        files = ("-c", folder / "bird.conf", "-s", self.socket, "-P", folder / "bird.pid")
        with self.log.open("w") as log:
            self.process = host.popen([*command, "-f", *map(str, files)], stdout=log, stderr=log)

    def ask(self, question: str) -> str:
        """Return what its client says."""
        client = debian.program("bird2", "usr/sbin/birdcl")
        return run([str(client), "-s", str(self.socket), question], check=False).stdout

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it."""
        self.process.send_signal(number)
        self.process.wait(timeout=WAIT)
