"""The control socket: how commands talk to the running daemon.

One request a connection: a line of JSON, `{"command": "status"}`, answered by a line of JSON. An
answer has `error` if the command could not be carried out.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

Handler = Callable[[], Awaitable[dict[str, Any]]]

_REQUEST_LIMIT = 4096
"""Octets of a request; longer ones are refused."""

_REQUEST_TIMEOUT = 5.0
"""Seconds a peer may take to say what it wants."""

ANSWER_TIMEOUT = 60.0
"""Seconds a command waits for its answer: a reload reads and checks every rule."""


class NoDaemonError(Exception):
    """Nobody listens at the control socket; the message says what to look at."""


def default_path() -> Path:
    """Return `control.sock` in $RUNTIME_DIRECTORY (systemd.exec(5)), else in /run/pxerelay."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0] or "/run/pxerelay") / "control.sock"


async def serve(path: Path, handlers: Mapping[str, Handler]) -> asyncio.Server:
    """Listen at a path for the owner and the group; OSError if it can't be made there."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await _answer(reader, handlers)
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, asyncio.TimeoutError):
            pass  # the peer went away or said nothing: its own loss
        finally:
            writer.close()

    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    before = os.umask(0o117)
    try:
        return await asyncio.start_unix_server(answer, path, limit=_REQUEST_LIMIT)
    finally:
        os.umask(before)


async def _answer(reader: asyncio.StreamReader, handlers: Mapping[str, Handler]) -> dict[str, Any]:
    try:
        line = await asyncio.wait_for(reader.readline(), _REQUEST_TIMEOUT)
        request = json.loads(line)
        handler = handlers[request["command"]]
    except (ValueError, TypeError, KeyError):
        return {"error": f'a request is one line such as {{"command": "{next(iter(handlers))}"}}'}
    return await handler()


def ask(path: Path, command: str) -> dict[str, Any]:
    """Send a command to the daemon and return its answer; NoDaemonError if there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(ANSWER_TIMEOUT)
            sock.connect(str(path))
            sock.sendall(json.dumps({"command": command}).encode() + b"\n")
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
