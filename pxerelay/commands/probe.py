"""`pxerelay probe`: have the daemon ask servers in the name of a client."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pxerelay.commands.common import (
    EXITS,
    FOUND,
    NO_DAEMON,
    OK,
    Commands,
    add_command,
    add_daemon,
    add_format,
    architecture,
    ask,
    fail,
)
from pxerelay.wire import probe
from pxerelay.wire.mac import MacError, parse_mac


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "probe",
        _probe,
        {
            OK: "answered",
            FOUND: "answered by nobody, not by the expected one, or by DHCPv6 without an address; "
            "or the daemon refused",
            NO_DAEMON: EXITS[NO_DAEMON],
        },
        "have the daemon ask servers as this client would, and tell who answers",
    )
    parser.add_argument("mac", metavar="MAC")
    parser.add_argument(
        "--family", choices=("4", "6"), help="ask by DHCPv4 or DHCPv6; default: by each that is on there"
    )
    parser.add_argument("--interface", metavar="I", help="client interface; default: the only one there is")
    parser.add_argument(
        "--link-address",
        metavar="ADDRESS",
        help="ask by DHCPv6 as a client behind a router does, which relays with this link-address",
    )
    parser.add_argument(
        "--arch",
        action="append",
        default=[],
        metavar="N",
        help="option 93 or 61; default 0, a PC with a BIOS, and by DHCPv6 7, 64-bit UEFI",
    )
    parser.add_argument(
        "--vendor-class", default="PXEClient", metavar="S", help="option 60 or 16; default PXEClient"
    )
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S", help="how long to wait; default 4")
    parser.add_argument(
        "--expect", metavar="SERVER", help="exit with 1 unless this server answers: a name or address"
    )
    add_format(parser)
    add_daemon(parser)


def _probe(arguments: argparse.Namespace) -> int:
    try:
        numbers = list(map(architecture, arguments.arch))
        parse_mac(arguments.mac)
    except (MacError, LookupError) as error:
        return fail(str(error.args[0]))
    answers: list[dict[str, Any]] = []

    def show(answer: dict[str, Any]) -> str:
        answers.append(answer)
        return json.dumps(answer, indent=2) if arguments.format == "json" else probe.text(answer)

    code = ask(
        arguments,
        "probe",
        show,
        mac=arguments.mac,
        interface=arguments.interface,
        vendor_class=arguments.vendor_class,
        architectures=numbers,
        seconds=arguments.seconds,
        expected=arguments.expect,
        families=[int(arguments.family)] if arguments.family else [],
        link_address=arguments.link_address,
    )
    if code != OK:
        return code
    return OK if probe.is_answered(answers[0], arguments.expect) else FOUND
