"""When sockets are read: at once, or two milliseconds later if many datagrams are coming.

A datagram that comes alone is relayed at once. When many come together, the next ones gather for
two milliseconds, so that one round through the kernel and the event loop serves all of them. If more were
waiting than one read could take, the socket is read again at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple

from pxerelay.linux.burst_meter import BurstMeter

_PAUSE = 0.002
"""Seconds; firmware waits four seconds for an answer (PXE 2.1, 2.2.3)."""

_CROWD = 16
"""Datagrams within `_PAUSE` from which on the next ones gather: 8000 a second."""


class Taken(NamedTuple):
    """How many datagrams were taken from a socket, and whether more of them were waiting."""

    datagrams: int
    more: bool = False


Readable = Callable[[socket.socket], Taken]
"""Reads what is waiting at a socket."""


class Listener:
    """Has a socket read whenever there is something to read, from now on until `close`."""

    def __init__(self, sock: socket.socket, readable: Readable) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._readable = readable
        self._pace = BurstMeter(_PAUSE, _CROWD)
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock, self._read)

    def close(self) -> None:
        """Stop reading; the socket stays open."""
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._socket)

    def _read(self) -> None:
        crowd, pause = False, _PAUSE
        try:
            taken = self._readable(self._socket)
            crowd = self._pace.busy(taken.datagrams, self._loop.time())
            pause = 0.0 if taken.more else _PAUSE
        finally:  # whatever happened, the next datagrams are read
            if crowd and not self._pause:
                self._loop.remove_reader(self._socket)
            elif self._pause and not crowd:
                self._loop.add_reader(self._socket, self._read)
            self._pause = self._loop.call_later(pause, self._read) if crowd else None
