"""What a relay host says of itself, compared with what it should be, and put in a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

_SETTLED = 60.0
"""Seconds for which hosts may think otherwise of a server: none of them notices at the same moment."""


def mismatches(running: Mapping[str, Any], wanted: Mapping[str, str]) -> list[str]:
    """Return one line for each way in which the daemon's `config` part of `status --json` is not WANTED."""
    held: Mapping[str, str] = running.get("files") or {}
    lines = [f"its last reload was refused: {running['last_error']}"] if running.get("last_error") else []
    for path in sorted({*held, *wanted}):
        if path not in held:
            lines.append(f"{path}: not loaded")
        elif path not in wanted:
            lines.append(f"{path}: loaded, though this play does not write it")
        elif held[path] != wanted[path]:
            lines.append(f"{path}: sha256 {held[path]} is loaded, {wanted[path]} was written")
    return lines


def holds(about: Mapping[str, str], text: str, mode: str = "0644") -> bool:
    """Tell whether a path of `facts` is a file of root's with this text and mode."""
    return (
        about.get("type") == "file"
        and about["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        and (about["owner"], about["group"], about["mode"]) == ("root", "root", mode)
    )


def row(answer: Mapping[str, Any], host: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return a host's row of the fleet's table.

    `answer` is what the task registered that ran `pxerelay status --json` there, `wanted` the checksums by
    path of what the inventory says; none if it says nothing that could be rendered. What the host thinks of
    servers is in it besides, for `views`.
    """
    if answer.get("unreachable"):
        return {"host": host, "last error": "can't be reached"}
    if answer.get("rc") != 0:
        told = str(answer.get("stderr") or answer.get("msg") or "no answer").strip().splitlines()
        return {"host": host, "last error": told[-1] if told else "no answer"}
    status = json.loads(answer["stdout"])
    running, interfaces = status["config"], status["interfaces"]
    return {
        "host": host,
        "version": status["version"],
        "build": str(status.get("prefix", "")).rpartition("/")[2],
        "config": running["sha256"][:12],
        "drift": ("yes" if mismatches(running, wanted) else "no") if wanted else "?",
        "rules": str(running["rules"]),
        "interfaces": _interfaces(interfaces.values()),
        "health": _health(status.get("health")),
        "last error": running["last_error"] or "",
        "servers": {
            address: {"name": name, "state": one["state"], "since": one["since"]}
            for name, addresses in status.get("servers", {}).items()
            for address, one in addresses.items()
            if "state" in one
        },
    }


def _interfaces(ports: Iterable[Mapping[str, Any]]) -> str:
    """Return how many client interfaces are active, and how many in DHCPv6, where that is on."""
    ports = list(ports)
    of4 = [port["state"] for port in ports if port["state"] != "off"]
    of6 = [port["ipv6"]["state"] for port in ports if "ipv6" in port]
    parts = [f"{of4.count('active')} of {len(of4)}"] if of4 or not of6 else []
    if of6:
        parts.append(f"DHCPv6 {of6.count('active')} of {len(of6)}")
    return ", ".join(parts)


def _health(told: Mapping[str, Any] | None) -> str:
    """Return a host's state and the reasons for it; nothing is known of a daemon of before there was such."""
    if told is None:
        return "-"
    reasons = ", ".join(one["reason"] for one in told["reasons"])
    return f"{told['state']}: {reasons}" if reasons else str(told["state"])


def views(rows: Iterable[Mapping[str, Any]], now: str | None = None) -> list[str]:
    """Return one line for each server that hosts have thought differently of for more than a minute.

    `now` is the time, by default this machine's; the hosts' clocks are held to it.
    """
    here = datetime.fromisoformat(now) if now else datetime.now(timezone.utc)
    seen: dict[str, list[tuple[str, Mapping[str, str]]]] = {}
    for one in rows:
        for address, view in one.get("servers", {}).items():
            seen.setdefault(address, []).append((one["host"], view))
    lines = []
    for address, told in seen.items():
        last = max(datetime.fromisoformat(view["since"]) for _, view in told)
        if len({view["state"] for _, view in told}) > 1 and (here - last).total_seconds() > _SETTLED:
            parts = [f"{view['state']} for {host} since {view['since']}" for host, view in told]
            lines.append(f"{told[0][1]['name']} {address} is {', '.join(parts)}")
    return lines


_COLUMNS = ("host", "version", "build", "config", "drift", "rules", "interfaces", "health", "last error")


def table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return lines in which the columns of the rows stand below their names."""
    cells = [_COLUMNS, *(tuple(one.get(column, "-") for column in _COLUMNS) for one in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {
            "holds": holds,
            "mismatches": mismatches,
            "row": row,
            "table": table,
            "views": views,
        }
