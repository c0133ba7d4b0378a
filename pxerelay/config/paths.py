"""Paths with wildcards, looked up in folders of any kind: of the disk, of a revision, of rendered files.

What is looked at has a bound, and a name is matched in a time that grows with its length only: who may write
an `include` must not be able to keep its reader busy.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pxerelay.config.budget import Budget
from pxerelay.wire.globs import is_glob

LONGEST = 4096
"""Characters of a path or glob, as of Linux's own (PATH_MAX, limits.h(0p))."""

MOST_NAMES = 100_000
"""Names that all globs of a configuration may have looked at."""


class Entry(NamedTuple):
    """A name in a folder. `is_folder` follows links, `is_link` tells of the name itself."""

    name: str
    is_folder: bool
    is_link: bool


class Folders(Protocol):
    """Lists folders."""

    def entries(self, folder: Path) -> Iterable[Entry]:
        """Return what is in a folder; OSError if there is no such one, or it can't be read."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether a path leads to anything."""
        ...


def names_budget() -> Budget:
    """Return the bound on what the globs of one configuration look at."""
    return Budget(MOST_NAMES, f"there are more than {MOST_NAMES} names to be looked at; name a deeper folder")


def find(folders: Folders, base: Path, pattern: str, budget: Budget) -> list[Path]:
    """Return what a glob stands for below a folder, sorted: files, and what else is named like one.

    `**` stands for any folders, links to folders not among them. Hidden names do not count. Folders are left
    out where the last part of the glob has only wildcards. Raises OSError for a folder in the way that can't
    be read, and if the one that the glob begins with is not there: its rules would be missing without a word.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if parts[-1] == "**":
        parts.append("*")
    fixed = next(at for at, part in enumerate(parts) if is_glob(part))
    start, parts = base.joinpath(*parts[:fixed]), parts[fixed:]
    matchers = [_matcher(part) if is_glob(part) else None for part in parts]
    bare = not parts[-1].strip("*?")
    found: set[Path] = set()
    waiting, seen = [(start, 0)], {(start, 0)}
    while waiting:
        folder, at = waiting.pop()
        for name, entry in _looked_at(folders, folder, parts[at], matchers[at], start, budget):
            path, more = folder / name, at + (parts[at] != "**")
            if more == len(parts):
                if not name.startswith(".") and not (bare and entry and entry.is_folder):
                    found.add(path)
            elif (path, more) not in seen:
                seen.add((path, more))
                waiting.append((path, more))
        if parts[at] == "**" and (folder, at + 1) not in seen:
            seen.add((folder, at + 1))
            waiting.append((folder, at + 1))
    return sorted(found)


_Matcher = Callable[[str], object]


def _looked_at(
    folders: Folders, folder: Path, part: str, matcher: _Matcher | None, start: Path, budget: Budget
) -> Iterator[tuple[str, Entry | None]]:
    """Yield the names in a folder that a part of a glob stands for; without a matcher it is a name itself."""
    if matcher is None:
        budget.spend()
        if folders.exists(folder / part):
            yield part, None
        return
    try:
        entries = folders.entries(folder)
    except (FileNotFoundError, NotADirectoryError):  # a file, a dead link
        if folder == start:
            raise
        return
    for entry in entries:
        budget.spend()
        if part == "**":
            if entry.is_folder and not entry.is_link:
                yield entry.name, entry
        elif matcher(entry.name):
            yield entry.name, entry


def _matcher(part: str) -> _Matcher:
    """Return what matches a name; what `translate` makes of a * does not go back behind the next one."""
    return re.compile(fnmatch.translate(part)).match
