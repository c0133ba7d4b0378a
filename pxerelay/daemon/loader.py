"""Loading in a process of its own, so that neither its time nor its memory nor its end is the daemon's.

Only the daemon reads what the child says (`loader_child`), and only from the one that it started itself.
"""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import Sequence
from typing import IO, Any

from pxerelay import __version__
from pxerelay.config.findings import ConfigError
from pxerelay.config.loaded import Loaded
from pxerelay.daemon.loader_process import LoadError, Loading

LIMIT = 600.0
"""Seconds that loading may take, a hundred times what the largest mappings need."""

_TOLD = 2000
"""Octets of what a child that crashed said, the last ones, that are told."""


async def loaded(loading: Loading) -> Loaded:
    """Return the configuration that a child loads.

    Raises ConfigError as `load` does, LoadError or OSError if it could not be done. Cancelling this
    ends the child.
    """
    with loading.process as process:
        try:
            out, said = await asyncio.wait_for(_outputs(loading), LIMIT)
            code = process.wait()  # both streams have ended, and so has the child
        except asyncio.TimeoutError:
            raise LoadError(f"loading took longer than {LIMIT:.0f} s") from None
        finally:
            process.kill()
    if code != 0:
        raise LoadError(f"the loader failed ({_end_of(code)}){_last_line(said)}")
    version, _, pickled = out.partition(b"\n")
    if version.decode("utf-8", "replace") != __version__:
        raise LoadError(f"this is pxerelay {__version__} and the loader is another; restart the service")
    result = _unpickled(pickled)
    if isinstance(result, Loaded):
        return result
    raise ConfigError(result)


async def _outputs(loading: Loading) -> Sequence[bytes]:
    return await asyncio.gather(_all_of(loading.process.stdout), _all_of(loading.process.stderr))


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
