"""The command line: arguments in, exit codes out; everything else is elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from pxerelay import __version__
from pxerelay.commands import (
    check,
    completion,
    diff,
    doctor,
    explain,
    import_,
    probe,
    replay,
    run,
    status,
    trace,
    unknown,
)
from pxerelay.commands.common import FAILED, OutputError, fail

COMMANDS = (run, check, explain, diff, replay, status, unknown, trace, probe, doctor, import_, completion)
"""Their modules, in the order of the help text."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = parser().parse_args(argv)
    run_it: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run_it(arguments)
    except OutputError as error:
        return fail(str(error)) if str(error) else FAILED


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    whole = argparse.ArgumentParser(
        prog="pxerelay", description="DHCP relay agent that chooses the PXE boot server per client."
    )
    whole.add_argument("--version", action="version", version=f"pxerelay {__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return whole
