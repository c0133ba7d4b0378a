"""`pxerelay diff`: which clients move from which servers to which."""

from __future__ import annotations

import argparse
from pathlib import Path

from pxerelay import clock
from pxerelay.commands.common import FOUND, OK, Commands, fail, tell
from pxerelay.difference import show
from pxerelay.difference.compare import compare
from pxerelay.difference.show import Part
from pxerelay.findings import ConfigError
from pxerelay.load import Loaded, load
from pxerelay.revision import Revision, RevisionError, split


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("diff", help="which clients move from which servers to which")
    parser.add_argument("old", metavar="OLD", help="a file, or REV:PATH of git")
    parser.add_argument("new", metavar="NEW", help="a file, or REV:PATH of git")
    parser.add_argument("--format", choices=show.FORMATS, default="text")
    parser.add_argument(
        "--all", action="store_true", help="list every address; JSON always does, text the first ones"
    )
    parser.set_defaults(run=_diff)


def _diff(arguments: argparse.Namespace) -> int:
    try:
        parts = [_files(arguments.old, arguments.new)]
    except (ConfigError, RevisionError) as error:
        return fail(str(error))
    tell(show.FORMATS[arguments.format](parts, everything=arguments.all))
    return FOUND if any(part.difference for part in parts) else OK


def _files(old: str, new: str) -> Part:
    before, after = _load(old), _load(new)
    difference = compare(before.config, before.documents, after.config, after.documents, clock.today())
    return Part((), difference)


def _load(text: str) -> Loaded:
    """Load a file, or where there is none of that name, what a revision of git has."""
    path, parts = Path(text), split(text)
    if parts is None or path.exists():
        return load(path)
    revision = Revision(parts[0], Path.cwd())
    return load(revision.path(parts[1]), source=revision)
