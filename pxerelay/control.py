"""The control socket: how commands talk to the running daemon.

One request a connection: a line of JSON, `{"command": "status"}`, answered by a line of JSON. What else a
command needs to know stands in the same object. An answer has `error` if the command could not be
carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pxerelay.log import LOGGER, Limiter
from pxerelay.tasks import end

Handler = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any] | bytes]]
"""Carries out a command, given the whole request; returns the answer, or one that is JSON already."""

_REQUEST_LIMIT = 4096
"""Octets of a request; longer ones are refused."""

_PEER_TIMEOUT = 5.0
"""Seconds a peer may take to say what it wants, and again to take its answer."""

_CONNECTIONS = 16
"""Peers that are served at once; others wait until one of them is done."""

_BACKLOG = 128
"""Peers that may wait for their turn (listen(2)); others wait until they may."""

_ACCEPT_RETRY = 1.0
"""Seconds until the next connection is taken after one could not be, for want of descriptors."""

_LONGEST_PATH = 107
"""Octets of a socket's path (unix(7))."""

ANSWER_TIMEOUT = 60.0
"""Seconds a command waits for its turn, and again for its answer: a reload reads and checks every rule."""

_TIMEVAL = struct.Struct("@ll")
"""Seconds and microseconds (SO_SNDTIMEO, socket(7))."""


class NoDaemonError(Exception):
    """Nobody listens at the control socket; the message says what to look at."""


class TakenError(Exception):
    """Somebody else listens at the control socket's path."""


def default_path() -> Path:
    """Return `control.sock` in $RUNTIME_DIRECTORY (systemd.exec(5)), else in /run/pxerelay."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0] or "/run/pxerelay") / "control.sock"


class ControlServer:
    """Answers at a path, for the owner and the group, until it is closed."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        """Listen; TakenError if another daemon does so there, OSError if it can't be done."""
        self._path = path
        self._handlers = handlers
        self._socket = _listening(path)
        found = path.lstat()
        self._inode = found.st_dev, found.st_ino
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._limiter = Limiter()
        self._tasks = {asyncio.get_running_loop().create_task(self._accept())}

    async def close(self) -> None:
        """Stop, hang up on everybody, and remove the socket if it is still ours."""
        with contextlib.suppress(OSError):
            found = self._path.lstat()
            if (found.st_dev, found.st_ino) == self._inode:
                self._path.unlink()
        await end(self._tasks)
        self._socket.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            try:
                peer, _ = await loop.sock_accept(self._socket)
            except OSError as error:
                if self._limiter.allow(error.errno, loop.time()) is not None:
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
            writer.transport.set_write_buffer_limits(0)  # drain() then waits until all is written
            writer.write((reply if isinstance(reply, bytes) else json.dumps(reply).encode()) + b"\n")
            await asyncio.wait_for(writer.drain(), _PEER_TIMEOUT)
        except (OSError, asyncio.TimeoutError):
            pass  # the peer went away, or said or took nothing: its own loss
        finally:
            writer.transport.abort()  # close() would wait for a peer that takes nothing
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, Any] | bytes:
        try:
            line = await asyncio.wait_for(reader.readline(), _PEER_TIMEOUT)
            request = json.loads(line)
            handler = self._handlers[request["command"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return {"error": f'a request is one line such as {{"command": "{next(iter(self._handlers))}"}}'}
        return await handler(request)


def _listening(path: Path) -> socket.socket:
    _check_length(path)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    _remove_leftover(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    before = os.umask(0o117)
    try:
        sock.bind(str(path))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _remove_leftover(path: Path) -> None:
    """Remove a socket that nobody listens at any more, and nothing else."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise OSError(errno.EEXIST, "something else than a socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass  # there is one, with more peers waiting than it takes
    raise TakenError(f"another daemon answers at {path}: give this one a `--socket` of its own")


def _check_length(path: Path) -> None:
    size = len(os.fsencode(path))
    if size > _LONGEST_PATH:
        raise OSError(
            errno.ENAMETOOLONG, f"the path has {size} octets and a socket's may have {_LONGEST_PATH}"
        )


def ask(path: Path, command: str, **more: object) -> dict[str, Any]:
    """Send a command, and what more it takes, to the daemon and return its answer.

    Raises NoDaemonError if there is none.
    """
    try:
        _check_length(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(ANSWER_TIMEOUT), 0))
            sock.connect(str(path))  # which waits for its turn; with Python's timeout it would not
            sock.settimeout(ANSWER_TIMEOUT)
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
