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

from pxerelay.linux.localsocket import check_length

TYPE_CHECKING = False
if TYPE_CHECKING:  # see commands.common
    from pathlib import Path
    from typing import Any

TIMEOUT = 2.0
"""Seconds within which a daemon that is well answers, unless somebody says otherwise."""

_TAKES = {"reload": 60.0, "probe": 40.0, "survey": 60.0, "unknown": 20.0, "trace": 20.0, "hear": 20.0}
"""Seconds that a command may take beside these: a reload reads and checks every rule, servers have time to
answer. Before it is sent, the daemon has to answer another one in time; who hangs is found out by that."""

_LARGEST = 16 << 20
"""Octets of one line of an answer. All clients that the daemon remembers (`unknown`) are about 12 MB if each
of them says the worst that it can."""

_TIMEVAL = struct.Struct("@ll")
"""Seconds and microseconds (SO_SNDTIMEO, socket(7))."""


class NoDaemonError(Exception):
    """Nobody listens at the control socket; the message says what to look at."""


def default_path() -> str:
    """Return the path of `control.sock` in $RUNTIME_DIRECTORY (systemd.exec(5)), else in /run/pxerelay."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0] or "/run/pxerelay"
    return f"{folder.rstrip('/')}/control.sock"


class AnswerStream:
    """The lines of JSON that a daemon answers with, the first one within so many seconds."""

    def __init__(self, path: Path | str, sock: socket.socket, seconds: float) -> None:
        self._path = path
        self._socket = sock
        self._seconds = seconds
        self._octets = bytearray()

    def first(self) -> dict[str, Any]:
        """Return the first one, NoDaemonError if it does not come in time."""
        found = self.next(self._seconds)
        if found is None:
            raise _silent(self._path, self._seconds)
        return found

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
                if len(self._octets) + len(octets) > _LARGEST:
                    raise ValueError(f"its answer has more than {_LARGEST >> 20} MiB, which no daemon's has")
                self._octets += octets
            found = json.loads(self._octets[:line])
            if not isinstance(found, dict):
                raise ValueError("what it says is no answer of pxerelay")
        except RecursionError:
            raise _no_daemon(self._path, ValueError("what it says is no answer of pxerelay")) from None
        except (OSError, ValueError) as error:
            raise _no_daemon(self._path, error) from None
        del self._octets[: line + 1]
        return found


@contextlib.contextmanager
def asking(
    path: Path | str, command: str, timeout: float = TIMEOUT, **more: object
) -> Iterator[AnswerStream]:
    """Send a command, and what more it takes, for the block that takes the answers.

    Raises NoDaemonError if nobody is there, or takes the command within `timeout` seconds.
    """
    if command in _TAKES:
        ask(path, "status", timeout)
    try:
        sock = _told(path, json.dumps({"command": command, **more}).encode() + b"\n", timeout)
    except BlockingIOError:
        raise _silent(path, timeout) from None
    except OSError as error:
        raise _no_daemon(path, error) from None
    with sock:
        yield AnswerStream(path, sock, timeout + _TAKES.get(command, 0.0))


def ask(path: Path | str, command: str, timeout: float = TIMEOUT, **more: object) -> dict[str, Any]:
    """Send a command, and what more it takes, to the daemon and return its answer.

    Raises NoDaemonError if there is none, or none that answers within `timeout` seconds, and what time the
    command itself takes.
    """
    with asking(path, command, timeout, **more) as answers:
        return answers.first()


def _told(path: Path | str, line: bytes, timeout: float) -> socket.socket:
    """Return a socket by which a line was sent to the daemon; OSError if that can't be done in time.

    Where many connect at once, a daemon hangs up on one that has not said anything yet: come again then.
    """
    end = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connect(sock, path, timeout)
            sock.settimeout(timeout)
            sock.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            sock.close()
            if time.monotonic() > end:
                raise
        except BaseException:
            sock.close()
            raise
        else:
            return sock


def connect(sock: socket.socket, path: Path | str, timeout: float = TIMEOUT) -> None:
    """Connect to a control socket; OSError if that can't be done within so many seconds."""
    check_length(path)
    seconds = int(timeout)
    sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(seconds, int((timeout - seconds) * 1e6) or 1)
    )
    sock.connect(str(path))  # which waits for its turn; with Python's timeout it would not


def _silent(path: Path | str, seconds: float) -> NoDaemonError:
    return NoDaemonError(
        f"the daemon at {path} has not answered within {seconds:g} s: it hangs, or has very much to do; "
        "--timeout waits longer, journalctl -u pxerelay may tell why"
    )


def _no_daemon(path: Path | str, error: OSError | ValueError) -> NoDaemonError:
    if isinstance(error, PermissionError):
        return NoDaemonError(f"{path}: permission denied; run this as root or in the service's group")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return NoDaemonError(f"no daemon answers at {path} ({reason}); is the service running?")
