"""`pxerelay explain`: which server a client gets, and why."""

from __future__ import annotations

import argparse
import os

from pxerelay import clock, review
from pxerelay.commands.common import OK, Commands, add_config, architecture, fail, tell
from pxerelay.findings import ConfigError
from pxerelay.load import load
from pxerelay.mac import MacError, parse_mac


def add(commands: Commands) -> None:
    """Declare the command."""
    explain = commands.add_parser("explain", help="which server a client gets, and why")
    explain.add_argument("macs", nargs="+", metavar="MAC")
    add_config(explain)
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


def _explain(arguments: argparse.Namespace) -> int:
    try:
        loaded = load(arguments.config)
        numbers = tuple(map(architecture, arguments.arch))
        for mac in arguments.macs:
            explanation = review.explain(
                loaded.config,
                loaded.documents,
                parse_mac(mac),
                clock.today(),
                arguments.interface,
                os.fsencode(arguments.vendor_class),
                numbers,
            )
            tell(review.FORMATS[arguments.format](explanation))
    except (ConfigError, MacError, LookupError) as error:
        return fail(str(error.args[0] if isinstance(error, LookupError) else error))
    return OK
