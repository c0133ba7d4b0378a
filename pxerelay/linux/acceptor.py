"""Taking connections of a listening socket, one in each turn of the event loop.

`loop.sock_accept` is not used: when it is cancelled in the turn in which a connection comes, asyncio loses
the connection and logs InvalidStateError.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

_RETRY = 1.0
"""Seconds until the next connection is taken after one could not be, for want of descriptors."""


class Acceptor:
    """Gives each connection to `admit`, as a socket that does not block, until it is closed."""

    def __init__(
        self,
        listening: socket.socket,
        admit: Callable[[socket.socket], object],
        failed: Callable[[OSError], object] = lambda _: None,
    ) -> None:
        """Begin; `failed` hears why a connection could not be taken. The socket stays the caller's."""
        self._loop = asyncio.get_running_loop()
        self._listening, self._admit, self._failed = listening, admit, failed
        self._retry: asyncio.TimerHandle | None = None
        self._paused = self._closed = False
        self._loop.add_reader(listening, self._accept)

    def pause(self) -> None:
        """Take nobody for now; the kernel keeps who comes, as many as its backlog holds."""
        self._paused = True
        self._loop.remove_reader(self._listening)

    def resume(self) -> None:
        """Go on, after `pause`."""
        if self._paused and not self._closed:
            self._paused = False
            if self._retry is None:
                self._loop.add_reader(self._listening, self._accept)

    def close(self) -> None:
        """Take nobody any more; no callback comes after this."""
        self._closed = True
        self._loop.remove_reader(self._listening)
        if self._retry is not None:
            self._retry.cancel()

    def _accept(self) -> None:
        try:
            peer, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # who came has gone
        except OSError as error:
            self._failed(error)
            self._loop.remove_reader(self._listening)
            self._retry = self._loop.call_later(_RETRY, self._again)
            return
        peer.setblocking(False)
        self._admit(peer)

    def _again(self) -> None:
        self._retry = None
        if not self._paused:
            self._loop.add_reader(self._listening, self._accept)
