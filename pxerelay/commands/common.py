"""What commands share: exit codes, printing, arguments, asking the daemon.

One is run every second (`healthy`). What takes milliseconds to import and is not needed by all is imported
where it is needed; `typing` is only there for mypy.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping

from pxerelay.config import DEFAULT_PATH
from pxerelay.linux import control_client
from pxerelay.wire.text import printable_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

OK, FOUND, FAILED, NO_DAEMON = 0, 1, 2, 3

EXITS = {
    OK: "all is well",
    FOUND: "findings, or something was refused",
    FAILED: "could not run",
    NO_DAEMON: "no daemon answers",
}
"""What exit codes mean with any command; what they mean with one of them is declared beside it."""

_NARROWEST, _MARGIN = 13, 2
"""Columns of a help text at least, and those that are left free, as argparse has it."""


class HelpText(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse asks shutil, which brings all compression libraries along."""

    def __init__(self, prog: str, *options: Any, **more: Any) -> None:
        more.setdefault("width", max(_columns() - _MARGIN, _NARROWEST))
        super().__init__(prog, *options, **more)


def _columns() -> int:
    """Return what `COLUMNS` says, else the terminal's width, else 80."""
    text = os.environ.get("COLUMNS", "")
    if text.isdecimal() and int(text):
        return int(text)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 80
    except (OSError, ValueError):
        return 80


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What each command adds its parser to."""


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    exits: Mapping[int, str],
    help: str,  # noqa: A002  # as argparse calls it
    *,
    description: str | None = None,
    more: str = "",
    examples: str = "",
) -> argparse.ArgumentParser:
    """Declare a command: what carries it out, what its exit codes mean, what its help text says at the end.

    Help, manual page and the table of docs/commands.md have the exit codes from here. Each command may
    fail: where `exits` does not say what that means, it could not run.
    """
    exits = {code: exits.get(code, EXITS[code]) for code in EXITS if code in exits or code == FAILED}
    codes = "\n".join(f"  {code}  {meaning}" for code, meaning in exits.items())
    parts = [more.strip("\n"), f"exit codes:\n{codes}", f"examples:\n{examples}" if examples else ""]
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog="\n\n".join(filter(None, parts)),
        formatter_class=HelpText,
    )
    parser.set_defaults(run=run, exits=exits)
    return parser


class OutputError(Exception):
    """What was to be printed could not be; the message is empty if nobody reads it any more."""


def tell(text: str) -> None:
    """Print, now; what can't be printed is not tried again at the interpreter's end.

    Whoever wrote what is in it, a terminal gets nothing but text.
    """
    try:
        print(printable_lines(text), flush=True)
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        gone = isinstance(error, BrokenPipeError)
        raise OutputError("" if gone else f"can't write the output: {error.strerror}") from error


def fail(message: str, code: int = FAILED) -> int:
    """Print what is wrong, and return the exit code that says so."""
    print(printable_lines(message), file=sys.stderr)
    return code


def architecture(text: str) -> int:
    """Return the number of a client architecture (option 93) by number or name; LookupError if it is none."""
    from pxerelay.wire.arch import ARCHITECTURES, EXPECTED, NUMBER_OF

    number = int(text) if text.isascii() and text.isdecimal() else NUMBER_OF.get(text.casefold())
    if number is None or number > 0xFFFF:
        from pxerelay.config.findings import did_you_mean

        hint = did_you_mean(text, ARCHITECTURES.values()) or EXPECTED
        raise LookupError(f"no architecture is named '{text}'{hint}")
    return number


def ask(
    arguments: argparse.Namespace, command: str, show: Callable[[dict[str, Any]], str], **more: object
) -> int:
    """Ask the daemon, print its answer, and return the exit code."""
    try:
        answer = control_client.ask(arguments.socket, command, arguments.timeout, **more)
    except control_client.NoDaemonError as error:
        return fail(str(error), NO_DAEMON)
    if "error" in answer:
        return fail(answer["error"], FOUND)
    tell(show(answer))
    return OK


class _Format(argparse.Action):
    """Stores the format that is wanted; --json beside --format of another one is a mistake."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002  # an abbreviation, maybe
    ) -> None:
        said = getattr(namespace, "formats", {})
        said[self.option_strings[0]] = self.const or values
        if len(set(said.values())) > 1:
            parser.error(f"--json is short for --format json: leave it out, or --format {said['--format']}")
        namespace.formats, namespace.format = said, self.const or values


def add_format(
    parser: argparse.ArgumentParser,
    formats: Iterable[str] = ("text", "json"),
    meaning: str = "for programs",
) -> None:
    """Add the options that choose how the output is written; `meaning` is what JSON is and is for."""
    parser.add_argument(
        "--format", action=_Format, choices=tuple(formats), default="text", help="default: text"
    )
    parser.add_argument(
        "--json",
        action=_Format,
        dest="format",
        nargs=0,
        const="json",
        default="text",
        help=f"{meaning}; short for --format json",
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the configuration file."""
    from pathlib import Path

    parser.add_argument(
        "--config", type=Path, default=DEFAULT_PATH, metavar="F", help=f"default: {DEFAULT_PATH}"
    )


def add_any_config(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a configuration, one of a revision too (`files`)."""
    parser.add_argument(
        "--config",
        default=str(DEFAULT_PATH),
        metavar="F",
        help=f"a file, or REV:PATH of git; default: {DEFAULT_PATH}",
    )


def add_socket(parser: argparse.ArgumentParser, kind: Callable[[str], object] | None = None) -> None:
    """Add the option that names the daemon's control socket: a `Path`, or of another kind."""
    if kind is None:
        from pathlib import Path

        kind = Path
    path = control_client.default_path()
    parser.add_argument(
        "--socket", type=kind, default=path, metavar="S", help=f"control socket; default: {path}"
    )


def add_daemon(
    parser: argparse.ArgumentParser,
    timeout: float = control_client.TIMEOUT,
    kind: Callable[[str], object] | None = None,
) -> None:
    """Add the options of commands that ask the daemon: where, and how long to wait for one that is silent."""
    add_socket(parser, kind)
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=timeout,
        metavar="T",
        help="seconds to wait for a daemon that does not answer; default: "
        f"{timeout:g}, and what the command itself takes",
    )


_LONGEST_TIMEOUT = 3600.0


def _seconds(text: str) -> float:
    """Return a number of seconds that somebody may wait."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= _LONGEST_TIMEOUT:
        message = f"'{text}' is no number of seconds above 0 and up to {_LONGEST_TIMEOUT:.0f}"
        raise argparse.ArgumentTypeError(message)
    return seconds
