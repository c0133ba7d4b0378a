"""`pxerelay healthy`: whether clients should be sent to this relay.

Run every second or more often by what chooses among relays: it imports no more than it needs, no `Path` even.
"""

from __future__ import annotations

import argparse

from pxerelay.commands.common import (
    FAILED,
    FOUND,
    NO_DAEMON,
    OK,
    Commands,
    add_command,
    add_daemon,
    fail,
    tell,
)
from pxerelay.linux import control_client

_TIMEOUT = 1.0
"""Seconds within which a relay answers that clients should be sent to."""

_SHA256_DIGITS = 64

_WORDS = {"well": "well", "degraded": "degraded", "not-ready": "not ready"}
"""The states of `relay.own_health.State`, as people are told."""

_CODES = {"well": OK, "degraded": FOUND, "not-ready": FAILED}

_MORE = """
For what chooses among several relays by their health: routing daemons that announce an address while the
relay is well, and orchestrators. Degraded: prefer another one, if there is one. Each reason is a word and a
line of text; docs/healthy.md has a row for each.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    exits = {
        OK: "well",
        FOUND: "degraded, or drained: it relays, but another one is to be preferred",
        FAILED: "not ready, as it has begun a moment ago; or could not run",
        NO_DAEMON: "nobody answers in time",
    }
    about = "tell whether clients should be sent to this relay"
    healthy = add_command(commands, "healthy", _healthy, exits, about, more=_MORE)
    add_daemon(healthy, _TIMEOUT, str)
    healthy.add_argument(
        "--expect-sha256",
        type=_sha256,
        metavar="H",
        help="degraded if the configuration in force has another checksum than this (status tells it)",
    )


def _healthy(arguments: argparse.Namespace) -> int:
    try:
        answer = control_client.ask(arguments.socket, "health", arguments.timeout)
    except control_client.NoDaemonError as error:
        return fail(str(error), NO_DAEMON)
    state = answer.get("state")
    if state not in _CODES:
        return fail(answer.get("error", "the daemon tells no state that this version knows"))
    reasons = [(one["reason"], one["text"]) for one in answer["reasons"]]
    expected = arguments.expect_sha256
    if expected and expected != answer["sha256"]:
        reasons.append(("other-sha256", f"the configuration in force is {answer['sha256']}"))
        state = "degraded" if state == "well" else state
    tell("\n".join([_WORDS[state], *(f"{reason:<18} {text}" for reason, text in reasons)]))
    return _CODES[state]


def _sha256(text: str) -> str:
    """Return a checksum as `status` tells it."""
    found = text.strip().lower()
    if len(found) != _SHA256_DIGITS or not set(found) <= set("0123456789abcdef"):
        message = f"'{text}' is no SHA-256: 64 hexadecimal digits, as `pxerelay status` tells it"
        raise argparse.ArgumentTypeError(message)
    return found
