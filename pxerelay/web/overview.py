"""What a state of the daemon says, as the page `Now` shows it, and who goes where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pxerelay.tools.pictures.flows import Flow
from pxerelay.web.history import History, Rows

_TROUBLES = (
    ("send_failures", "{} messages could not be sent; the log says why"),
    ("not_received", "{} messages were lost before they were read: receive buffer full"),
    ("bad_checksums", "{} messages came with a wrong UDP checksum"),
    ("without_option82", "{} requests were too large for option 82, and relayed without it"),
)
_AS_IT_SHOULD_BE = frozenset({"mapped-to-drop", "not-pxe"})

KINDS = {
    "mac": "rules for one MAC",
    "oui": "rules for a vendor's block",
    "wildcard": "wildcards",
    "class": "classes",
    "interface-default": "defaults of VLANs",
    "default": "the default",
}


def overview(status: Mapping[str, Any], history: History) -> dict[str, Any]:
    """Return VLANs, servers, troubles, rates and the configuration."""
    config = status["config"]
    return {
        "version": status["version"],
        "config": {
            key: config.get(key)
            for key in (
                "path",
                "sha256",
                "loaded_at",
                "last_reload_at",
                "rules",
                "ended",
                "next_end",
                "last_error",
            )
        },
        "health": status["health"],
        "interfaces": [{"name": name, **port} for name, port in status["interfaces"].items()],
        "servers": list(_servers(status)),
        "troubles": list(_troubles(status)),
        "dropped": _dropped(status),
        "rates": history.rates(),
        "rates_seconds": round(history.seconds),
        "unknown": status["unknown"],
    }


def _servers(status: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, addresses in status["servers"].items():
        for address, row in addresses.items():
            followed = row["answered"] + row["unanswered"]
            yield {
                "name": name,
                "address": address,
                "state": _state(row),
                "since": row.get("since"),
                "requests": row["requests"],
                "replies": row["replies"],
                "answered_share": row["answered"] / followed if followed else None,
                "median_ms": _median(row["answers_within"]),
                "last_reply_ago": row["last_reply_ago"],
            }


def _state(row: Mapping[str, Any]) -> str:
    if row.get("doubtful"):
        return "doubtful"
    return "returning" if row.get("returns_in") else row.get("state") or ""


def _median(within: list[list[float]]) -> float | None:
    """Return milliseconds that half of the answers did not take longer than; spread evenly in their class."""
    wanted = sum(count for _, count in within) / 2
    lower, met = 0.0, 0.0
    for bound, count in within:
        if count and met + count >= wanted:
            return round((lower + (bound - lower) * (wanted - met) / count) * 1000, 1)
        lower, met = bound, met + count
    return None


def _troubles(status: Mapping[str, Any]) -> Iterator[str]:
    if status["config"]["last_error"]:
        yield f"a new configuration was refused, the old one stays: {status['config']['last_error']}"
    yield from (reason["text"] for reason in status["health"].get("reasons", ()))
    for key, family in (("counters", ""), ("counters6", " (DHCPv6)")):
        counters = status.get(key, {})
        yield from (text.format(counters[name]) + family for name, text in _TROUBLES if counters.get(name))
    for name, port in status["interfaces"].items():
        if port["waiting"]:
            yield f"interface {name} waits: {port['waiting']}"
        if port.get("ipv6") and port["ipv6"]["waiting"]:
            yield f"interface {name} waits in DHCPv6: {port['ipv6']['waiting']}"
    for name, told in status["dns"].items():
        if told["error"]:
            yield f"the DNS name {name}: {told['error']}"


def _dropped(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for key, family in (("counters", 4), ("counters6", 6)):
        for reason, count in status.get(key, {}).get("dropped", {}).items():
            if count:
                rows.append(
                    {"reason": reason, "count": count, "family": family, "fine": reason in _AS_IT_SHOULD_BE}
                )
    return sorted(rows, key=lambda row: -row["count"])


def flows_of(requests: Rows, copies: Rows) -> list[Flow]:
    """Return the flows of the picture: kinds of rule, to VLANs, to servers."""
    found = [
        Flow(0, KINDS.get(rule, rule), interface, count) for (rule, interface), count in requests.items()
    ]
    return found + [Flow(1, interface, server, count) for (interface, server), count in copies.items()]
