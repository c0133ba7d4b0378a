"""`pxerelay completion`: what shells complete the commands by."""

from __future__ import annotations

import argparse

from pxerelay import completions
from pxerelay.commands.common import OK, Commands, add_command, tell


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "completion",
        _completion,
        {OK: "printed"},
        "print what a shell completes these commands by: source <(pxerelay completion bash)",
    )
    parser.add_argument("shell", choices=list(completions.SHELLS))


def _completion(arguments: argparse.Namespace) -> int:
    tell(completions.script(arguments.shell).rstrip("\n"))
    return OK
