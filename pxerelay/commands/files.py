"""Configuration files that a command line names: of the disk, or of a revision of git."""

from __future__ import annotations

from pathlib import Path

from pxerelay.config.load import load
from pxerelay.config.loaded import Loaded
from pxerelay.config.source import REVIEWED, Source
from pxerelay.tools.diff.git_source import Revision, RevisionError, split


def found(text: str) -> tuple[Path, Source]:
    """Return where a file is that is named on the command line, and what reads it.

    REV:PATH is always a revision's, also where the folder has a file of that name: whoever proposes a change
    could put one there, to be looked at in the revision's place. `./REV:PATH` is that file. RevisionError if
    git has no such revision.
    """
    parts = split(text)
    if parts is None or text.startswith(("/", "./", "../")):
        return Path(text), REVIEWED
    try:
        revision = Revision(parts[0], Path.cwd())
    except RevisionError as error:
        if Path(text).exists():
            raise RevisionError(f"{error}; if the file of that name is meant, write ./{text}") from None
        raise
    return revision.path(parts[1]), revision


def load_named(text: str) -> Loaded:
    """Load a configuration that the command line names; ConfigError or RevisionError if that can't be."""
    path, source = found(text)
    return load(path, source=source)
