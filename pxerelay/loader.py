"""Loading in a process of its own, so that neither its time nor its memory nor its end is the daemon's.

The child is a Python with this module, `python -I -c ... PATH`. It writes one pickle to its standard
output: a Loaded, or the findings of a configuration that has faults. Only the daemon reads that, and
only from the child that it started itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from pxerelay.findings import ConfigError
from pxerelay.load import Loaded, load

LIMIT = 600.0
"""Seconds that loading may take, a hundred times what the largest mappings need."""

_TOLD = 2000
"""Octets of what a child that crashed said, the last ones, that are told."""

_BOOTSTRAP = "import sys; sys.path[:] = sys.argv[3:]; from pxerelay import loader; loader.main(sys.argv[1:3])"
"""The child finds the same modules as the daemon, and none in the folder it happens to be started in."""


class LoadError(Exception):
    """The child did not do its work: it crashed, was killed or took too long."""


async def load_apart(path: Path, *, documents: bool) -> Loaded:
    """Load a configuration in a child process; `documents` asks for the files' texts and places too.

    Raises ConfigError as `load` does, LoadError or OSError if it could not be done. Cancelling this
    ends the child.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _BOOTSTRAP),
        *(str(path), "documents" if documents else "bare", *filter(None, sys.path)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, said = await asyncio.wait_for(process.communicate(), LIMIT)
    except asyncio.TimeoutError:
        raise LoadError(f"loading took longer than {LIMIT:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise LoadError(f"the loader failed ({_end_of(process.returncode)}){_last_line(said)}")
    result = _unpickled(out)
    if isinstance(result, Loaded):
        return result
    raise ConfigError(result)


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


def _end_of(code: int | None) -> str:
    return f"ended by signal {-code}" if code and code < 0 else f"exit {code}"


def _last_line(said: bytes) -> str:
    lines = said[-_TOLD:].decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
