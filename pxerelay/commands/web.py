"""`pxerelay web`: the page, in the foreground; what it needs beside the daemon is imported when it is run."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from pxerelay.commands.common import FAILED, FOUND, OK, Commands, add_command, fail, tell

_DEFAULT_PATH = Path("/etc/pxerelay-web.yml")
"""Not in the mapping's folder: the role puts another one in the place of that."""

_CONTROL_SOCKET = Path("/run/pxerelay/control.sock")
"""The daemon's, also where the page is a unit with a $RUNTIME_DIRECTORY of its own."""

_MORE = """
A read-only page over the daemon's control socket, and JSON at /api/v1: docs/web.md. It needs the packages
of the extra `pxerelay[web]`, and runs best as a unit of its own.
"""

_EXAMPLES = """\
  pxerelay web --config /etc/pxerelay-web.yml
  pxerelay web --check
  pxerelay web --password help-desk >> /etc/pxerelay-web.passwords
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "web",
        _web,
        {
            OK: "ended by SIGTERM; with --check: clean",
            FOUND: "it can't listen; with --check: findings",
            FAILED: "its configuration does not load, or its packages are not there",
        },
        "a read-only page for a browser, and JSON",
        more=_MORE,
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "--config", type=Path, default=_DEFAULT_PATH, metavar="F", help=f"default: {_DEFAULT_PATH}"
    )
    parser.add_argument("--check", action="store_true", help="only check the configuration")
    parser.add_argument(
        "--password", metavar="USER", help="only ask for a password, and print the line of the password file"
    )
    parser.add_argument(
        "--socket",
        type=Path,
        default=_CONTROL_SOCKET,
        metavar="S",
        help=f"control socket; default: {_CONTROL_SOCKET}",
    )


def _web(arguments: argparse.Namespace) -> int:
    from pxerelay.config.findings import ConfigError, as_text

    try:
        from pxerelay.web import settings
    except ImportError:  # a package of a distribution may leave it out
        return fail("this installation of pxerelay has no page; install pxerelay[web] by pip")
    if arguments.password is not None:
        return _password(arguments.password)
    try:
        found = settings.load(arguments.config)
    except ConfigError as error:
        return fail(as_text(error.findings), FOUND if arguments.check else FAILED)
    if arguments.check:
        return OK
    try:
        from pxerelay.web import serve
    except ImportError as error:
        return fail(f"pxerelay web needs {error.name}: install pxerelay[web], or python3-{error.name}")
    from pxerelay.web.passwords import PasswordError

    try:
        serve.run(arguments.socket, found)
    except serve.ListenError as error:
        return fail(str(error), FOUND)
    except PasswordError as error:
        return fail(str(error))
    return OK


def _password(user: str) -> int:
    from pxerelay.web.passwords import PasswordError, line_of

    if sys.stdin.isatty():
        password = getpass.getpass(f"password of {user}: ")
        if password != getpass.getpass("again: "):
            return fail("these are two passwords; nothing was printed")
    else:
        password = sys.stdin.readline().rstrip("\n")
    try:
        tell(line_of(user, password))
    except PasswordError as error:
        return fail(str(error))
    return OK
