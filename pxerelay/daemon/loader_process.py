"""Starting the process that loads a configuration (`loader_child`): its result is `loader`'s to wait for.

Nothing of the daemon is imported here, so that at a start the child can be at work while that is done.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

_BOOTSTRAP = """\
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
try:
    os.nice(10)
except OSError:
    pass
try:
    with open('/proc/self/oom_score_adj', 'w') as file:
        file.write('1000')
except OSError:
    pass
sys.path[:] = sys.argv[3:]
from pxerelay.daemon import loader_child
loader_child.main(sys.argv[1:3])
"""
"""What the child does.

It finds the same modules as the daemon, and none in the folder it happens to be started in. A SIGHUP
that was sent to the whole service asks for another reload and must not end this one. Packets come first,
also where the daemon has one processor and shares it with this, if the child may be nice. Where memory runs
out the kernel takes this process and leaves the daemon (oom_score_adj, proc(5)).
"""


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What the daemon heeds: to end, which ends the child, and to load again. They are to be blocked while it
can't yet and a child is at work."""


class LoadError(Exception):
    """The child did not do its work: it crashed, was killed or took too long."""


class Loading(NamedTuple):
    """A child at work since a time, in monotonic seconds."""

    process: subprocess.Popen[bytes]
    since: float


def start(path: Path, *, documents: bool) -> Loading:
    """Start a child that loads a file; `documents` asks for the files' texts and places too.

    Raises LoadError if that can't be done.
    """
    arguments = [str(path), "documents" if documents else "bare"]
    since = time.monotonic()
    try:  # not asyncio's: to cancel that while it starts one may wait forever (Python 3.11.7)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, *arguments, *filter(None, sys.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the daemon alone, which ends the child
        )
    except OSError as error:
        raise LoadError(f"the loader can't be started: {error.strerror}") from error
    return Loading(process, since)
