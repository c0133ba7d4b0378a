"""The command line: arguments in, exit codes out; everything else is elsewhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module

from pxerelay import __version__
from pxerelay.commands.common import FAILED, HelpText, OutputError, fail

COMMANDS: Mapping[str, str] = {
    "run": "run",
    "check": "check",
    "explain": "explain",
    "diff": "diff",
    "replay": "replay",
    "status": "status",
    "reload": "status",
    "healthy": "healthy",
    "drain": "drain",
    "undrain": "drain",
    "unknown": "unknown",
    "trace": "trace",
    "probe": "probe",
    "doctor": "doctor",
    "web": "web",
    "import": "import_",
    "completion": "completion",
}
"""Which module declares a command, in the order of the help text."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    arguments = parser(given[0] if given else None).parse_args(given)
    run_it: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run_it(arguments)
    except OutputError as error:
        return fail(str(error)) if str(error) else FAILED


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands, or of one if there is such a one: only its module is imported."""
    whole = argparse.ArgumentParser(
        prog="pxerelay",
        description="DHCP relay agent that chooses the PXE boot server per client.",
        formatter_class=HelpText,
    )
    whole.add_argument("--version", action="version", version=f"pxerelay {__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True, prog=whole.prog)
    for module in _modules(command):
        import_module(f"pxerelay.commands.{module}").add(commands)
    return whole


def _modules(command: str | None) -> Iterable[str]:
    """Return the modules that are needed, each once."""
    module = COMMANDS.get(command or "")
    return [module] if module else dict.fromkeys(COMMANDS.values())
