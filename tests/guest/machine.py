"""The guest: Debian's user-mode-linux, a kernel that runs as a process, on this machine's own files.

It is kept from harming the machine. The guest mounts this machine's files read-only, and for the process that
it is, the root file system is so too; it has namespaces of its own for network, mounts and processes, so it
reaches no network, what it writes is in memory, and all of it ends when this process does, however that ends.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.lab.command import END_SECONDS, REPOSITORY
from tests.lab.debian import program

INIT = Path(__file__).with_name("init")
MEMORY = 512
"""MiB; what is not used is not taken."""

SECONDS = 240.0
"""Until a guest that does not end is ended: many times what it needs on a busy machine."""

FIRST, LAST = "guest: Linux", "guest: ended with "

_CONTAIN = """
mount -o remount,bind,ro /
mount -t tmpfs tmp /dev/shm
TMPDIR=/dev/shm "$@"
exit $?
"""
"""The shell stays the first process: as that, a kernel in panic could not end itself (pid_namespaces(7))."""


def run(arguments: Sequence[str]) -> int | None:
    """Boot, run pytest with these arguments, and return its exit code; None if the guest did not get there.

    What pytest prints is printed line by line, what the kernel says before that only if pytest never starts.
    """
    kernel = program("user-mode-linux", "usr/bin/linux.uml")
    command = ["setpriv", "--pdeathsig", "KILL"]
    command += ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    command += ["sh", "-euc", _CONTAIN, "sh"]
    command += [str(kernel), f"mem={MEMORY}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"]
    command += ["quiet", "uml_dir=/dev/shm", "con=null", "con0=null,fd:1", f"init={INIT}"]
    command.append(_environment("PYTEST_ADDOPTS", shlex.join(arguments)))
    guest = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    limit = threading.Timer(SECONDS, guest.kill)
    limit.start()
    try:
        return _follow(guest)
    finally:
        limit.cancel()
        guest.kill()
        guest.wait()


def _follow(guest: subprocess.Popen[str]) -> int | None:
    booting: list[str] | None = []
    assert guest.stdout is not None
    for raw in guest.stdout:
        line = raw.rstrip("\r\n")
        if line.startswith(FIRST):
            booting = None
        if line.startswith(LAST) and booting is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                guest.wait(END_SECONDS)
            return int(line.removeprefix(LAST))
        if booting is None:
            print(line, flush=True)
        else:
            booting.append(line)
    for line in booting or ():
        print(line, flush=True)
    return None


def _environment(name: str, value: str) -> str:
    """Write a variable so that the kernel's command line holds it; that knows only `"`, and init gets it."""
    if '"' in value:
        raise ValueError(f"the guest can't be given a double quotation mark: {value}")
    return f'"{name}={value}"'
