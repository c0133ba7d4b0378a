"""What a relay host says of itself, compared with what it should be, and put in a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.pxerelay.pxerelay.plugins.module_utils.proof import mismatches

_GONE = "can't be reached"

_SETTLED = 60.0
"""Seconds for which hosts may think otherwise of a server: none of them notices at the same moment."""


def holds(about: Mapping[str, str], text: str, mode: str = "0644", group: str = "root") -> bool:
    """Tell whether a path of `facts` is a file of root's with this text, mode and group."""
    return (
        about.get("type") == "file"
        and about["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        and (about["owner"], about["group"], about["mode"]) == ("root", group, mode)
    )


def row(
    answer: Mapping[str, Any], host: str, wanted: Mapping[str, str], shared: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a host's row of the fleet's table.

    `answer` is what the task registered that ran `pxerelay status --json` there, `wanted` the checksums by
    path of what the inventory says; none if it says nothing that could be rendered. `shared` is for hosts
    that share an address (`sharing`). What the host thinks of servers is in it besides, for `views`.
    """
    more = dict(shared or {})
    if answer.get("unreachable"):
        return {"host": host, "last error": _GONE}
    if answer.get("rc") != 0:
        told = str(answer.get("stderr") or answer.get("msg") or "no answer").strip().splitlines()
        return {"host": host, "last error": told[-1] if told else "no answer", **more}
    status = json.loads(answer["stdout"])
    running, interfaces = status["config"], status["interfaces"]
    return {
        "host": host,
        "version": status["version"],
        "build": _build(str(status.get("prefix", ""))),
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
        **more,
    }


def _build(prefix: str) -> str:
    """Return what a build is called, by where its Python is: one of /usr is a package of the host."""
    return "package" if prefix == "/usr" else prefix.rpartition("/")[2]


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
        last = max(datetime.fromisoformat(view["since"]) for _unused, view in told)
        if len({view["state"] for _unused, view in told}) > 1 and (here - last).total_seconds() > _SETTLED:
            parts = [f"{view['state']} for {host} since {view['since']}" for host, view in told]
            lines.append(f"{told[0][1]['name']} {address} is {', '.join(parts)}")
    return lines


def sharing(addresses: Iterable[str], bird: Mapping[str, Any], twice: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says of a host that shares addresses with others by routing.

    `bird` is what came of `birdcl show protocols`, `twice` of `status --json`, two times, seconds apart.
    """
    return {
        "address": ", ".join(address.partition("/")[0] for address in addresses),
        "announced": _announced(bird),
        "asked": _asked(twice),
    }


def _announced(bird: Mapping[str, Any]) -> str:
    """Return which route BIRD has, and to how many of its routers it is told, if that is not all of them."""
    if bird.get("rc") != 0:
        return "no: BIRD does not answer"
    protocols = [line.split() for line in str(bird["stdout"]).splitlines() if line.startswith("pxerelay_")]
    up = [words[0] for words in protocols if len(words) > 3 and words[3] == "up"]
    if any(name.startswith("pxerelay_well_") for name in up):
        route = "yes"
    elif any(name.startswith("pxerelay_degraded_") for name in up):
        route = "as the last resort"
    else:
        return "no"
    routers = [words for words in protocols if words[1] in ("BGP", "OSPF")]
    speaking = [words for words in routers if words[-1] in ("Established", "Running")]
    return (
        route if len(speaking) == len(routers) else f"{route}, to {len(speaking)} of {len(routers)} routers"
    )


def _asked(twice: Mapping[str, Any]) -> int | None:
    """Return how many requests of both families a daemon has taken in the time between; None if unknown."""
    documents, text = [], str(twice.get("stdout", "")).strip()
    try:
        while text:
            document, end = json.JSONDecoder().raw_decode(text)
            documents.append(document)
            text = text[end:].lstrip()
        first, second = ([one["counters"], one.get("counters6") or {}] for one in documents)
    except ValueError:
        return None
    asked = [sum(family.get("requests", 0) for family in families) for families in (first, second)]
    return asked[1] - asked[0] if asked[1] >= asked[0] else None  # it was restarted in between


def shares(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with each host's share of the requests for the address that it shares with others."""
    rows = list(rows)
    sums: dict[str, int] = {}
    for one in rows:
        if one.get("asked") is not None:
            sums[one["address"]] = sums.get(one["address"], 0) + one["asked"]
    return [
        {**one, "share": f"{100 * one['asked'] / sums[one['address']]:.0f} %"}
        if one.get("asked") is not None and sums[one["address"]]
        else dict(one)
        for one in rows
    ]


def mappings(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for each address whose hosts hold different configurations."""
    seen: dict[str, dict[str, list[str]]] = {}
    for one in rows:
        if one.get("address") and one.get("config"):
            seen.setdefault(one["address"], {}).setdefault(one["config"], []).append(one["host"])
    lines = []
    for address, held in seen.items():
        if len(held) > 1:
            parts = [
                f"{', '.join(hosts)} {'hold' if len(hosts) > 1 else 'holds'} {config}"
                for config, hosts in held.items()
            ]
            lines.append(f"{address}: {'; '.join(parts)}: the same client may boot from different servers")
    return lines


_SHARED_COLUMNS = ("announced", "share")
"""Those of hosts that share an address by routing, and only there."""

_COLUMNS = (
    "host",
    "version",
    "build",
    "config",
    "drift",
    "rules",
    "interfaces",
    "health",
    *_SHARED_COLUMNS,
    "last error",
)


def table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return lines in which the columns of the rows stand below their names."""
    rows = list(rows)
    shared = any("address" in one for one in rows)
    columns = [column for column in _COLUMNS if shared or column not in _SHARED_COLUMNS]
    cells = [tuple(columns), *(tuple(one.get(column, "-") for column in columns) for one in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


def standings(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return whether every host runs what the inventory says: each host's state and row, and lines to print.

    `rows` are by host; one that is empty belongs to a host whose play failed.
    """
    hosts = {host: {**_standing(one), **_columns(one)} for host, one in rows.items()}
    states: dict[str, list[str]] = {}
    for host, one in hosts.items():
        states.setdefault(one["state"], []).append(host)
    lines = [f"{host}: {hosts[host]['message']}" for host in states.get("failed", ())]
    if drifted := states.get("drifted"):
        does = "does" if len(drifted) == 1 else "do"
        lines.append(f"{', '.join(drifted)} {does} not run what the inventory says")
    if unreachable := states.get("unreachable", []):
        lines.append(f"{', '.join(unreachable)} {_GONE}")
    current = states.get("current", [])
    lines.append(f"{len(current)} of {len(hosts)} hosts run what the inventory says")
    return {"ok": len(current) == len(hosts), "hosts": hosts, "unreachable": unreachable, "lines": lines}


def _standing(one: Mapping[str, Any]) -> dict[str, str]:
    """Return the state of a host with this row, and what is wrong where it is not `current`."""
    if "version" not in one:
        told = str(one.get("last error") or "it could not be asked")
        return {"state": "unreachable" if told == _GONE else "failed", "message": told}
    if one["drift"] == "?":
        return {"state": "failed", "message": "nobody knows what it should run: its variables have a fault"}
    if one["drift"] == "yes":
        refused = f"; {one['last error']}" if one["last error"] else ""
        return {"state": "drifted", "message": f"does not run what the inventory says{refused}"}
    return {"state": "current"}


def _columns(one: Mapping[str, Any]) -> dict[str, Any]:
    return {column.replace(" ", "_"): one[column] for column in _COLUMNS[1:] if one.get(column)}


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {
            "holds": holds,
            "mappings": mappings,
            "mismatches": mismatches,
            "row": row,
            "shares": shares,
            "sharing": sharing,
            "standings": standings,
            "table": table,
            "views": views,
        }
