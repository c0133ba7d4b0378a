"""Where configuration files come from: the disk, or another place such as a revision of git (`git_source`).

Paths are what a source makes of a main file and of what it includes; only the source that they come from
reads them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from pxerelay.config.budget import Budget
from pxerelay.config.paths import Entry, Folders, find
from pxerelay.wire.globs import is_glob

MOST_OCTETS = 256 << 20
"""What the files of one configuration may have together: some ten times what a million rules need."""


class Source(Protocol):
    """Reads files and looks globs up."""

    def read(self, path: Path, most: int = MOST_OCTETS) -> bytes:
        """Return the main file's octets; OSError if it can't be read, or has more than `most`."""
        ...

    def read_included(self, path: Path, main: Path, most: int) -> bytes:
        """Return the octets of a file that the one at `main` includes; OSError if it can't be read."""
        ...

    def why_unquoted(self, path: Path, main: Path, place: Path) -> str:
        """Return why findings may not quote a file that the one at `main` includes; empty if they may.

        `place` is where the main file stands, or is to stand.
        """
        ...

    def matches(self, place: Path, pattern: str, budget: Budget) -> list[Path]:
        """Return the files that a path or glob in the file at `place` stands for, sorted.

        A plain path always stands for itself, so that its lack is noticed. Raises OSError or ValueError for
        what can't be looked up, or has more names looked at than the budget has.
        """
        ...

    def same(self, one: Path, other: Path) -> bool:
        """Whether two paths lead to one file; OSError if one of them leads to none."""
        ...

    def name(self, path: Path) -> str:
        """Return what messages call a file."""
        ...


class Disk(Source, Folders):
    """The files of this machine.

    With `reviewed` they may be somebody else's proposal, checked out here: links that lead out of the
    repository of a main file are refused, lest a review prints what only the reviewer may read.
    """

    def __init__(self, *, reviewed: bool = False) -> None:
        self._reviewed = reviewed

    def read(self, path: Path, most: int = MOST_OCTETS) -> bytes:
        """Return the main file's octets; OSError for a named pipe too, which nobody may ever write to."""
        self._refuse_link_out(path, path)
        if Path(os.path.realpath(path)).is_fifo():  # which a pipe of the shell, /dev/fd/63, has no path for
            raise OSError(errno.EINVAL, "it is a named pipe, not a file", str(path))
        with path.open("rb") as file:
            return _bounded(file, path, most)

    def read_included(self, path: Path, main: Path, most: int) -> bytes:
        """Return a file's octets; OSError for whatever is no regular file: its end may never come."""
        self._refuse_link_out(path, main)
        return _regular(path, most)

    def why_unquoted(self, path: Path, main: Path, place: Path) -> str:
        """Return why findings may not quote an included file.

        Who proposes a configuration can make it include any file that its reader may read, and would be
        shown the lines of it.
        """
        if path.stat().st_uid != main.stat().st_uid:
            return f"it belongs to another user than {place}"
        real = Path(os.path.realpath(path))
        for folder in (place.parent, Path(os.path.realpath(main)).parent):
            folder = Path(os.path.realpath(folder))
            if real.is_relative_to(folder):
                below = real.relative_to(folder).parts
                return "its path has a hidden name in it" if any(map(_hidden, below)) else ""
        return f"it is not in the folder of {place}"

    def matches(self, place: Path, pattern: str, budget: Budget) -> list[Path]:
        """Return the files a path or glob stands for, and what is named like one: folders, pipes, dead links.

        Folders are left out where the last part of the glob has only wildcards.
        """
        if not is_glob(pattern):
            budget.spend()
            return [place.parent / pattern]
        return find(self, Path("/") if pattern.startswith("/") else place.parent, pattern, budget)

    def entries(self, folder: Path) -> Iterable[Entry]:
        """Return what is in a folder."""
        return _entries(os.scandir(folder))

    def exists(self, path: Path) -> bool:
        """Whether a path leads to anything."""
        return path.exists()

    def same(self, one: Path, other: Path) -> bool:
        """Whether two paths lead to one file."""
        return one.samefile(other)

    def name(self, path: Path) -> str:
        """Return a file's path."""
        return str(path)

    def _refuse_link_out(self, path: Path, main: Path) -> None:
        if not self._reviewed:
            return
        absolute, real = _absolute(path), Path(os.path.realpath(path))
        for folder in _absolute(main).parents:
            root = Path(os.path.realpath(folder))
            if absolute.is_relative_to(folder) and not real.is_relative_to(root) and _is_repository(folder):
                what = f"it is a link out of the repository {folder}; put the file itself in its place"
                raise OSError(errno.EXDEV, what, str(path))


def read_regular(path: Path) -> bytes:
    """Return the octets of a file that a stranger may have written; OSError for a link and all but a file."""
    return _regular(path, MOST_OCTETS, os.O_NOFOLLOW)


def _regular(path: Path, most: int, more: int = 0) -> bytes:
    _refuse_irregular(path.stat(follow_symlinks=not more).st_mode, path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | more)
    with os.fdopen(descriptor, "rb") as file:
        _refuse_irregular(os.fstat(descriptor).st_mode, path)
        return _bounded(file, path, most)


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _absolute(path: Path) -> Path:
    """Return an absolute path with links as they are."""
    return Path(os.path.normpath(path.absolute()))


def _is_repository(folder: Path) -> bool:
    """Whether a folder is the top one of a repository of git, or of one of its work trees."""
    return os.path.lexists(folder / ".git")


def _entries(found: Iterator[os.DirEntry[str]]) -> Iterator[Entry]:
    with found:  # type: ignore[attr-defined]  # what scandir returns is more than an iterator
        for entry in found:
            try:
                is_folder = entry.is_dir()
            except OSError:  # a link that leads to itself
                is_folder = False
            yield Entry(entry.name, is_folder, entry.is_symlink())


_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def _refuse_irregular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        kind = next((text for is_kind, text in _KINDS if is_kind(mode)), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def _bounded(file: BinaryIO, path: Path, most: int) -> bytes:
    octets = file.read(most + 1)
    if octets is None:
        raise OSError(errno.EAGAIN, "it has nothing to be read now", str(path))
    if len(octets) > most:
        message = f"it has more than the {MOST_OCTETS >> 20} MiB that the files of a configuration may have"
        raise OSError(errno.EFBIG, message, str(path))
    return octets


DISK = Disk()
"""All files, by their paths."""

REVIEWED = Disk(reviewed=True)
"""The same; links out of a repository are refused."""
