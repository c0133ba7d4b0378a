"""A relay host: a container with systemd, on the network of one of a lab's `relay…` namespaces.

Links and addresses belong to the namespace, so they survive a restart of the container.
"""

import subprocess
import time
from collections.abc import Sequence

from tests.lab.command import CommandError
from tests.lab.image import RELEASE
from tests.lab.image import image as image_of
from tests.lab.network import LabError
from tests.lab.ownership import NAMESPACES
from tests.lab.podman import HOME, named, podman, remove
from tests.lab.topology import RELAY

BOOT_SECONDS = 20.0
CAPABILITIES = "SYS_ADMIN,SYS_NICE,NET_ADMIN,NET_RAW"
"""Beyond podman's own: a unit's sandbox mounts, its `Nice=` is negative, an administrator sets addresses."""

PXERELAY = "/opt/pxerelay/current/bin/pxerelay"
"""The daemon's program, where the role puts it by default."""


class RelayHost:
    """One relay host of a lab, managed by Ansible through `podman exec`."""

    def __init__(self, lab: str, host: str = RELAY) -> None:
        self.name = f"pxr-{lab}-{host}"
        self._hostname = host

    def start(self, release: str = RELEASE, *, image: str | None = None, options: Sequence[str] = ()) -> None:
        """Boot a fresh host of a Debian release, or of an image; returns when systemd has started.

        `options` are further ones of `podman run`.
        """
        self.remove()
        podman(
            *("run", "--detach", "--name", self.name, "--hostname", self._hostname),
            *("--pidfile", str(HOME / f"{self.name}.pid")),  # the connection plugin enters by it
            *("--add-host", f"{self._hostname}:127.0.1.1", "--dns", "none"),
            *("--network", f"ns:{NAMESPACES / self.name}"),
            *(
                "--systemd=always",
                "--cgroupns=private",
                "--cap-add",
                CAPABILITIES,
                *options,
                image or image_of(release),
            ),
        )
        self._wait_until_it_runs()

    def start_again(self) -> None:
        """Boot a host that was killed, with what is on its disk."""
        podman("start", self.name)
        self._wait_until_it_runs()

    def kill(self) -> None:
        """End all that runs on it, at once; its namespace with its links stays."""
        podman("kill", "--signal", "KILL", self.name)

    def _wait_until_it_runs(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            state = self.run("systemctl", "is-system-running", "--wait", check=False)
            if state.returncode == 0:
                return
            time.sleep(0.1)
        failed = self.run("systemctl", "--failed", "--no-pager", check=False)
        raise LabError(f"{self.name} has not booted: {state.stdout}{state.stderr}\n{failed.stdout}")

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the host to its end."""
        return podman("exec", self.name, *argv, check=check)

    def main_pid(self, unit: str) -> int:
        """Tell the process id of a unit's daemon, as the host counts."""
        shown = self.run("systemctl", "show", "--property=MainPID", "--value", unit).stdout.strip()
        if shown in ("", "0"):
            raise CommandError(f"{unit} does not run on {self.name}")
        return int(shown)

    def remove(self) -> None:
        """Remove the host, running or not; its namespace stays."""
        remove([self.name])

    @staticmethod
    def remove_all(lab: str) -> None:
        """Remove every relay host of a lab."""
        remove(named(f"pxr-{lab}-relay"))
