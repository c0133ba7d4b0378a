"""Loading in a process of its own, so that neither its time nor its memory nor its end is the daemon's.

Only the daemon reads what the child says (`loader_child`), and only from the one that it started itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import subprocess
from typing import IO, Any

from pxerelay import __version__
from pxerelay.config.findings import ConfigError
from pxerelay.config.loaded import Loaded
from pxerelay.daemon.loader_process import LoadError, Loading
from pxerelay.linux import memory

LIMIT = 30.0
"""Seconds that loading may take; a million rules take half of that on a small machine that is busy."""

_REAPING = 1.0
"""Seconds that a child which was killed may take to end; one that waits for a dead disk takes longer."""

_EVERY = 0.01
"""Seconds from one look at it to the next."""

_TOLD = 2000
"""Octets of what a child that crashed said, the last ones, that are told."""


async def loaded(loading: Loading) -> Loaded:
    """Return the configuration that a child loads.

    Raises ConfigError as `load` does, LoadError or OSError if it could not be done. Cancelling this
    ends the child.
    """
    process = loading.process
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


def _unpickled(octets: bytes) -> Any:
    """Unpickle without the garbage collector, which would go through all rules again and again."""
    with memory.no_rounds():
        return pickle.loads(octets)  # noqa: S301  # our own child wrote it


def _end_of(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"exit {code}"


def _last_line(said: bytes) -> str:
    lines = said[-_TOLD:].decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
