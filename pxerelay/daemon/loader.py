"""Loading in a process of its own, so that neither its time nor its memory nor its end is the daemon's.

The child is a Python with this module, `python -I -c ... PATH`. It writes to its standard output the
version of the program on a line, and then one pickle: a Loaded, or the findings of a configuration that
has faults. Only the daemon reads that, and only from the child that it started itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pxerelay import __version__
from pxerelay.config.findings import ConfigError
from pxerelay.config.load import Loaded, load

LIMIT = 30.0
"""Seconds that loading may take; a million rules take half of that on a small machine that is busy."""

_REAPING = 1.0
"""Seconds that a child which was killed may take to end; one that waits for a dead disk takes longer."""

_EVERY = 0.01
"""Seconds from one look at it to the next."""

_TOLD = 2000
"""Octets of what a child that crashed said, the last ones, that are told."""

_BOOTSTRAP = """\
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
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
from pxerelay.daemon import loader
loader.main(sys.argv[1:3])
"""
"""What the child does.

It finds the same modules as the daemon, and none in the folder it happens to be started in. A SIGHUP
that was sent to the whole service asks for another reload and must not end this one. Packets come first,
also where the daemon has one processor and shares it with this, if the child may be nice. Where memory runs
out the kernel takes this process and leaves the daemon (oom_score_adj, proc(5)).
"""


class LoadError(Exception):
    """The child did not do its work: it crashed, was killed or took too long."""


async def load_apart(path: Path, *, documents: bool) -> Loaded:
    """Load a configuration in a child process; `documents` asks for the files' texts and places too.

    Raises ConfigError as `load` does, LoadError or OSError if it could not be done. Cancelling this
    ends the child.
    """
    process = _started([str(path), "documents" if documents else "bare"])
    try:
        out, said, code = await asyncio.wait_for(_outcome(process), LIMIT)
    except asyncio.TimeoutError:
        raise LoadError(f"loading took longer than {LIMIT:.0f} s, and was given up") from None
    finally:
        process.kill()
        with contextlib.suppress(asyncio.TimeoutError):  # whoever starts the next child reaps this one
            await asyncio.wait_for(_end(process), _REAPING)
    if code != 0:
        raise LoadError(f"the loader failed ({_end_of(code)}){_last_line(said)}")
    version, _, pickled = out.partition(b"\n")
    if version.decode("utf-8", "replace") != __version__:
        raise LoadError(f"this is pxerelay {__version__} and the loader is another; restart the service")
    result = _unpickled(pickled)
    if isinstance(result, Loaded):
        return result
    raise ConfigError(result)


def _started(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    # Not asyncio's subprocess: to cancel that while it starts one may wait forever (Python 3.11.7).
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOTSTRAP, *arguments, *filter(None, sys.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the daemon alone, which ends the child
        )
    except OSError as error:
        raise LoadError(f"the loader can't be started: {error.strerror}") from error


async def _outcome(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, int]:
    """Return what a child wrote to its two streams, and its exit code."""
    out, said = await asyncio.gather(_all_of(process.stdout), _all_of(process.stderr))
    return out, said, await _end(process)


async def _end(process: subprocess.Popen[bytes]) -> int:
    """Wait for a child's end, and let everything else go on meanwhile."""
    while (code := process.poll()) is None:
        await asyncio.sleep(_EVERY)
    return code


async def _all_of(stream: IO[bytes] | None) -> bytes:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stream)
    try:
        return await reader.read()
    finally:
        transport.close()


def main(arguments: list[str]) -> None:
    """Be the child: load, write the result, end."""
    path, wanted = arguments
    result: Any
    try:
        loaded = load(Path(path))
        result = loaded if wanted == "documents" else replace(loaded, documents=())
    except ConfigError as error:
        result = error.findings
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(__version__.encode() + b"\n")
        pickle.dump(result, out, pickle.HIGHEST_PROTOCOL)
    os._exit(0)  # with the table's memory as it is: freeing it piece by piece takes time for nothing


def _unpickled(octets: bytes) -> Any:
    """Unpickle without the garbage collector, which would go through all rules again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return pickle.loads(octets)  # noqa: S301  # our own child wrote it
    finally:
        if enabled:
            gc.enable()


def _end_of(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"exit {code}"


def _last_line(said: bytes) -> str:
    lines = said[-_TOLD:].decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
