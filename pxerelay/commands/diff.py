"""`pxerelay diff`: which clients move from which servers to which."""

from __future__ import annotations

import argparse
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

from pxerelay import clock
from pxerelay.commands.common import FOUND, OK, Commands, fail, tell
from pxerelay.difference import show
from pxerelay.difference.compare import compare
from pxerelay.difference.show import Part
from pxerelay.difference.values import Difference
from pxerelay.findings import ConfigError, Finding
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
        with _uncollected():
            parts = [_files(arguments.old, arguments.new)]
            text = show.FORMATS[arguments.format](parts, everything=arguments.all)
    except (ConfigError, RevisionError) as error:
        return fail(str(error))
    tell(text)
    return FOUND if any(part.difference for part in parts) else OK


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Have nothing collected meanwhile: with large mappings that takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _files(old: str, new: str) -> Part:
    loaded: list[Loaded] = []
    found: list[Finding] = []
    for text in (old, new):
        try:
            loaded.append(_load(text))
        except ConfigError as error:
            found.extend(error.findings)
    if found:
        raise ConfigError(found)
    return Part((), _compared(*loaded))


def _compared(before: Loaded, after: Loaded) -> Difference:
    return compare(before.config, before.documents, after.config, after.documents, clock.today())


def _load(text: str) -> Loaded:
    """Load a file, or where there is none of that name, what a revision of git has."""
    path, parts = Path(text), split(text)
    if parts is None or path.exists():
        return load(path)
    revision = Revision(parts[0], Path.cwd())
    return load(revision.path(parts[1]), source=revision)
