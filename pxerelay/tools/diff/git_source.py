"""Configuration files as a revision of git has them, read by `git` itself; nothing is checked out."""

from __future__ import annotations

import errno
import os
import posixpath
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from pxerelay.config.source import Source
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
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise RevisionError("git is not installed, and REV:PATH is read by it") from None
    if done.returncode:
        complaint = done.stderr.decode("utf-8", "replace").strip()
        raise RevisionError(complaint.removeprefix("fatal: ") or f"git {arguments[0]} failed")
    return done.stdout


def root_of(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in; RevisionError if it is in none."""
    try:
        return Path(os.fsdecode(git(["rev-parse", "--show-toplevel"], folder)).removesuffix("\n"))
    except RevisionError as error:
        if "not a git repository" in str(error):
            raise RevisionError(f"{folder} is in no git repository; go to where the revisions are") from None
        raise


def commit_of(revision: str, folder: Path) -> str:
    """Return the name of the commit that a revision means; RevisionError if there is none."""
    arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    try:
        return git(arguments, folder).decode().strip()
    except RevisionError:
        raise RevisionError(
            f"git knows no revision '{revision}'; name a branch, tag or commit (a shallow clone has few)"
        ) from None


class Revision(Source):
    """The files of one commit. Paths begin at the repository's root, as git spells them."""

    def __init__(self, revision: str, folder: Path) -> None:
        self._revision = revision
        self._root = root_of(folder)
        self._folder = folder
        self._blobs: dict[str, tuple[str, str]] = {}
        for entry in git(["ls-tree", "-r", "-z", commit_of(revision, folder)], self._root).split(b"\0"):
            if entry:
                facts, _, path = entry.partition(b"\t")
                mode, kind, blob = facts.decode().split()
                if kind == "blob":
                    self._blobs[os.fsdecode(path)] = mode, blob

    def path(self, text: str) -> Path:
        """Return what a user's path means: from the root, or with ./ or ../ from the folder we are in."""
        if text.startswith(("./", "../")):
            here = self._folder.resolve().relative_to(self._root.resolve())
            return Path(posixpath.normpath(here / text))
        return Path(posixpath.normpath(text))

    def read(self, path: Path) -> bytes:
        """Return a file's octets."""
        _, blob = self._blobs[self._resolved(path)]
        return self._content(blob)

    def matches(self, place: Path, pattern: str) -> list[Path]:
        """Return the files that a path or glob stands for in this commit."""
        if pattern.startswith("/"):
            raise ValueError("it begins at the root of the disk, which no revision holds")
        whole = posixpath.normpath(posixpath.join(place.parent, pattern))
        if not is_glob(pattern):
            return [Path(whole)]
        fits = re.compile(_expression(whole))
        return sorted(
            Path(path)
            for path in (*self._blobs, *self._through_links())
            if fits.fullmatch(path) and not posixpath.basename(path).startswith(".")
        )

    def same(self, one: Path, other: Path) -> bool:
        """Whether two paths lead to one file."""
        return self._resolved(one) == self._resolved(other)

    def name(self, path: Path) -> str:
        """Return REV:PATH."""
        return f"{self._revision}:{path}"

    def _through_links(self) -> Iterator[str]:
        """Yield the paths of files that lead through a link to a folder."""
        for link, (mode, blob) in self._blobs.items():
            if mode == _LINK:
                target = os.fsdecode(self._content(blob))
                folder = posixpath.normpath(posixpath.join(posixpath.dirname(link), target)) + "/"
                for path in self._blobs:
                    if path.startswith(folder):
                        yield f"{link}/{path.removeprefix(folder)}"

    def _content(self, blob: str) -> bytes:
        try:
            return git(["cat-file", "blob", blob], self._root)
        except RevisionError as error:
            raise OSError(errno.EIO, str(error)) from None

    def _resolved(self, path: Path) -> str:
        """Return the path of the file that links lead to, folders that are links too; OSError if none."""
        here = posixpath.normpath(path)
        for _ in range(_MOST_LINKS):
            parts = here.split("/")
            for end in range(1, len(parts) + 1):
                mode, blob = self._blobs.get("/".join(parts[:end]), ("", ""))
                if mode == _LINK:
                    target = os.fsdecode(self._content(blob))
                    here = posixpath.normpath(posixpath.join(*parts[: end - 1], target, *parts[end:]))
                    break
            else:
                if here in self._blobs:
                    return here
                break
        raise FileNotFoundError(errno.ENOENT, "that revision has no such file")


def _expression(pattern: str) -> str:
    """Return a glob as a regular expression for whole paths, ** for any folders."""
    expression = ""
    for part in pattern.split("/"):
        if part == "**":
            expression += "(?:[^/]+/)*"
        else:
            expression += _name_expression(part) + "/"
    return expression.removesuffix("/")


def _name_expression(part: str) -> str:
    found, at = "", 0
    while at < len(part):
        end = part.find("]", at + 2 + (part[at + 1 : at + 2] == "!")) if part[at] == "[" else -1
        if end > 0:
            inside = part[at + 1 : end]
            negated = inside.startswith("!")
            inside = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside.removeprefix("!"))
            found += f"(?!/)[{'^' if negated else ''}{inside}]"
            at = end
        else:
            found += {"*": "[^/]*", "?": "[^/]"}.get(part[at], re.escape(part[at]))
        at += 1
    return found
