"""Files that are on no disk: which folders their paths make, and files that are text in memory."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pxerelay.config.budget import Budget
from pxerelay.config.paths import Entry, Folders, find
from pxerelay.config.source import MOST_OCTETS, Source
from pxerelay.wire.globs import is_glob


class Listing:
    """The folders that some paths make: of each its names, and whether a name is a folder too."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._folders: dict[str, dict[str, bool]] = {"": {}}
        for path in paths:
            self._add(path)

    def _add(self, path: str) -> None:
        is_folder = False
        while path:
            folder, _, name = path.rpartition("/")
            known = folder in self._folders
            self._folders.setdefault(folder, {})[name] = is_folder
            if known:
                return
            path, is_folder = folder, True

    def __contains__(self, folder: str) -> bool:
        """Whether there is such a folder."""
        return folder in self._folders

    def names(self, folder: str) -> Mapping[str, bool]:
        """Return the names in a folder; FileNotFoundError if there is no such one."""
        if folder not in self._folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
        return self._folders[folder]


class TextFiles(Source, Folders):
    """Files by absolute paths with their text, and no others; messages have `called` before their paths."""

    def __init__(self, files: Mapping[str, str], called: str) -> None:
        self._files = {posixpath.normpath(path).lstrip("/"): text for path, text in files.items()}
        self._called = called
        self._listing = Listing(self._files)

    def read(self, path: Path, most: int = MOST_OCTETS) -> bytes:
        """Return a file's octets."""
        text = self._files.get(self._key(path))
        if text is None:
            raise FileNotFoundError(errno.ENOENT, "the role writes no such file", str(path))
        octets = text.encode("utf-8", "surrogatepass")
        if len(octets) > most:
            raise OSError(errno.EFBIG, f"it has {len(octets)} octets, more than may be read", str(path))
        return octets

    def read_included(self, path: Path, main: Path, most: int) -> bytes:  # noqa: ARG002  # as any other
        """Return a file's octets."""
        return self.read(path, most)

    def why_unquoted(self, path: Path, main: Path, place: Path) -> str:  # noqa: ARG002
        """Return nothing: all of it was rendered for the reader."""
        return ""

    def matches(self, place: Path, pattern: str, budget: Budget) -> list[Path]:
        """Return the files that a path or glob stands for."""
        if is_glob(pattern):
            return find(self, Path("/") if pattern.startswith("/") else place.parent, pattern, budget)
        budget.spend()
        return [place.parent / pattern]

    def entries(self, folder: Path) -> Iterator[Entry]:
        """Return what is in a folder; FileNotFoundError if there is no such one."""
        names = self._listing.names(self._key(folder))
        return (Entry(name, is_folder, is_link=False) for name, is_folder in names.items())

    def exists(self, path: Path) -> bool:
        """Whether there is such a file or folder."""
        key = self._key(path)
        return key in self._files or key in self._listing

    def same(self, one: Path, other: Path) -> bool:
        """Whether two paths are one."""
        return self._key(one) == self._key(other)

    def name(self, path: Path) -> str:
        """Return a file's path on the host, after what the side is called."""
        return f"{self._called}{path}"

    @staticmethod
    def _key(path: Path) -> str:
        return posixpath.normpath(path).lstrip("/")
