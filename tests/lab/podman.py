"""Podman with its state in this repository's cache, apart from any other podman of the machine."""

import hashlib
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab.command import CACHE, REPOSITORY, run

HOME = CACHE / "podman"
COMMAND = HOME / "podman"
"""A wrapper with the right environment, for people and for the Ansible connection plugin."""

# What must not outlive a reboot lies under /run; two checkouts do not meet there.
RUNTIME = Path("/run") / f"pxerelay-lab-{hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:8]}"

STORAGE_CONF = f"""\
[storage]
driver = "overlay"
graphroot = "{HOME}/storage"
runroot = "{RUNTIME}/containers"
"""
CONTAINERS_CONF = f"""\
[containers]
base_hosts_file = "none"
cgroupns = "private"
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
tmp_dir = "{RUNTIME}/engine"
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""
WRAPPER = f"""\
#!/bin/sh
export CONTAINERS_STORAGE_CONF={shlex.quote(str(HOME / "storage.conf"))}
export CONTAINERS_CONF={shlex.quote(str(HOME / "containers.conf"))}
exec podman "$@"
"""


def prepare() -> None:
    """Write podman's configuration and the wrapper."""
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "storage.conf").write_text(STORAGE_CONF)
    (HOME / "containers.conf").write_text(CONTAINERS_CONF)
    COMMAND.write_text(WRAPPER)
    COMMAND.chmod(0o755)


def podman(*argv: str, check: bool = True, timeout: float | None = 120) -> subprocess.CompletedProcess[str]:
    """Run one podman command to its end."""
    return run([str(COMMAND), *argv], check=check, timeout=timeout)


def named(start: str) -> list[str]:
    """Return the names of containers, running or not, that begin so."""
    prepare()
    return podman("ps", "--all", "--filter", f"name=^{start}", "--format", "{{.Names}}").stdout.split()


def remove(names: Sequence[str]) -> None:
    """Remove containers, running or not; no error if there are none."""
    prepare()
    if names:
        podman("rm", "--force", "--ignore", "--volumes", "--time", "3", *names)
