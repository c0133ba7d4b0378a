"""What the daemon counted, as plain data: what `status --json` prints and metrics are made of.

Addresses are texts, times that have passed are seconds ago, times that took are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from pxerelay.relay.counters import Counters
from pxerelay.relay.relay import Relay
from pxerelay.relay.transactions import BOUNDS, Followed, Record, Transactions
from pxerelay.wire.mac import format_mac


def interfaces(relay: Relay) -> dict[str, Any]:
    """Return the state of each client interface by its name; `waiting` says what for."""
    return {
        port.name: {
            "state": port.state,
            "giaddr": str(port.giaddr) if port.giaddr else None,
            "waiting": port.waiting or None,
        }
        for port in relay.ports
    }


def dns(relay: Relay) -> dict[str, Any]:
    """Return what is known of each DNS name of a server."""
    return {
        name: {"addresses": list(map(str, answer.addresses)), "error": answer.error or None}
        for name, answer in relay.answers.by_name.items()
    }


def traffic(relay: Relay, counters: Counters) -> dict[str, Any]:
    """Return how many messages of which kind went where, a row for each kind that was met."""
    names = _names(relay)
    return {
        "requests": [
            {"interface": interface, "rule": reason.value, "count": count}
            for (interface, reason), count in counters.requests.items()
        ],
        "copies": [
            {"interface": interface, **_server(names, server), "count": count}
            for (interface, server), count in counters.copies.items()
        ],
        "replies": [
            {"interface": interface, **_server(names, server), "count": count}
            for (interface, server), count in counters.replies.items()
        ],
        "dropped": [
            {"interface": interface, "reason": reason.value, "count": count}
            for (interface, reason), count in counters.dropped.items()
        ],
    }


def servers(
    relay: Relay,
    counters: Counters,
    transactions: Transactions,
    now: float,
    states: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> dict[str, Any]:
    """Return by server and address what was sent there, what came back, and how fast.

    All that are `configured` are there, also those that were never asked. `now` is monotonic seconds.
    `states` has what is thought of some (`HealthCheck.states`).
    """
    transactions.settle(now)
    names = _names(relay)
    sent, came = dict[bytes, int](), dict[bytes, int]()
    for counted, found in ((counters.copies, sent), (counters.replies, came)):
        for (_, server), count in counted.items():
            found[server] = found.get(server, 0) + count
    asked = dict(transactions.records())
    known = dict.fromkeys(
        address.packed
        for target in sorted(relay.config.mentioned, key=str)
        for address in relay.answers.of(target)
    )
    rows: dict[str, Any] = {}
    for server in dict.fromkeys((*known, *sent, *came)):
        named = _server(names, server)
        rows.setdefault(named["server"], {})[named["address"]] = {
            "configured": server in known,
            "requests": sent.get(server, 0),
            "replies": came.get(server, 0),
            **_answers(asked.get(server, _NEVER_ASKED), now),
        }
    thought = {address: state for found in states.values() for address, state in found.items()}
    for addresses in rows.values():
        for address, row in addresses.items():
            row.update(thought.get(address, {}))
    return rows


def last_clients(
    relay: Relay, interfaces: Mapping[int, str], transactions: Transactions, now: float
) -> list[dict[str, Any]]:
    """Return the clients that looked for servers last, the newest first; `interfaces` has names."""
    names = _names(relay)
    return [_client(names, interfaces.get(one.index), one, now) for one in reversed(transactions.last)]


_NEVER_ASKED = Record()


def _answers(record: Record, now: float) -> dict[str, Any]:
    return {
        "answered": record.answered,
        "unanswered": record.unanswered,
        "answer_seconds": record.seconds,
        "answers_within": [[bound, count] for bound, count in zip(BOUNDS, record.buckets, strict=True)],
        "last_reply_ago": None if record.last_reply is None else round(now - record.last_reply, 3),
    }


def _client(names: _Names, interface: str | None, followed: Followed, now: float) -> dict[str, Any]:
    return {
        "mac": format_mac(followed.chaddr),
        "interface": interface,
        "pxe": followed.pxe,
        "rule": followed.decision.reason.value,
        "servers": [_server(names, server) for server in followed.decision.servers],
        "ago": round(now - followed.at, 3),
        "answers": [
            {**_server(names, server), "milliseconds": round(seconds * 1000, 1)}
            for server, seconds in followed.answers
        ],
        "returns": followed.decision.returns,
    }


_Names = Mapping[bytes, str]
"""The first name of each server that has one, by its 4 octets."""


def _names(relay: Relay) -> _Names:
    found: dict[bytes, str] = {}
    for name, targets in relay.config.servers.items():
        for target in targets:
            for address in relay.answers.of(target):
                found.setdefault(address.packed, name)
    return found


def _server(names: _Names, server: bytes) -> dict[str, str]:
    """Name a server by its first name, or by its address if it has none."""
    address = str(IPv4Address(server))
    return {"server": names.get(server, address), "address": address}
