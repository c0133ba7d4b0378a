"""`pxerelay check`: what is wrong with configuration files."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pxerelay.commands.common import FAILED, FOUND, OK, Commands, add_command, add_format, fail, tell
from pxerelay.commands.files import found
from pxerelay.config import DEFAULT_PATH, findings, lint
from pxerelay.config.findings import ConfigError
from pxerelay.config.load import Reading, UnreadableError, read
from pxerelay.config.source import Disk, Source
from pxerelay.linux import clock, control_client
from pxerelay.tools.diff.git_source import RevisionError


def add(commands: Commands) -> None:
    """Declare the command."""
    exits = {OK: "clean, or only warnings", FOUND: "findings; with --strict warnings too"}
    check = add_command(commands, "check", _check, exits, "validate configuration files")
    check.add_argument(
        "files", nargs="*", metavar="F", help=f"a file, or REV:PATH of git; default: {DEFAULT_PATH}"
    )
    add_format(check, findings.FORMATS)
    check.add_argument(
        "--as",
        dest="stands_at",
        type=Path,
        metavar="PATH",
        help="check F as though it stood at PATH: includes are looked up there",
    )
    check.add_argument("--strict", action="store_true", help="exit with 1 if there are warnings only, too")


def _check(arguments: argparse.Namespace) -> int:
    if arguments.stands_at and len(arguments.files) != 1:
        return fail("--as goes with one file")
    try:
        named = [found(text) for text in arguments.files or [str(DEFAULT_PATH)]]
    except RevisionError as error:
        return fail(str(error))
    if arguments.stands_at and not isinstance(named[0][1], Disk):
        return fail("--as goes with a file, not with one of a revision")
    told: list[findings.Finding] = []
    code = OK
    readings: list[tuple[Path, Reading]] = []
    for path, source in named:
        try:
            reading = read(path, arguments.stands_at, source, Path(control_client.default_path()))
        except UnreadableError as error:
            told.extend(error.findings)
            code = FAILED
        else:
            readings.append((_real(path, source), reading))
    included = {_real(path, reading.source) for _, reading in readings for path in reading.paths}
    shown = {_real(path, source) for path, source in named}
    for at, reading in readings:
        if at in included:
            continue  # what includes it has it checked
        try:
            loaded = reading.load(shown)
        except ConfigError as error:
            told.extend(error.findings)
            code = max(code, FOUND)
        else:
            warnings = lint.warnings(loaded.config, loaded.documents, clock.today(), reading.unmatched)
            told.extend(reading.told(warnings, shown))
            if warnings and arguments.strict:
                code = max(code, FOUND)
    text = findings.FORMATS[arguments.format](told)
    if text:
        tell(text)
    return code


def _real(path: Path, source: Source) -> Path:
    """Return the path that links lead to, of a revision's file what it is called."""
    return Path(os.path.realpath(path)) if isinstance(source, Disk) else Path(source.name(path))
