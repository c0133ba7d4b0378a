"""The control socket: how commands talk to the running daemon.

One request a connection: a line of JSON, `{"command": "status"}`, answered by a line of JSON. What else a
command needs to know stands in the same object. An answer has `error` if the command could not be
carried out.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pxerelay.localsocket import LocalSocket, check_length
from pxerelay.log import LOGGER
from pxerelay.tasks import end

Handler = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any] | bytes]]
"""Carries out a command, given the whole request; returns the answer, or one that is JSON already."""

_REQUEST_LIMIT = 4096
"""Octets of a request; longer ones are refused."""

_PEER_TIMEOUT = 5.0
"""Seconds a peer may take to say what it wants, and again to take its answer."""

_CONNECTIONS = 16
"""Peers that are served at once; others wait until one of them is done."""

_ACCEPT_RETRY = 1.0
"""Seconds until the next connection is taken after one could not be, for want of descriptors."""

ANSWER_TIMEOUT = 60.0
"""Seconds a command waits for its answer: a reload reads and checks every rule."""


class NoDaemonError(Exception):
    """Nobody listens at the control socket; the message says what to look at."""


def default_path() -> Path:
    """Return `control.sock` in $RUNTIME_DIRECTORY (systemd.exec(5)), else in /run/pxerelay."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0] or "/run/pxerelay") / "control.sock"


class ControlServer:
    """Answers at a path, for the owner and the group, until it is closed."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        """Listen; TakenError if another daemon does so there, OSError if it can't be done."""
        self._handlers = handlers
        self._local = LocalSocket(path)
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._tasks = {asyncio.get_running_loop().create_task(self._accept())}

    async def close(self) -> None:
        """Stop, hang up on everybody, and remove the socket if it is still ours."""
        self._local.unlink()
        await end(self._tasks)
        self._local.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            try:
                peer, _ = await loop.sock_accept(self._local.socket)
            except OSError as error:
                LOGGER.warning("could not take a connection to the control socket: %s", error.strerror)
                self._slots.release()
                await asyncio.sleep(_ACCEPT_RETRY)
                continue
            task = loop.create_task(self._serve(peer))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def _serve(self, peer: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=peer, limit=_REQUEST_LIMIT)
        except OSError:
            peer.close()
            return
        try:
            reply = await self._answer(reader)
            writer.write((reply if isinstance(reply, bytes) else json.dumps(reply).encode()) + b"\n")
            await asyncio.wait_for(writer.drain(), _PEER_TIMEOUT)
        except (OSError, asyncio.TimeoutError):
            pass  # the peer went away, or said or took nothing: its own loss
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, Any] | bytes:
        try:
            line = await asyncio.wait_for(reader.readline(), _PEER_TIMEOUT)
            request = json.loads(line)
            handler = self._handlers[request["command"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return {"error": f'a request is one line such as {{"command": "{next(iter(self._handlers))}"}}'}
        return await handler(request)


def ask(path: Path, command: str, **more: object) -> dict[str, Any]:
    """Send a command, and what more it takes, to the daemon and return its answer.

    Raises NoDaemonError if there is none.
    """
    try:
        check_length(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(ANSWER_TIMEOUT)
            sock.connect(str(path))
            sock.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
            with sock.makefile("rb") as answer:
                reply: dict[str, Any] = json.loads(answer.readline())
                return reply
    except PermissionError:
        raise NoDaemonError(
            f"{path}: permission denied; run this as root or in the service's group"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NoDaemonError(f"no daemon answers at {path} ({reason}); is the service running?") from None
