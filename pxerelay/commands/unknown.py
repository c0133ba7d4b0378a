"""`pxerelay unknown`: clients of the running daemon that fell to a default, as rules to paste."""

from __future__ import annotations

import argparse
import json
import re
from datetime import datetime, timedelta
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
    ask,
)
from pxerelay.linux.vendors import vendors
from pxerelay.relay.unknown import as_yaml
from pxerelay.wire.mac import parse_mac

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_DURATION = re.compile(r"([0-9]{1,9})([smhd])")


def add(commands: Commands) -> None:
    """Declare the command."""
    exits = {OK: "told", FOUND: "the daemon refused", NO_DAEMON: EXITS[NO_DAEMON]}
    parser = add_command(
        commands, "unknown", _unknown, exits, "clients that fell to a default, as rules to paste"
    )
    parser.add_argument(
        "--interface",
        metavar="I",
        help="only those of this client interface, or behind the router with this address",
    )
    parser.add_argument(
        "--since", type=_duration, metavar="T", help="only those seen in this time, such as 30m, 12h or 2d"
    )
    parser.add_argument("--pxe", action="store_true", help="only those that boot from the network")
    add_format(parser)
    add_daemon(parser)


def _duration(text: str) -> int:
    """Return the seconds that a text such as `2h` stands for."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is no time such as 30m, 12h or 2d")
    return int(found[1]) * _UNITS[found[2]]


def _unknown(arguments: argparse.Namespace) -> int:
    as_json = arguments.format == "json"

    def show(answer: dict[str, Any]) -> str:
        now = datetime.now().astimezone()
        clients, nameless = (
            [client for client in answer[key] if _wanted(client, arguments)]
            for key in ("clients", "without_mac")
        )
        makers = vendors(parse_mac(client["mac"]) for client in clients)
        for client in (*clients, *nameless):
            client["vendor"] = makers.get(parse_mac(client["mac"]), "") if client["mac"] else ""
            for when in ("first", "last"):
                client[f"{when}_seen"] = _seen(now, client.pop(f"{when}_ago"), json=as_json)
        if as_json:
            return json.dumps({**answer, "clients": clients, "without_mac": nameless}, indent=2)
        return as_yaml(clients, _title(answer, clients, now), nameless)

    return ask(arguments, "unknown", show)


def _wanted(client: dict[str, Any], arguments: argparse.Namespace) -> bool:
    return (
        (arguments.interface is None or arguments.interface in (client["interface"], client["router"]))
        and (arguments.since is None or client["last_ago"] <= arguments.since)
        and (client["pxe"] or not arguments.pxe)
    )


def _seen(now: datetime, seconds_ago: int, *, json: bool) -> str:
    when = now - timedelta(seconds=seconds_ago)
    return when.isoformat(timespec="seconds") if json else f"{when:%Y-%m-%d %H:%M}"


def _title(answer: dict[str, Any], clients: list[dict[str, Any]], now: datetime) -> str:
    what = "nobody fell to a default"
    if clients:
        what = "fell to a default, newest first; put the right server in"
    elif others := len(answer["clients"]):
        what = f"{others} fell to a default, and none of them is as asked for"
    forgotten = answer["forgotten"] + answer["overlooked"]
    note = (
        f"; {answer['most']} clients are kept, others were forgotten {forgotten} times" if forgotten else ""
    )
    return f"{what}; pxerelay unknown, {now:%Y-%m-%d %H:%M}{note}"
