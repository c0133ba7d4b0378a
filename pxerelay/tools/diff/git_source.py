"""Configuration files as a revision of git has them, read by `git` itself; nothing is checked out."""

from __future__ import annotations

import errno
import os
import posixpath
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pxerelay.config.budget import Budget
from pxerelay.config.paths import Entry, Folders, find
from pxerelay.config.source import MOST_OCTETS, Source
from pxerelay.tools.diff.listing import Listing
from pxerelay.wire.globs import is_glob

_LINK = "120000"
"""The mode of a symbolic link in a tree of git."""

_MOST_LINKS = 40
"""Links that lead to each other, as many as Linux follows (path_resolution(7))."""


class RevisionError(Exception):
    """What git could not find, or that there is no git; the message says what would be right."""


def split(text: str) -> tuple[str, str] | None:
    """Return the revision and the path of `REV:PATH`; None if a text is no such thing."""
    revision, colon, path = text.partition(":")
    return (revision, path) if colon and revision and path else None


def git(arguments: Sequence[str], folder: Path | None = None) -> bytes:
    """Run git in a folder and return what it printed; RevisionError with what it complained of."""
    return _run(arguments, folder).stdout


def _run(arguments: Sequence[str], folder: Path | None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise RevisionError("git is not installed, and REV:PATH is read by it") from None
    if done.returncode:
        complaint = done.stderr.decode("utf-8", "replace").strip()
        raise RevisionError(complaint.removeprefix("fatal: ") or f"git {arguments[0]} failed")
    return done


def root_of(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in; RevisionError if it is in none."""
    try:
        return Path(os.fsdecode(git(["rev-parse", "--show-toplevel"], folder)).removesuffix("\n"))
    except RevisionError as error:
        if "not a git repository" in str(error):
            raise RevisionError(f"{folder} is in no git repository; go to where the revisions are") from None
        raise


def commit_of(revision: str, folder: Path) -> str:
    """Return the name of the commit that a revision means; RevisionError if there is none, or more than one.

    Of a branch and a tag of one name, or a branch that is called like the beginning of a commit's name, git
    takes one and warns: whoever may push a tag could have it looked at in the branch's place.
    """
    warned = ["-c", "core.warnAmbiguousRefs=true"]
    arguments = [*warned, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
    try:
        done = _run(arguments, folder)
    except RevisionError:
        raise RevisionError(
            f"git knows no revision '{revision}'; name a branch, tag or commit (a shallow clone has few)"
        ) from None
    if b"is ambiguous" in done.stderr and not _WHOLE_NAME.fullmatch(revision):
        raise RevisionError(
            f"'{revision}' is the name of more than one branch, tag or commit; write which one is meant, "
            f"as in refs/heads/{revision}"
        )
    return done.stdout.decode().strip()


_WHOLE_NAME = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
"""A commit's whole name, which git prefers to a branch or tag that is called so."""


class Revision(Source, Folders):
    """The files of one commit. Paths begin at the repository's root, as git spells them."""

    def __init__(self, revision: str, folder: Path) -> None:
        self._revision = revision
        self._root = root_of(folder)
        self._folder = folder
        self._blobs: dict[str, tuple[str, str]] = {}
        self._targets: dict[str, str] = {}
        for entry in git(["ls-tree", "-r", "-z", commit_of(revision, folder)], self._root).split(b"\0"):
            if entry:
                facts, _, path = entry.partition(b"\t")
                mode, kind, blob = facts.decode().split()
                if kind == "blob":
                    self._blobs[os.fsdecode(path)] = mode, blob
        self._listing = Listing(self._blobs)

    def path(self, text: str) -> Path:
        """Return what a user's path means: from the root, or with ./ or ../ from the folder we are in."""
        if text.startswith(("./", "../")):
            here = self._folder.resolve().relative_to(self._root.resolve())
            return Path(posixpath.normpath(here / text))
        return Path(posixpath.normpath(text))

    def read(self, path: Path, most: int = MOST_OCTETS) -> bytes:
        """Return a file's octets."""
        _, blob = self._blobs[self._file(path)]
        size = self._git(["cat-file", "-s", blob])
        if int(size) > most:
            raise OSError(errno.EFBIG, f"it has {int(size)} octets, more than may be read", str(path))
        return self._git(["cat-file", "blob", blob])

    def read_included(self, path: Path, main: Path, most: int) -> bytes:  # noqa: ARG002  # as any other
        """Return a file's octets."""
        return self.read(path, most)

    def why_unquoted(self, path: Path, main: Path, place: Path) -> str:  # noqa: ARG002
        """Return nothing: whoever may read the main file may read all of its revision."""
        return ""

    def matches(self, place: Path, pattern: str, budget: Budget) -> list[Path]:
        """Return the files that a path or glob stands for in this commit."""
        if pattern.startswith("/"):
            raise ValueError("it begins at the root of the disk, which no revision holds")
        if not is_glob(pattern):
            budget.spend()
            return [Path(posixpath.normpath(posixpath.join(place.parent, pattern)))]
        try:
            found = find(self, place.parent, pattern, budget)
        except FileNotFoundError:  # a folder that git does not keep, for there is nothing in it
            return []
        return sorted({Path(posixpath.normpath(path)) for path in found})

    def entries(self, folder: Path) -> Iterator[Entry]:
        """Return what is in a folder; FileNotFoundError if there is no such one."""
        here = self._resolved(folder)
        return self._entries(here, self._listing.names(here))

    def _entries(self, here: str, names: Mapping[str, bool]) -> Iterator[Entry]:
        for name, is_folder in names.items():
            path = f"{here}/{name}" if here else name
            is_link = not is_folder and self._blobs[path][0] == _LINK
            yield Entry(name, is_folder or (is_link and self._leads_to_folder(path)), is_link)

    def _leads_to_folder(self, path: str) -> bool:
        try:
            return self._resolved(Path(path)) in self._listing
        except OSError:
            return False

    def exists(self, path: Path) -> bool:
        """Whether a path leads to anything in this commit."""
        try:
            here = self._resolved(path)
        except OSError:
            return False
        return here in self._blobs or here in self._listing

    def same(self, one: Path, other: Path) -> bool:
        """Whether two paths lead to one file."""
        return self._file(one) == self._file(other)

    def name(self, path: Path) -> str:
        """Return REV:PATH."""
        return f"{self._revision}:{path}"

    def _git(self, arguments: Sequence[str]) -> bytes:
        try:
            return git(arguments, self._root)
        except RevisionError as error:
            raise OSError(errno.EIO, str(error)) from None

    def _target(self, path: str) -> str:
        """Return where a link leads."""
        if path not in self._targets:
            octets = self._git(["cat-file", "blob", self._blobs[path][1]])
            self._targets[path] = os.fsdecode(octets)
        return self._targets[path]

    def _file(self, path: Path) -> str:
        here = self._resolved(path)
        if here not in self._blobs:
            raise FileNotFoundError(errno.ENOENT, "that revision has no such file", str(path))
        return here

    def _resolved(self, path: Path) -> str:
        """Return the path that links lead to, there or not; OSError for one out of the repository."""
        left, links = str(path).split("/")[::-1], 0
        here: list[str] = []
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not here:
                    raise OSError(errno.EXDEV, "it leads out of the repository", str(path))
                here.pop()
                continue
            here.append(part)
            whole = "/".join(here)
            if self._blobs.get(whole, ("", ""))[0] == _LINK:
                links += 1
                target = self._target(whole)
                if target.startswith("/"):
                    message = f"it is a link out of the repository, to {target}; put the file in its place"
                    raise OSError(errno.EXDEV, message, str(path))
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                here.pop()
                left.extend(target.split("/")[::-1])
        return "/".join(here)
