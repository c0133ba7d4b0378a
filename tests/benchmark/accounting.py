"""Runs a command, and prints what it and all that it started cost.

    python -m tests.benchmark.accounting COMMAND ...

Also what went on by itself, as a connection of OpenSSH does that later ones share (ControlPersist): it is
ended, once the command is. Prints one line of JSON at the end, on stderr.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2): orphans below this process become its children, not those of PID 1."""


def main() -> int:
    """Run it."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    start = time.monotonic()
    code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, check=False).returncode
    seconds = time.monotonic() - start
    left = 0
    for number in _children():
        os.kill(number, signal.SIGTERM)
        left += 1
    for _ in range(left):
        os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"seconds": seconds, "processors": used.ru_utime + used.ru_stime}), file=sys.stderr)
    return code


def _children() -> list[int]:
    return [int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


if __name__ == "__main__":
    sys.exit(main())
