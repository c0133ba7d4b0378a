"""Listening at a path, for the owner and the group, where another socket may have been left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:  # for commands that are run every second
    from pathlib import Path

_BACKLOG = 128
"""Peers that may wait for their turn (listen(2)); others wait until they may."""

_LONGEST_PATH = 107
"""Octets of a socket's path (unix(7))."""


class TakenError(Exception):
    """Somebody else listens at the path."""


class LocalSocket:
    """A listening Unix socket: `socket`, until it is closed."""

    def __init__(self, path: Path, *, folder: bool = False) -> None:
        """Listen; TakenError if somebody else does so there, OSError if it can't be done.

        `folder`: make the folder it is to stand in, if there is none.
        """
        self._path = path
        if folder:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.socket = _listening(path)
        found = path.lstat()
        self._inode = found.st_dev, found.st_ino

    @property
    def is_there(self) -> bool:
        """Whether the socket is at the path, and none that another one made in its place."""
        try:
            found = self._path.lstat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._inode

    def unlink(self) -> None:
        """Remove the socket from its folder, if the one there is still ours."""
        with contextlib.suppress(OSError):
            if self.is_there:
                self._path.unlink()

    def close(self) -> None:
        """Stop listening, and leave nothing behind."""
        self.unlink()
        self.socket.close()


def check_length(path: Path | str) -> None:
    """Raise OSError if no socket's path can be so long."""
    size = len(os.fsencode(path))
    if size > _LONGEST_PATH:
        raise OSError(
            errno.ENAMETOOLONG, f"the path has {size} octets and a socket's may have {_LONGEST_PATH}"
        )


def _listening(path: Path) -> socket.socket:
    check_length(path)
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
    raise TakenError(f"another daemon answers at {path}")
