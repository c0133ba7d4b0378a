"""`pxerelay status --watch`: a live table of VLANs, servers, rates and the last clients, by rich."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pxerelay.commands import rates
from pxerelay.commands.common import FAILED, NO_DAEMON, OK, fail
from pxerelay.linux import control_client
from pxerelay.wire.text import printable_all

_EVERY = 1.0
"""Seconds from one look to the next."""

_PATIENCE = 4.0
"""Seconds after which firmware asks again (PXE 2.1, 2.2.3)."""

_FIXED = 8
"""Lines that headings take."""

_COLOURS = {"up": "green", "doubtful": "yellow", "returning": "yellow", "down": "bold red"}

_LONGEST_DUID = 28
"""Digits of a DUID that are shown of a client whose MAC nobody told."""

_FEWEST = 3
"""Rows of a table that are shown however low the terminal is."""


def watch(arguments: argparse.Namespace) -> int:
    """Show the daemon's state again and again until Ctrl-C; one that is restarted is found again."""
    console = Console()
    if not console.is_terminal:
        return fail(
            "--watch draws on a terminal; for programs there are `status --json` and `metrics:`", FAILED
        )
    try:
        before = printable_all(control_client.ask(arguments.socket, "status", arguments.timeout))
    except control_client.NoDaemonError as error:
        return fail(str(error), NO_DAEMON)
    with suppress(KeyboardInterrupt), Live(console=console, screen=True, auto_refresh=False) as live:
        for shown in _screens(arguments, before, console):
            live.update(shown, refresh=True)
    return OK


def _screens(
    arguments: argparse.Namespace, before: dict[str, Any], console: Console
) -> Iterator[RenderableType]:
    then = time.monotonic()
    after, seconds = before, 1.0
    while True:
        yield screen(before, after, seconds, console.size.height)
        time.sleep(_EVERY)
        before = after
        try:
            after = printable_all(control_client.ask(arguments.socket, "status", arguments.timeout))
        except control_client.NoDaemonError as error:
            yield Text(str(error), style="bold red")
            continue
        now = time.monotonic()
        then, seconds = now, now - then


def screen(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float, height: int) -> Group:
    """Return what is shown of two states that are so many seconds apart, on a terminal of so many lines."""
    servers = rates.servers(before, after, seconds)
    interfaces = rates.interfaces(before, after, seconds)
    left = max(height - _FIXED - len(servers), 2 * _FEWEST)
    shown = max(min(len(interfaces), left // 2), _FEWEST)
    return Group(
        _head(after),
        _interfaces(interfaces, shown),
        _servers(servers),
        _clients(after["clients"][: max(left - min(shown, len(interfaces)), _FEWEST)]),
    )


def _head(status: Mapping[str, Any]) -> Text:
    config, counters = status["config"], status["counters"]
    text = Text(f"pxerelay {status['version']}  ", style="bold")
    text.append(f"{config['rules']} rules  sha256 {config['sha256'][:12]}  loaded {config['loaded_at']}", "")
    families = [counters, *([status["counters6"]] if "counters6" in status else [])]
    troubles = {
        "not sent": sum(one["send_failures"] for one in families),
        "lost for want of room": sum(one["not_received"] for one in families),
        "wrong checksum": sum(one["bad_checksums"] for one in families),
    }
    for what, number in troubles.items():
        if number:
            text.append(f"  {number} {what}", "yellow")
    if config["last_error"]:
        text.append(f"\nlast reload refused: {config['last_error']}", "bold red")
    return text


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, expand=True, header_style="bold reverse")
    for column in columns:
        right = column.endswith(("/s", "%", "ms", "ago", "total"))
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    return table


def _interfaces(rows: list[rates.InterfaceRates], shown: int) -> Table:
    table = _table("VLAN", "state", "", "requests/s", "replies/s", "dropped/s", "total")
    for row in rows[:shown]:
        state = Text(row.state, {"active": "green", "waiting": "yellow"}.get(row.state, ""))
        numbers = (_rate(row.requests), _rate(row.replies), _rate(row.dropped))
        table.add_row(row.name, state, row.about, *numbers, str(row.total))
    if len(rows) > shown:
        table.add_row(f"... and {len(rows) - shown} more")
    return table


def _servers(rows: list[rates.ServerRates]) -> Table:
    table = _table(
        "server", "address", "state", "requests/s", "replies/s", "answered %", "median ms", "last ago"
    )
    for row in rows:
        table.add_row(
            row.name,
            row.address,
            Text(row.state, _COLOURS.get(row.state, "")),
            _rate(row.requests),
            _rate(row.replies),
            "-" if row.answered is None else f"{row.answered:.0%}".removesuffix("%"),
            "-" if row.median is None else f"{row.median * 1000:.1f}",
            "-" if row.last_reply_ago is None else _ago(row.last_reply_ago),
        )
    return table


def _clients(clients: list[Mapping[str, Any]]) -> Table:
    table = _table("last client", "VLAN", "rule", "went to", "answered", "ago")
    for client in clients:
        answers = [f"{_named(one)} {one['milliseconds']:.1f} ms" for one in client["answers"]]
        missing = "no answer yet" if client["ago"] < _PATIENCE else "no answer"
        told = ", ".join(answers) or (missing if client["returns"] else "answers go to the router")
        table.add_row(
            client["mac"] or f"DUID {client.get('duid', '')[:_LONGEST_DUID]}",
            client["interface"] or "",
            Text(client["rule"]),  # which is no markup
            ", ".join(map(_named, client["servers"])),
            Text(told, "" if answers or not client["returns"] else "yellow"),
            _ago(client["ago"]),
        )
    return table


def _named(server: Mapping[str, str]) -> str:
    return " ".join(dict.fromkeys((server["server"], server["address"])))


def _rate(number: float) -> str:
    return f"{number:.1f}" if number else "-"


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
