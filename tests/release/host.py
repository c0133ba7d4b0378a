"""A host that never saw pxerelay: a container with systemd, and a network of its own that leads nowhere."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.network import LabError
from tests.lab.podman import podman, remove
from tests.lab.relayhost import BOOT_SECONDS, CAPABILITIES


class Host:
    """A running container."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *words: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; CommandError if it fails."""
        return podman("exec", self.name, *words, check=check, timeout=timeout)

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or folder to the host."""
        podman("cp", str(source), f"{self.name}:{target}")

    def files(self, *left_out: str) -> set[str]:
        """Return the paths of all files and folders, but for those below some folders."""
        prune = [word for path in left_out for word in ("-path", path, "-prune", "-o")]
        return set(self.run("find", "/", "-xdev", *prune, "-print").stdout.splitlines())


@contextmanager
def booted(name: str, image: str, options: Sequence[str] = ()) -> Iterator[Host]:
    """Have a host up; it is removed afterwards, and one of its name that a killed run left, before."""
    remove([name])
    host = Host(name)
    podman(
        *("run", "--detach", "--name", name, "--hostname", "relay", "--network", "none"),
        *("--systemd=always", "--cgroupns=private", "--cap-add", CAPABILITIES, *options, image),
    )
    try:
        deadline = time.monotonic() + BOOT_SECONDS
        while host.run("systemctl", "is-system-running", "--wait", check=False).returncode:
            if time.monotonic() > deadline:
                raise LabError(host.run("systemctl", "--failed", "--no-pager", check=False).stdout)
            time.sleep(0.2)
        yield host
    finally:
        remove([name])
