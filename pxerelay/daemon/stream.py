"""Lines to a peer of the control socket until it hangs up.

`put` never waits: lines that a slow peer does not read in time are lost, and a line tells it how many.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from pxerelay.linux.tasks import end

_LINES = 256
"""Lines that wait for a peer, besides what the kernel holds; a line is rarely more than 1 KB."""

_BUFFER = 16384
"""Octets that asyncio holds besides."""


class Stream:
    """Lines for one peer. `closed` is called when it has hung up, or we have."""

    def __init__(self) -> None:
        self.closed: Callable[[], None] = lambda: None
        self._lines: deque[Mapping[str, Any]] = deque()
        self._lost = self._never_made = 0
        self._ready = asyncio.Event()

    def put(self, line: Mapping[str, Any]) -> None:
        """Add a line, or count it as lost."""
        if self._lost or len(self._lines) >= _LINES:
            self._lost += 1  # and what follows too, until it has taken all that waits
        else:
            self._lines.append(line)
        self._ready.set()

    def lose(self, count: int) -> None:
        """Count lines that were never made as lost."""
        self._never_made += count
        self._ready.set()

    async def next(self) -> bytes:
        """Return the next line, in the place of lost ones one that says how many."""
        while not (self._lines or self._lost or self._never_made):
            self._ready.clear()
            await self._ready.wait()
        line: Mapping[str, Any]
        if self._lines:
            line = self._lines.popleft()
        else:
            line = {"event": "lost", "lines": self._lost + self._never_made}
            self._lost = self._never_made = 0
        return json.dumps(line).encode() + b"\n"


async def follow(stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send what is put into a stream until the peer hangs up or this is cancelled; who calls ends both."""
    loop = asyncio.get_running_loop()
    writer.transport.set_write_buffer_limits(high=_BUFFER)
    tasks = loop.create_task(_send(stream, writer)), loop.create_task(_hung_up(reader))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(tasks)


async def _send(stream: Stream, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            writer.write(await stream.next())
            await writer.drain()


async def _hung_up(reader: asyncio.StreamReader) -> None:
    """Return when the peer has hung up; what else it says is for nobody."""
    with contextlib.suppress(OSError):
        while await reader.read(1024):
            pass
