"""The command line: arguments in, exit codes out; everything else is elsewhere."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pxerelay import __version__, control, findings, log, probe, review
from pxerelay.arch import ARCHITECTURES, EXPECTED, NUMBER_OF
from pxerelay.findings import ConfigError, did_you_mean
from pxerelay.load import DEFAULT_PATH, UnreadableError, load
from pxerelay.mac import MacError, parse_mac

OK, FOUND, FAILED, NO_DAEMON = 0, 1, 2, 3
"""Exit codes: all well; findings, or a reload was refused; could not run; nobody at the socket."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except _OutputError as error:
        return _fail(str(error)) if str(error) else FAILED


class _OutputError(Exception):
    """What was to be printed could not be; the message is empty if nobody reads it any more."""


def _tell(text: str) -> None:
    """Print, now; what can't be printed is not tried again at the interpreter's end."""
    try:
        print(text, flush=True)
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        gone = isinstance(error, BrokenPipeError)
        raise _OutputError("" if gone else f"can't write the output: {error.strerror}") from error


def _run(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing has been read yet that could be read again
    log.set_up(debug=arguments.debug)
    from pxerelay.daemon import Daemon, StartError

    async def relay() -> None:
        await Daemon(arguments.config, arguments.socket, debug=arguments.debug).run()

    try:
        asyncio.run(relay())
    except ConfigError as error:
        log.LOGGER.error("%s", error)
        return FAILED
    except StartError as error:
        log.LOGGER.error("%s", error)
        return FOUND
    return OK


def _check(arguments: argparse.Namespace) -> int:
    if arguments.stands_at and len(arguments.files) != 1:
        return _fail("--as goes with one file")
    found: list[findings.Finding] = []
    code = OK
    for path in arguments.files or [DEFAULT_PATH]:
        try:
            load(path, arguments.stands_at)
        except UnreadableError as error:
            found.extend(error.findings)
            code = FAILED
        except ConfigError as error:
            found.extend(error.findings)
            code = max(code, FOUND)
    text = findings.FORMATS[arguments.format](found)
    if text:
        _tell(text)
    return code


def _explain(arguments: argparse.Namespace) -> int:
    try:
        loaded = load(arguments.config)
        numbers = tuple(map(_architecture, arguments.arch))
        for mac in arguments.macs:
            explanation = review.explain(
                loaded.config,
                loaded.documents,
                parse_mac(mac),
                arguments.interface,
                os.fsencode(arguments.vendor_class),
                numbers,
            )
            _tell(review.FORMATS[arguments.format](explanation))
    except (ConfigError, MacError, LookupError) as error:
        return _fail(str(error.args[0] if isinstance(error, LookupError) else error))
    return OK


def _architecture(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else NUMBER_OF.get(text.casefold())
    if number is None or number > 0xFFFF:
        hint = did_you_mean(text, ARCHITECTURES.values()) or EXPECTED
        raise LookupError(f"no architecture is named '{text}'{hint}")
    return number


def _status(arguments: argparse.Namespace) -> int:
    def show(answer: dict[str, Any]) -> str:
        return json.dumps(answer, indent=2) if arguments.json else _status_text(answer)

    return _ask(arguments, "status", show)


def _status_text(answer: dict[str, Any]) -> str:
    config, counters = answer["config"], answer["counters"]
    dropped = {reason: number for reason, number in counters["dropped"].items() if number}
    lines = [
        f"pxerelay {answer['version']}",
        f"config     {config['path']}, {config['rules']} rules, loaded {config['loaded_at']}",
        f"sha256     {config['sha256']}",
    ]
    if config["last_error"]:
        lines.append(f"refused    {config['last_error']}")
    for name, port in answer["interfaces"].items():
        lines.append(f"interface  {name} {port['state']}, {port['waiting'] or 'giaddr ' + port['giaddr']}")
    lines.append(
        f"requests   {counters['requests']} relayed, {counters['sent_to_servers']} copies sent to servers"
    )
    for name, dns in answer["dns"].items():
        error = f" ({dns['error']})" if dns["error"] else ""
        lines.append(f"server     {name} is {', '.join(dns['addresses']) or 'unknown'}{error}")
    lines.append(f"replies    {counters['replies']} relayed")
    troubles = (
        ("send_failures", "not sent   {}, the log says why"),
        ("not_received", "lost       {} before they were read: receive buffer full"),
        ("bad_checksums", "damaged    {} with a wrong UDP checksum"),
        ("without_option82", "too large  {} for option 82, relayed without it"),
    )
    lines.extend(text.format(counters[counter]) for counter, text in troubles if counters[counter])
    lines.extend(f"dropped    {number} {reason}" for reason, number in dropped.items())
    return "\n".join(lines)


def _reload(arguments: argparse.Namespace) -> int:
    return _ask(arguments, "reload", lambda answer: f"reloaded: {answer['rules']} rules")


def _probe(arguments: argparse.Namespace) -> int:
    try:
        numbers = list(map(_architecture, arguments.arch)) or [0]
        parse_mac(arguments.mac)
    except (MacError, LookupError) as error:
        return _fail(str(error.args[0]))
    answers: list[dict[str, Any]] = []

    def show(answer: dict[str, Any]) -> str:
        answers.append(answer)
        return json.dumps(answer, indent=2) if arguments.json else probe.text(answer)

    code = _ask(
        arguments,
        "probe",
        show,
        mac=arguments.mac,
        interface=arguments.interface,
        vendor_class=arguments.vendor_class,
        architectures=numbers,
        seconds=arguments.seconds,
        expected=arguments.expect,
    )
    if code != OK:
        return code
    fine = probe.answered_by(answers[0], arguments.expect) if arguments.expect else answers[0]["answers"]
    return OK if fine else FOUND


def _ask(
    arguments: argparse.Namespace, command: str, show: Callable[[dict[str, Any]], str], **more: object
) -> int:
    try:
        answer = control.ask(arguments.socket, command, **more)
    except control.NoDaemonError as error:
        return _fail(str(error), NO_DAEMON)
    if "error" in answer:
        return _fail(answer["error"], FOUND)
    _tell(show(answer))
    return OK


def _fail(message: str, code: int = FAILED) -> int:
    print(message, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pxerelay", description="DHCP relay agent that chooses the PXE boot server per client."
    )
    parser.add_argument("--version", action="version", version=f"pxerelay {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="relay, in the foreground")
    _add_config(run)
    _add_socket(run)
    run.add_argument("--debug", action="store_true", help="log every decision in words")
    run.set_defaults(run=_run)

    check = commands.add_parser("check", help="validate configuration files")
    check.add_argument("files", nargs="*", type=Path, metavar="F", help=f"default: {DEFAULT_PATH}")
    check.add_argument("--format", choices=findings.FORMATS, default="text")
    check.add_argument(
        "--as",
        dest="stands_at",
        type=Path,
        metavar="PATH",
        help="check F as though it stood at PATH: includes are looked up there",
    )
    check.set_defaults(run=_check)

    explain = commands.add_parser("explain", help="which server a client gets, and why")
    explain.add_argument("macs", nargs="+", metavar="MAC")
    _add_config(explain)
    explain.add_argument("--interface", metavar="I", help="client interface; default: relayed by a router")
    explain.add_argument(
        "--arch", action="append", default=[], metavar="N", help="option 93: number or IANA name"
    )
    explain.add_argument(
        "--vendor-class",
        default="PXEClient",
        metavar="S",
        help="option 60; default PXEClient, '' for a client that is not booting from the network",
    )
    explain.add_argument("--format", choices=review.FORMATS, default="text")
    explain.set_defaults(run=_explain)

    status = commands.add_parser("status", help="what the running daemon holds and counts")
    status.add_argument("--json", action="store_true", help="for programs")
    _add_socket(status)
    status.set_defaults(run=_status)

    ask = commands.add_parser(
        "probe", help="have the daemon ask servers as this client would, and tell who answers"
    )
    ask.add_argument("mac", metavar="MAC")
    ask.add_argument("--interface", metavar="I", help="client interface; default: the only one there is")
    ask.add_argument(
        "--arch", action="append", default=[], metavar="N", help="option 93; default 0, a PC with a BIOS"
    )
    ask.add_argument("--vendor-class", default="PXEClient", metavar="S", help="option 60; default PXEClient")
    ask.add_argument("--seconds", type=float, default=4.0, metavar="S", help="how long to wait; default 4")
    ask.add_argument(
        "--expect", metavar="SERVER", help="exit with 1 unless this server answers: a name or address"
    )
    ask.add_argument("--json", action="store_true", help="for programs")
    _add_socket(ask)
    ask.set_defaults(run=_probe)

    reload = commands.add_parser("reload", help="have the daemon load its configuration again")
    _add_socket(reload)
    reload.set_defaults(run=_reload)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_PATH, metavar="F", help=f"default: {DEFAULT_PATH}"
    )


def _add_socket(parser: argparse.ArgumentParser) -> None:
    path = control.default_path()
    parser.add_argument(
        "--socket", type=Path, default=path, metavar="S", help=f"control socket; default: {path}"
    )
