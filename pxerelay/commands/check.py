"""`pxerelay check`: what is wrong with configuration files."""

from __future__ import annotations

import argparse
from pathlib import Path

from pxerelay.commands.common import FAILED, FOUND, OK, Commands, add_command, add_format, fail, tell
from pxerelay.config import DEFAULT_PATH, findings, lint
from pxerelay.config.findings import ConfigError
from pxerelay.config.load import UnreadableError, load
from pxerelay.linux import clock, control_client


def add(commands: Commands) -> None:
    """Declare the command."""
    exits = {OK: "clean, or only warnings", FOUND: "findings; with --strict warnings too"}
    check = add_command(commands, "check", _check, exits, "validate configuration files")
    check.add_argument("files", nargs="*", type=Path, metavar="F", help=f"default: {DEFAULT_PATH}")
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
    found: list[findings.Finding] = []
    code = OK
    for path in arguments.files or [Path(DEFAULT_PATH)]:
        try:
            loaded = load(path, arguments.stands_at, control_socket=control_client.default_path())
        except UnreadableError as error:
            found.extend(error.findings)
            code = FAILED
        except ConfigError as error:
            found.extend(error.findings)
            code = max(code, FOUND)
        else:
            warnings = lint.warnings(loaded.config, loaded.documents, clock.today())
            found.extend(warnings)
            if warnings and arguments.strict:
                code = max(code, FOUND)
    text = findings.FORMATS[arguments.format](found)
    if text:
        tell(text)
    return code
