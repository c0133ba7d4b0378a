"""`pxerelay drain` and `pxerelay undrain`: take this relay out of rotation, and bring it back."""

from __future__ import annotations

import argparse
from typing import Any

from pxerelay.commands.common import EXITS, FOUND, NO_DAEMON, OK, Commands, add_command, add_daemon, ask

_MORE = """
`pxerelay healthy` then says degraded, with the reason drained, until `pxerelay undrain`: also after a reload,
a restart of the daemon, or one of the host.
"""


def add(commands: Commands) -> None:
    """Declare the commands."""
    exits = {
        OK: "done, or it was so already",
        FOUND: "refused, and nothing changed",
        NO_DAEMON: EXITS[NO_DAEMON],
    }
    about = "take this relay out of rotation; it goes on relaying"
    add_daemon(add_command(commands, "drain", _drain, exits, about, more=_MORE))
    about = "bring this relay back into rotation"
    add_daemon(add_command(commands, "undrain", _undrain, exits, about))


def _drain(arguments: argparse.Namespace) -> int:
    return ask(arguments, "drain", _told)


def _undrain(arguments: argparse.Namespace) -> int:
    return ask(arguments, "undrain", _told)


def _told(answer: dict[str, Any]) -> str:
    return str(answer["text"]) if answer["changed"] else f"nothing to do: {answer['text']}"
