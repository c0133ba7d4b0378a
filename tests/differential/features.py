"""What a message is like, in the words that rows of differences.yml use."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

from tests.differential.cases import OTHER_VLAN_ADDRESS, ROUTER, Case, Delivery
from tests.lab.frames import EVERYONE
from tests.lab.relays import GIADDR, MAX_HOPS
from tests.lab.topology import RELAY_CORE, RIS
from tests.unit.messages import COOKIE, NAK

_UNSET = "0.0.0.0"
_HEADER = 236
_NAMES = 108
"""Where file begins, which option overload may fill with options."""
_MOST_HOPS = 16
"""No relay agent may let more pass (RFC 1542, 4.1.1)."""
_OTHERS = (RELAY_CORE, OTHER_VLAN_ADDRESS)

_OF_DELIVERY: dict[str, Callable[[Delivery], bool]] = {
    "on the client's VLAN": lambda it: it.origin == "client",
    "on the servers' side": lambda it: it.origin != "client",
    "from the server's address": lambda it: it.source == RIS,
    "from the router's address": lambda it: it.source == ROUTER,
    "from elsewhere": lambda it: it.source not in (RIS, ROUTER),
    "from no address": lambda it: it.source == _UNSET,
    "to less than everyone": lambda it: it.destination != EVERYONE,
    "in transit": lambda it: it.in_transit,
}
_OF_MESSAGE: dict[str, Callable[[bytes], bool]] = {
    "op 1": lambda it: it[0] == 1,
    "op 2": lambda it: it[0] == 2,
    "op unknown": lambda it: it[0] not in (1, 2),
    "ethernet": lambda it: it[1:3] == b"\1\6",
    "not ethernet": lambda it: it[1:3] != b"\1\6",
    "hlen above 16": lambda it: it[2] > 16,
    "hops above ours": lambda it: it[3] > MAX_HOPS,
    "hops above 16": lambda it: it[3] > _MOST_HOPS,
    "broadcast flag": lambda it: bool(it[10] & 0x80),
    "no broadcast flag": lambda it: not it[10] & 0x80,
    "ciaddr": lambda it: _address(it, 12) != _UNSET,
    "no ciaddr": lambda it: _address(it, 12) == _UNSET,
    "yiaddr": lambda it: _address(it, 16) != _UNSET,
    "no yiaddr": lambda it: _address(it, 16) == _UNSET,
    "giaddr 0": lambda it: _address(it, 24) == _UNSET,
    "giaddr ours": lambda it: _address(it, 24) == GIADDR,
    "giaddr is our other address": lambda it: _address(it, 24) in _OTHERS,
    "giaddr foreign": lambda it: _address(it, 24) not in (_UNSET, GIADDR, *_OTHERS),
    "cookie": lambda it: it[_HEADER : _HEADER + 4] == COOKIE,
    "nak": lambda it: it[_HEADER : _HEADER + 4] == COOKIE and bytes((53, 1, NAK)) in it[_NAMES:],
}
VOCABULARY = frozenset((*_OF_DELIVERY, *_OF_MESSAGE, "truncated"))
"""All words there are."""


def features(case: Case) -> frozenset[str]:
    """Return every word that holds for a message; one that has no whole header has no fields."""
    found = {word for word, holds in _OF_DELIVERY.items() if holds(case.delivery)}
    if len(case.message) < _HEADER:
        return frozenset((*found, "truncated"))
    return frozenset((*found, *(word for word, holds in _OF_MESSAGE.items() if holds(case.message))))


def _address(message: bytes, at: int) -> str:
    return str(IPv4Address(message[at : at + 4]))
