"""Where configuration files come from: the disk, or a revision of git (`revision`).

Paths are what a source makes of a main file and of what it includes; only the source that they come from
reads them.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Protocol

from pxerelay.wire.globs import is_glob


class Source(Protocol):
    """Reads files and looks globs up."""

    def read(self, path: Path) -> bytes:
        """Return a file's octets; OSError if it can't be read."""
        ...

    def matches(self, place: Path, pattern: str) -> list[Path]:
        """Return the files that a path or glob in the file at `place` stands for, sorted.

        A plain path always stands for itself, so that its lack is noticed. Raises OSError or ValueError for
        what can't be looked up.
        """
        ...

    def same(self, one: Path, other: Path) -> bool:
        """Whether two paths lead to one file; OSError if one of them leads to none."""
        ...

    def name(self, path: Path) -> str:
        """Return what messages call a file."""
        ...


class Disk(Source):
    """The files of this machine; where messages name what is below `root`, `called` takes its place."""

    def __init__(self, root: Path | None = None, called: str = "") -> None:
        self._root = root
        self._called = called

    def read(self, path: Path) -> bytes:
        """Return a file's octets; OSError for a named pipe too, which nobody may ever write to."""
        if Path(os.path.realpath(path)).is_fifo():  # which a pipe of the shell, /dev/fd/63, has no path for
            raise OSError(errno.EINVAL, "it is a named pipe, not a file", str(path))
        return path.read_bytes()

    def matches(self, place: Path, pattern: str) -> list[Path]:
        """Return the files a path or glob stands for, and what is named like one: folders, pipes, dead links.

        Folders are left out where the last part of the glob has only wildcards.
        """
        if not is_glob(pattern):
            return [place.parent / pattern]
        absolute = Path(pattern).is_absolute()
        base = Path("/") if absolute else place.parent
        relative = pattern.lstrip("/") if absolute else pattern
        _pass_readable(base, relative)
        bare = not relative.rpartition("/")[2].strip("*?")
        return sorted(
            match
            for match in base.glob(relative)
            if not match.name.startswith(".") and not (bare and match.is_dir())
        )

    def same(self, one: Path, other: Path) -> bool:
        """Whether two paths lead to one file."""
        return one.samefile(other)

    def name(self, path: Path) -> str:
        """Return a file's path, or what of it is below the root."""
        if self._root is not None and path.is_relative_to(self._root):
            return f"{self._called}/{path.relative_to(self._root)}"
        return str(path)


def _pass_readable(base: Path, pattern: str) -> None:
    """Raise OSError for a folder in the way of a glob that can't be read, and if the first one is not there.

    `Path.glob` would leave them out, and with them all rules in there.
    """
    parts = pattern.split("/")
    fixed = next(at for at, part in enumerate(parts) if is_glob(part))
    base = base.joinpath(*parts[:fixed])
    os.scandir(base).close()
    for end in range(fixed + 1, len(parts)):
        for folder in base.glob("/".join(parts[fixed:end])):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # a file, a dead link
                os.scandir(folder).close()


DISK = Disk()
"""All files, by their paths."""
