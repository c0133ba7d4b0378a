"""`pxerelay doctor`: what is wrong with this host, and with what the servers answer."""

from __future__ import annotations

import argparse
import asyncio

from pxerelay.commands.common import (
    FOUND,
    OK,
    Commands,
    add_command,
    add_config,
    add_daemon,
    add_format,
    fail,
    tell,
)
from pxerelay.config.findings import ConfigError
from pxerelay.config.load import load
from pxerelay.relay.survey_request import LONGEST
from pxerelay.wire.mac import MacError, parse_mac


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "doctor",
        _doctor,
        {OK: "nothing wrong, but for notes", FOUND: "findings"},
        "what is wrong with this host, its network and what the servers answer",
    )
    add_config(parser)
    add_daemon(parser)
    parser.add_argument("--interface", metavar="I", help="only this client interface; default: all")
    parser.add_argument(
        "--server", action="append", default=[], metavar="S", help="only this server, a name or address"
    )
    parser.add_argument(
        "--every-interface",
        action="store_true",
        help="ask each server from every client interface that sends to it; default: from one",
    )
    parser.add_argument("--no-probe", action="store_true", help="ask no server: send nothing")
    parser.add_argument(
        "--mac", metavar="MAC", help="ask in the name of this client, for servers that answer no others"
    )
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S", help="how long to wait; default 4")
    add_format(parser)


def _doctor(arguments: argparse.Namespace) -> int:
    from pxerelay.tools.doctor import asking, examine, gather, plan, report
    from pxerelay.tools.doctor.verdict import Severity

    try:
        loaded = load(arguments.config)
        chaddr = parse_mac(arguments.mac) if arguments.mac else asking.CHADDR
        if not 0 < arguments.seconds <= LONGEST:
            return fail(f"--seconds takes a number up to {LONGEST:.0f}")
    except (ConfigError, MacError) as error:
        return fail(str(error))
    wish = asking.Wish(
        interface=arguments.interface,
        servers=tuple(arguments.server),
        probe=not arguments.no_probe,
        everywhere=arguments.every_interface,
        chaddr=chaddr,
        seconds=arguments.seconds,
        timeout=arguments.timeout,
    )
    try:
        found = asyncio.run(examine.examine(loaded, arguments.config, arguments.socket, wish))
    except (gather.ElsewhereError, plan.UnknownNameError) as error:
        return fail(str(error))
    show = report.as_json if arguments.format == "json" else report.text
    tell(show(found.facts, found.asked, found.findings, found.facts6, found.asked6))
    wrong = any(finding.severity is not Severity.NOTE for finding in found.findings)
    return FOUND if wrong else OK
