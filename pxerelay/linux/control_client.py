"""The commands' side of the control socket (`daemon.control`): a line of JSON out, lines of JSON back."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pxerelay.linux.localsocket import check_length

ANSWER_TIMEOUT = 60.0
"""Seconds a command waits for its turn, and again for its answer: a reload reads and checks every rule."""

_TIMEVAL = struct.Struct("@ll")
"""Seconds and microseconds (SO_SNDTIMEO, socket(7))."""


class NoDaemonError(Exception):
    """Nobody listens at the control socket; the message says what to look at."""


def default_path() -> Path:
    """Return `control.sock` in $RUNTIME_DIRECTORY (systemd.exec(5)), else in /run/pxerelay."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0] or "/run/pxerelay") / "control.sock"


class AnswerStream:
    """The lines of JSON that a daemon answers with."""

    def __init__(self, path: Path, sock: socket.socket) -> None:
        self._path = path
        self._socket = sock
        self._octets = bytearray()

    def next(self, seconds: float) -> dict[str, Any] | None:
        """Return the next one; None if it does not come in time, NoDaemonError if none will come any more."""
        end, searched = time.monotonic() + seconds, 0
        try:
            while (line := self._octets.find(b"\n", searched)) < 0:
                searched = len(self._octets)
                left = max(end - time.monotonic(), 0.0)
                if not select.select([self._socket], [], [], left)[0]:
                    return None
                octets = self._socket.recv(1 << 16)
                if not octets:
                    raise ConnectionResetError(errno.ECONNRESET, "it hung up")
                self._octets += octets
            found: dict[str, Any] = json.loads(self._octets[:line])
        except (OSError, ValueError) as error:
            raise _no_daemon(self._path, error) from None
        del self._octets[: line + 1]
        return found


@contextlib.contextmanager
def asking(path: Path, command: str, **more: object) -> Iterator[AnswerStream]:
    """Send a command, and what more it takes, for the block that takes the answers.

    Raises NoDaemonError if nobody is there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        try:
            check_length(path)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(ANSWER_TIMEOUT), 0))
            sock.connect(str(path))  # which waits for its turn; with Python's timeout it would not
            sock.settimeout(ANSWER_TIMEOUT)
            sock.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
        except OSError as error:
            raise _no_daemon(path, error) from None
        yield AnswerStream(path, sock)


def ask(path: Path, command: str, **more: object) -> dict[str, Any]:
    """Send a command, and what more it takes, to the daemon and return its answer.

    Raises NoDaemonError if there is none.
    """
    with asking(path, command, **more) as answers:
        answer = answers.next(ANSWER_TIMEOUT)
    if answer is None:
        raise _no_daemon(path, TimeoutError(errno.ETIMEDOUT, "timed out"))
    return answer


def _no_daemon(path: Path, error: OSError | ValueError) -> NoDaemonError:
    if isinstance(error, PermissionError):
        return NoDaemonError(f"{path}: permission denied; run this as root or in the service's group")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return NoDaemonError(f"no daemon answers at {path} ({reason}); is the service running?")
