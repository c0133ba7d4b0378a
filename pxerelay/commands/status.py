"""`pxerelay status` and `pxerelay reload`: what the running daemon holds and counts; load it again."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pxerelay.commands.common import Commands, add_socket, ask


def add(commands: Commands) -> None:
    """Declare the command."""
    status = commands.add_parser("status", help="what the running daemon holds and counts")
    status.add_argument("--json", action="store_true", help="for programs")
    add_socket(status)
    status.set_defaults(run=_status)

    reload = commands.add_parser("reload", help="have the daemon load its configuration again")
    add_socket(reload)
    reload.set_defaults(run=_reload)


def _status(arguments: argparse.Namespace) -> int:
    def show(answer: dict[str, Any]) -> str:
        return json.dumps(answer, indent=2) if arguments.json else _status_text(answer)

    return ask(arguments, "status", show)


def _status_text(answer: dict[str, Any]) -> str:
    config, counters = answer["config"], answer["counters"]
    dropped = {reason: number for reason, number in counters["dropped"].items() if number}
    lines = [
        f"pxerelay {answer['version']}",
        f"config     {config['path']}, {config['rules']} rules, loaded {config['loaded_at']}",
        f"sha256     {config['sha256']}",
    ]
    if config["ended"] or config["next_end"]:
        following = f"; the next end with {config['next_end']}" if config["next_end"] else ""
        lines.append(f"ended      {config['ended']} rules{following}")
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
    return ask(arguments, "reload", lambda answer: f"reloaded: {answer['rules']} rules")
