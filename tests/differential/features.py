"""What a message is like, in the words that rows of differences.yml use."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

from tests.differential.cases import CLIENT, OTHER_VLAN_ADDRESS, ROUTER, Case, Delivery
from tests.differential.outline import without_agent_info
from tests.lab.frames import EVERYONE
from tests.lab.relays import GIADDR, MAX_HOPS
from tests.lab.topology import CLIENT_VLANS, RELAY_CORE, RIS
from tests.unit.messages import COOKIE, NAK, option

_UNSET = "0.0.0.0"
_HEADER = 236
LARGEST = 1472
"""Octets of the largest message in one frame."""
_AREAS = {b"\1": ((108, 236),), b"\2": ((44, 108),), b"\3": ((108, 236), (44, 108))}
"""Where option overload puts further options (RFC 2132, 9.3)."""
_ADDED = len(option(82, option(1, b"vlan10")))
_MOST_HOPS = 16
"""No relay agent may let more pass (RFC 1542, 4.1.1)."""
_SUBNET = CLIENT_VLANS["vlan10"]
_OTHERS = (RELAY_CORE, OTHER_VLAN_ADDRESS, "127.0.0.1")

_OF_DELIVERY: dict[str, Callable[[Delivery], bool]] = {
    "on the client's VLAN": lambda it: it.origin == "client",
    "on the servers' side": lambda it: it.origin != "client",
    "from the server's address": lambda it: it.source == RIS,
    "from the router's address": lambda it: it.source == ROUTER,
    "from elsewhere": lambda it: it.source not in (RIS, ROUTER),
    "from no address": lambda it: it.source == _UNSET,
    "to less than everyone": lambda it: it.destination != EVERYONE,
    "in transit": lambda it: it.in_transit,
    "from another subnet": lambda it: it.source != _UNSET and IPv4Address(it.source) not in _SUBNET,
    "from port 67": lambda it: it.ports[0] == 67,
    "from another port": lambda it: it.ports[0] != 67,
}
_OF_MESSAGE: dict[str, Callable[[bytes], bool]] = {
    "op 1": lambda it: it[0] == 1,
    "op 2": lambda it: it[0] == 2,
    "op unknown": lambda it: it[0] not in (1, 2),
    "ethernet": lambda it: it[1:3] == b"\1\6",
    "not ethernet": lambda it: it[1:3] != b"\1\6",
    "hlen above 16": lambda it: it[2] > 16,
    "hlen at most 16": lambda it: it[2] <= 16,
    "hops above ours": lambda it: it[3] > MAX_HOPS,
    "hops above 16": lambda it: it[3] > _MOST_HOPS,
    "hops at most 16": lambda it: it[3] <= _MOST_HOPS,
    "broadcast flag": lambda it: bool(it[10] & 0x80),
    "no broadcast flag": lambda it: not it[10] & 0x80,
    "ciaddr": lambda it: _address(it, 12) != _UNSET,
    "ciaddr answers ARP": lambda it: _address(it, 12) == CLIENT,
    "ciaddr is nobody's": lambda it: _address(it, 12) not in (_UNSET, CLIENT),
    "no ciaddr": lambda it: _address(it, 12) == _UNSET,
    "yiaddr": lambda it: _address(it, 16) != _UNSET,
    "no yiaddr": lambda it: _address(it, 16) == _UNSET,
    "giaddr 0": lambda it: _address(it, 24) == _UNSET,
    "giaddr ours": lambda it: _address(it, 24) == GIADDR,
    "giaddr is our other address": lambda it: _address(it, 24) in _OTHERS,
    "giaddr foreign": lambda it: _address(it, 24) not in (_UNSET, GIADDR, *_OTHERS),
    "cookie": lambda it: it[_HEADER : _HEADER + 4] == COOKIE,
    "no cookie": lambda it: it[_HEADER : _HEADER + 4] != COOKIE,
    "nak": lambda it: _is_nak(it),
    "no nak": lambda it: not _is_nak(it),
    "DHCP": lambda it: _option(it, 53) is not None,
    "no DHCP": lambda it: _option(it, 53) is None,
    "option 82": lambda it: bool(without_agent_info(it)[1]),
    "option 82 of ours": lambda it: option(1, b"vlan10") in without_agent_info(it)[1],
    "no option 82 of ours": lambda it: option(1, b"vlan10") not in without_agent_info(it)[1],
    "no option 82": lambda it: not without_agent_info(it)[1],
    "option 82 in a field": lambda it: not without_agent_info(it)[1] and _option(it, 82) is not None,
    "END": lambda it: ends(it),
    "no END": lambda it: not ends(it),
    "no room for option 82": lambda it: len(it) + _ADDED > _takes(it),
    "malformed": lambda it: _walk(it) is None,
    "well-formed": lambda it: _walk(it) is not None,
    "larger than the MTU": lambda it: len(it) > LARGEST,
    "within the MTU": lambda it: len(it) <= LARGEST,
}
VOCABULARY = frozenset((*_OF_DELIVERY, *_OF_MESSAGE, "truncated"))
"""All words there are."""


def features(case: Case) -> frozenset[str]:
    """Return every word that holds for a message; one that has no whole header has no fields."""
    found = {word for word, holds in _OF_DELIVERY.items() if holds(case.delivery)}
    if len(case.message) < _HEADER:
        return frozenset((*found, "truncated"))
    return frozenset((*found, *(word for word, holds in _OF_MESSAGE.items() if holds(case.message))))


def _takes(message: bytes) -> int:
    """Return how many octets of a message the link and the client (option 57) take."""
    said = _option(message, 57) or b""
    return min(LARGEST, max(int.from_bytes(said, "big"), 576) - 28 if len(said) == 2 else LARGEST)


def _is_nak(message: bytes) -> bool:
    """Whether the message type in front of all damage is DHCPNAK."""
    if message[_HEADER : _HEADER + 4] != COOKIE:
        return False
    found, _ = _read(message[_HEADER + 4 :])
    overload = b"".join(value for code, value in found if code == 52)[-1:]
    for start, end in _AREAS.get(overload, ()):
        found += _read(message[start:end])[0]
    return b"".join(value for code, value in found if code == 53) == bytes((NAK,))


def _option(message: bytes, code: int) -> bytes | None:
    """Return an option joined as RFC 3396 says, None if it is absent or an area is malformed."""
    found = _walk(message) or []
    parts = [value for each, value in found if each == code]
    return b"".join(parts) if parts else None


def _walk(message: bytes) -> list[tuple[int, bytes]] | None:
    """Return the options in order, those of overloaded fields too; None if an area is malformed."""
    if message[_HEADER : _HEADER + 4] != COOKIE:
        return []
    found = _area(message[_HEADER + 4 :])
    overload = b"".join(value for code, value in found or () if code == 52)[-1:]
    for start, end in _AREAS.get(overload, ()):
        more = _area(message[start:end])
        found = None if found is None or more is None else found + more
    return found


def ends(message: bytes) -> bool:
    """Return whether the options area of a message can be walked to an END."""
    octets = message[_HEADER + 4 :]
    while octets and octets[0] != 255:
        octets = octets[2 + octets[1] :] if octets[0] and len(octets) > 1 else octets[1:]
    return bool(octets)


def _area(octets: bytes) -> list[tuple[int, bytes]] | None:
    found, whole = _read(octets)
    return found if whole else None


def _read(octets: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """Return the options of an area up to END or damage, and whether there was none."""
    found: list[tuple[int, bytes]] = []
    while octets and octets[0] != 255:
        if octets[0] == 0:
            octets = octets[1:]
            continue
        if len(octets) < 2 or len(octets) < 2 + octets[1]:
            return found, False
        found.append((octets[0], octets[2 : 2 + octets[1]]))
        octets = octets[2 + octets[1] :]
    return found, True


def _address(message: bytes, at: int) -> str:
    return str(IPv4Address(message[at : at + 4]))
