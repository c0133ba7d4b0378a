"""The control socket: how commands talk to the running daemon.

One request a connection: a line of JSON, `{"command": "status"}`, answered by a line of JSON. A command's
arguments stand in the same object. An answer has `error` if the command could not be
carried out. Some commands are answered by a line after another until the peer hangs up (`Stream`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pxerelay.daemon.slots import Slot, Slots
from pxerelay.daemon.stream import Stream, follow
from pxerelay.linux import peers
from pxerelay.linux.acceptor import Acceptor
from pxerelay.linux.localsocket import LocalSocket
from pxerelay.linux.log import LOGGER, Limiter
from pxerelay.linux.tasks import end

Response = dict[str, Any] | list[bytes] | Stream

Handler = Callable[[Mapping[str, Any]], Awaitable[Response]]
"""Carries out a command, given the whole request; returns the answer, or one as JSON, in pieces."""

_PIECE = 16384
"""Octets that are written at once; between two of them packets have their turn."""

_REQUEST_LIMIT = 4096
"""Octets of a request; longer ones are refused."""

_PEER_TIMEOUT = 5.0
"""Seconds a peer may take to say what it wants, and again to take its answer."""

_PEERS, _PEERS_EACH = 64, 16
"""Peers that are served at a time, and those of one user."""


class ControlServer:
    """Answers at a path, for the owner and the group, until it is closed."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        """Listen; TakenError if another daemon does so there, OSError if it can't be done."""
        self._path = path
        self._handlers = handlers
        self._slots = Slots(_PEERS, _PEERS_EACH)
        self._limiter = Limiter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._listen()

    def _listen(self) -> None:
        self._local = LocalSocket(self._path, folder=True)
        self._acceptor = Acceptor(self._local.socket, self._admit, self._not_taken)

    def renew(self) -> bool:
        """Make the socket again if somebody has removed it; whether that was so.

        Raises as the constructor does; nobody is hung up on.
        """
        if self._local.is_there:
            return False
        before, accepting = self._local, self._acceptor
        self._listen()
        accepting.close()
        before.close()
        return True

    async def close(self) -> None:
        """Stop, hang up on everybody, and remove the socket if it is still ours."""
        self._local.unlink()
        self._acceptor.close()
        await end(self._tasks)
        self._local.close()

    def _not_taken(self, error: OSError) -> None:
        if self._limiter.allow(error.errno, asyncio.get_running_loop().time()) is not None:
            LOGGER.warning("could not take a connection to the control socket: %s", error.strerror)

    def _admit(self, peer: socket.socket) -> None:
        """Serve a peer, if there is a slot for it; else tell it so."""
        slot = self._slots.take(peers.user(peer))
        if slot is None:
            with contextlib.suppress(OSError):
                peer.send(_BUSY)
            peer.close()
            return

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._slots.give_back(slot)
            if task.cancelled():  # perhaps before it began
                peer.close()
            self._leaving.discard(task)
            if not self._leaving:
                self._acceptor.resume()

        def leave() -> None:
            task.cancel()
            self._leaving.add(task)
            self._acceptor.pause()  # the next one is taken when its descriptor is free again

        task = asyncio.get_running_loop().create_task(self._serve(peer, slot))
        slot.leave = leave
        self._tasks.add(task)
        task.add_done_callback(done)

    async def _serve(self, peer: socket.socket, slot: Slot) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=peer, limit=_REQUEST_LIMIT)
        except BaseException:
            peer.close()
            raise
        handed_over = False
        try:
            reply = await self._answer(reader, slot)
            if isinstance(reply, Stream):
                handed_over = True
                self._follow(reply, reader, writer)
                return
            writer.transport.set_write_buffer_limits(0)  # drain() then waits until all is written
            pieces = reply if isinstance(reply, list) else [json.dumps(reply).encode()]
            await asyncio.wait_for(_write(writer, pieces), _PEER_TIMEOUT)
        except (OSError, asyncio.TimeoutError):
            pass  # the peer went away, or said or took nothing: its own loss
        finally:
            if not handed_over:
                writer.transport.abort()  # close() would wait for a peer that takes nothing
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def _follow(self, stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a stream in a task of its own: its slot is free for the next peer."""

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            writer.transport.abort()  # what the peer did not take is for nobody
            stream.closed()

        task = asyncio.get_running_loop().create_task(follow(stream, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(done)

    async def _answer(self, reader: asyncio.StreamReader, slot: Slot) -> Response:
        try:
            line = await asyncio.wait_for(reader.readline(), _PEER_TIMEOUT)
            request = json.loads(line)
            handler = self._handlers[request["command"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return {"error": f'a request is one line such as {{"command": "{next(iter(self._handlers))}"}}'}
        slot.busy = True
        try:
            return await handler(request)
        finally:
            slot.busy = False
            self._slots.served(slot)


async def _write(writer: asyncio.StreamWriter, pieces: Iterable[bytes]) -> None:
    """Write a line that is in pieces, and wait until the peer's socket has it."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _PIECE:
            writer.write(bytes(waiting))
            waiting.clear()
            await writer.drain()
            await asyncio.sleep(0)
    writer.write(bytes(waiting) + b"\n")
    await writer.drain()


_BUSY = b'{"error": "as many commands of this user are being carried out as may be; try again in a moment"}\n'
