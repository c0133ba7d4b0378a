"""Two states of the daemon as rows of what happened in between: what `status --watch` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class InterfaceRates(NamedTuple):
    """A client interface, or another one that routers' requests were heard on; rates are per second."""

    name: str
    state: str
    about: str
    requests: float
    replies: float
    dropped: float
    total: int


class ServerRates(NamedTuple):
    """An address of a server; `answered` is a share, `median` seconds, both since the daemon's start."""

    name: str
    address: str
    state: str
    requests: float
    replies: float
    answered: float | None
    median: float | None
    last_reply_ago: float | None


def interfaces(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> list[InterfaceRates]:
    """Return the interfaces, the busiest first."""
    requests, replies, dropped = (
        _rates(_rows(before, what), _rows(after, what), seconds)
        for what in ("requests", "replies", "dropped")
    )
    totals = _sums(_rows(after, "requests"))
    ports = after["interfaces"]
    told = {name: (_port_state(port), _port_about(port)) for name, port in ports.items()}
    told.update((name, ("", "relayed by routers")) for name in sorted(set(totals) - set(ports)))
    rows = [
        InterfaceRates(name, state, about, requests[name], replies[name], dropped[name], totals[name])
        for name, (state, about) in told.items()
    ]
    return sorted(rows, key=lambda row: (-row.requests - row.replies - row.dropped, -row.total))


def _rows(status: Mapping[str, Any], what: str) -> list[Mapping[str, Any]]:
    """Return what was counted of both families."""
    return [row for key in ("traffic", "traffic6") for row in status.get(key, {}).get(what, ())]


def _port_state(port: Mapping[str, Any]) -> str:
    """Return `active` if an interface serves in each family that is on there, else `waiting`."""
    states = [port["state"], port.get("ipv6", {}).get("state", "off")]
    return "waiting" if "waiting" in states else "active"


def _port_about(port: Mapping[str, Any]) -> str:
    """Tell what stands for an interface in each family, and what one waits for."""
    of6 = port.get("ipv6")
    parts = [] if port["state"] == "off" else [port["waiting"] or f"giaddr {port['giaddr']}"]
    if of6 and of6["waiting"]:
        parts.append(f"DHCPv6 waits: {of6['waiting']}")
    elif of6:
        parts.append(f"link-address {of6['link_address']}")
    return ", ".join(parts)


def servers(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> list[ServerRates]:
    """Return the servers' addresses, in the order of their names."""
    rows = []
    for name, addresses in after["servers"].items():
        for address, now in addresses.items():
            then = before["servers"].get(name, {}).get(address, {"requests": 0, "replies": 0})
            rows.append(
                ServerRates(
                    name,
                    address,
                    _state(now),
                    max(now["requests"] - then["requests"], 0) / seconds,
                    max(now["replies"] - then["replies"], 0) / seconds,
                    share_answered(now),
                    median(now["answers_within"]),
                    now["last_reply_ago"],
                )
            )
    return sorted(rows)


def _state(server: Mapping[str, Any]) -> str:
    """Return what is thought of a server: empty where nothing is."""
    if server.get("doubtful"):
        return "doubtful"
    return "returning" if server.get("returns_in") else server.get("state") or ""


def share_answered(server: Mapping[str, Any]) -> float | None:
    """Return which share of its followed requests a server answered in time; None if there were none."""
    followed = server["answered"] + server["unanswered"]
    return server["answered"] / followed if followed else None


def median(within: Sequence[Sequence[float]]) -> float | None:
    """Return the time that half of the answers did not take longer than, None without answers.

    Of times only their classes are known; within one they count as spread evenly.
    """
    wanted = sum(count for _, count in within) / 2
    lower, met = 0.0, 0.0
    for bound, count in within:
        if count and met + count >= wanted:
            return lower + (bound - lower) * (wanted - met) / count
        lower, met = bound, met + count
    return None


def _rates(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], seconds: float
) -> Counter[str]:
    """Return by interface what came in a second; nothing where the daemon was started anew in between."""
    then = _sums(before)
    rates: Any = Counter()
    for name, count in _sums(after).items():
        rates[name] = max(count - then[name], 0) / seconds
    found: Counter[str] = rates
    return found


def _sums(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["interface"]] += row["count"]
    return sums
