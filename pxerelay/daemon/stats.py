"""What the daemon counted, as plain data: what `status --json` prints and metrics are made of.

Addresses are texts, times that have passed are seconds ago, times that took are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from pxerelay.policy.ports import Port
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.servers import Address, Target
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.counters import Counters
from pxerelay.relay.transactions import BOUNDS, LAST, AnyTransactions, Followed, Record
from pxerelay.wire.mac import format_mac

if TYPE_CHECKING:
    from pxerelay.policy.ports6 import Port6


def interfaces(ports: Iterable[Port], ports6: Iterable[Port6]) -> dict[str, Any]:
    """Return by name what client interfaces are in DHCPv4, and under `ipv6` what in DHCPv6.

    One that is for DHCPv6 alone is `off` in the other.
    """
    found: dict[str, Any] = {
        port.name: {
            "state": port.state,
            "giaddr": str(port.giaddr) if port.giaddr else None,
            "waiting": port.waiting or None,
        }
        for port in ports
    }
    for port6 in ports6:
        found.setdefault(port6.name, {"state": "off", "giaddr": None, "waiting": None})["ipv6"] = {
            "state": port6.state,
            "link_address": str(port6.link_address) if port6.link_address else None,
            "link_local": str(port6.link_local) if port6.link_local else None,
            "waiting": port6.waiting or None,
        }
    return found


def dns(answers: ResolvedNames) -> dict[str, Any]:
    """Return what DNS names stand for."""
    return {
        name: {"addresses": list(map(str, answer.both)), "error": answer.trouble or None}
        for name, answer in answers.by_name.items()
    }


def traffic(family: Counted) -> dict[str, Any]:
    """Return how many messages of which kind went where, a row for each kind that was met."""
    names, counters = _names(family.relay, family.addresses), family.counters
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
    families: Iterable[Counted], now: float, states: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return by server and address what was sent there, what came back, and how fast.

    All that are `configured` are there, also those that were never asked. `now` is monotonic seconds.
    `states` has what is thought of some (`HealthCheck.states`).
    """
    never = _answers(_NEVER_ASKED, now)
    rows: dict[str, Any] = {}
    for relay, addresses, counters, transactions in families:
        transactions.settle(now)
        asked = {server: _answers(record, now) for server, record in transactions.records()}
        for named, row in _served(relay, addresses, counters):
            address = named["address"]
            told = asked.get(ip_address(address).packed, never)
            rows.setdefault(named["server"], {})[address] = {**row, **told}
    thought = {address: state for found in states.values() for address, state in found.items()}
    for by_address in rows.values():
        for address, row in by_address.items():
            row.update(thought.get(address, {}))
    return rows


def _served(
    relay: Choosing, addresses: _Addresses, counters: Counters
) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """Yield each server of one family, and how many messages it was sent and has sent."""
    sent, came = dict[bytes, int](), dict[bytes, int]()
    for counts, found in ((counters.copies, sent), (counters.replies, came)):
        for (_, server), count in counts.items():
            found[server] = found.get(server, 0) + count
    names = _names(relay, addresses)
    targets = sorted(relay.config.mentioned, key=str)
    known = dict.fromkeys(address.packed for target in targets for address in addresses(target))
    for server in dict.fromkeys((*known, *sent, *came)):
        row = {"configured": server in known, "requests": sent.get(server, 0), "replies": came.get(server, 0)}
        yield _server(names, server), row


def last_clients(
    families: Iterable[Counted], interfaces: Mapping[int, str], now: float
) -> list[dict[str, Any]]:
    """Return the clients that looked for servers last, the newest first; `interfaces` has names."""
    found = [
        _client(_names(one.relay, one.addresses), interfaces.get(last.index), last, now)
        for one in families
        for last in one.transactions.last
    ]
    return sorted(found, key=lambda client: float(client["ago"]))[:LAST]


_IPV4 = 4
"""Octets of an IPv4 address."""

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
        "mac": format_mac(followed.chaddr) if followed.chaddr else "",
        "duid": followed.duid.hex(),
        "family": 4 if followed.decision.servers and len(followed.decision.servers[0]) == _IPV4 else 6,
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


_Addresses = Callable[[Target], Iterable[Address]]
"""Tells the addresses of one family that a target stands for."""


class Counted(NamedTuple):
    """What was counted of one family, with what chooses its servers, and what tells their addresses."""

    relay: Choosing
    addresses: _Addresses
    counters: Counters
    transactions: AnyTransactions[Any]


_Names = Mapping[bytes, str]
"""The first name of each server that has one, by its 4 or 16 octets."""


def _names(relay: Choosing, addresses: _Addresses) -> _Names:
    found: dict[bytes, str] = {}
    for name, targets in relay.config.servers.items():
        for target in targets:
            for address in addresses(target):
                found.setdefault(address.packed, name)
    return found


def _server(names: _Names, server: bytes) -> dict[str, str]:
    """Name a server by its first name, or by its address if it has none."""
    address = str(ip_address(server))
    return {"server": names.get(server, address), "address": address}
