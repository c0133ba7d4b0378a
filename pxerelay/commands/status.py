"""`pxerelay status` and `pxerelay reload`: what the running daemon holds and counts; load it again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
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
    fail,
)
from pxerelay.commands.rates import median, share_answered


def add(commands: Commands) -> None:
    """Declare the command."""
    exits = {OK: "told", FOUND: "the daemon refused", NO_DAEMON: EXITS[NO_DAEMON]}
    status = add_command(commands, "status", _status, exits, "what the running daemon holds and counts")
    add_format(status)
    status.add_argument("--watch", action="store_true", help="a live table, until Ctrl-C")
    add_daemon(status)

    exits = {OK: "taken", FOUND: "refused, and nothing changed", NO_DAEMON: EXITS[NO_DAEMON]}
    reload = add_command(commands, "reload", _reload, exits, "have the daemon load its configuration again")
    add_daemon(reload)


def _status(arguments: argparse.Namespace) -> int:
    if arguments.watch:
        if arguments.format != "text":
            return fail("--watch is a table for people: it goes without --json")
        from pxerelay.commands.watch import watch

        return watch(arguments)

    def show(answer: dict[str, Any]) -> str:
        return json.dumps(answer, indent=2) if arguments.format == "json" else _status_text(answer)

    return ask(arguments, "status", show)


def _rules(count: int) -> str:
    return "1 rule" if count == 1 else f"{count} rules"


def _status_text(answer: dict[str, Any]) -> str:
    config, counters = answer["config"], answer["counters"]
    lines = [
        f"pxerelay {answer['version']}",
        f"config     {config['path']}, {_rules(config['rules'])}, loaded {config['loaded_at']}",
        f"sha256     {config['sha256']}",
    ]
    if config["ended"] or config["next_end"]:
        following = f"; the next end with {config['next_end']}" if config["next_end"] else ""
        lines.append(f"ended      {_rules(config['ended'])}{following}")
    if config["last_error"]:
        lines.append(f"refused    {config['last_error']}")
    health = answer["health"]
    lines.extend(f"health     {health['state']}: {one['text']}" for one in health["reasons"])
    metrics = answer["metrics"]
    if metrics["at"]:
        error = f", but: {metrics['error']}" if metrics["error"] else ""
        lines.append(f"metrics    at {metrics['at']}{error}")
    for name, port in answer["interfaces"].items():
        lines.append(f"interface  {name} {_port_text(port)}")
    lines.append(
        f"requests   {counters['requests']} relayed, {counters['sent_to_servers']} copies sent to servers"
    )
    for name, dns in answer["dns"].items():
        error = f" ({dns['error']})" if dns["error"] else ""
        lines.append(f"server     {name} is {', '.join(dns['addresses']) or 'unknown'}{error}")
    lines.append(f"replies    {counters['replies']} relayed")
    if counters6 := answer.get("counters6"):
        copies, replies = counters6["sent_to_servers"], counters6["replies"]
        lines.append(
            f"DHCPv6     {counters6['requests']} requests relayed, {copies} copies sent to servers, "
            f"{replies} replies relayed"
        )
        sources = counters6.get("mac_sources", {})
        told = ", ".join(f"{number} by {_SOURCES[source]}" for source, number in sources.items() if number)
        if told:
            lines.append(f"MACs       {told}")
    for name, addresses in answer["servers"].items():
        lines.extend(f"answers    {name} {_server_text(address, row)}" for address, row in addresses.items())
    lines.extend(_troubles(counters))
    lines.extend(f"{line} (DHCPv6)" for line in _troubles(counters6 or {}))
    return "\n".join(lines)


_SOURCES = {
    "frame": "the frame",
    "option79": "option 79",
    "eui64": "the client's address",
    "none": "nobody: only `option79` on that router would tell",
}
"""What told the MACs of DHCPv6 clients, in words."""


def _port_text(port: Mapping[str, Any]) -> str:
    """Tell what a client interface is in each family that is relayed there."""
    parts = []
    if port["state"] != "off":
        parts.append(f"{port['state']}, {port['waiting'] or 'giaddr ' + port['giaddr']}")
    if of6 := port.get("ipv6"):
        stands = of6["waiting"] or f"link-address {of6['link_address']}"
        parts.append(f"DHCPv6 {of6['state']}, {stands}")
    return "; ".join(parts)


def _troubles(counters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what went wrong, a line for each kind, of one family."""
    troubles = (
        ("send_failures", "not sent   {}, the log says why"),
        ("not_received", "lost       {} before they were read: receive buffer full"),
        ("bad_checksums", "damaged    {} with a wrong UDP checksum"),
        ("without_option82", "too large  {} for option 82, relayed without it"),
    )
    yield from (text.format(counters[counter]) for counter, text in troubles if counters.get(counter))
    for reason, number in counters.get("dropped", {}).items():
        if number:
            yield f"dropped    {number} {reason}"


def _server_text(address: str, row: Mapping[str, Any]) -> str:
    """Tell what a server did with what it was sent."""
    parts = [f"{address}{_state_text(row)}", f"{row['requests']} requests", f"{row['replies']} replies"]
    share, typical = share_answered(row), median(row["answers_within"])
    if share is not None:
        parts.append(f"{share:.0%} of {'SOLICITs' if ':' in address else 'DISCOVERs'} answered")
    if typical is not None:
        parts.append(f"half of them within {typical * 1000:.1f} ms")
    if row["last_reply_ago"] is not None:
        parts.append(f"last heard {row['last_reply_ago']:.0f} s ago")
    return ", ".join(parts)


def _state_text(row: Mapping[str, Any]) -> str:
    """Tell what is thought of a server that is one of several to choose from."""
    if "state" not in row:
        return ""
    if row["doubtful"]:
        return f" {row['state']} since {row['since']}, but has not answered lately: the next one gets a copy"
    returns = f", clients return in {row['returns_in']} s" if row["returns_in"] else ""
    return f" {row['state']} since {row['since']}{returns}"


def _reload(arguments: argparse.Namespace) -> int:
    return ask(arguments, "reload", lambda answer: f"reloaded: {_rules(answer['rules'])}")
