"""What a message of DHCPv6 became, in a line, with names in the place of addresses.

    server:547 from core:547; RELAY-FORW, hop-count +1, link vlan10, peer sender, 18 79, inside unchanged
    client:546 at client from vlan10's link-local:547; inside unchanged
    nothing

The value of option 18 is not told, since each relay has its own; `test_differential6` looks at these.
"""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

from tests.differential.dhcpv6.cases import CLIENT, CLIENT_MAC, GLOBAL, NEIGHBOUR, OWN, Case6
from tests.lab.frames import Checksum, Datagram
from tests.lab.topology6 import ALTIRIS6, RIS6

NOTHING = "nothing"

_NAMES = {
    **{address: name for name, address in GLOBAL.items()},
    **{address: f"{name}'s link-local" for name, address in OWN.items()},
    RIS6: "server",
    ALTIRIS6: "stranger",
    CLIENT: "client",
    NEIGHBOUR: "client's global",
    "ff02::1": "all nodes",
}
_RELAY_FORW, _RELAY_MESSAGE = 12, 9


def outline(case: Case6, arrivals: list[tuple[str, Datagram]]) -> str:
    """Return what became of a case in words, from what came out on which wire."""
    return " | ".join(sorted(_arrival(case, *one) for one in arrivals)) or NOTHING


def _arrival(case: Case6, wire: str, datagram: Datagram) -> str:
    to = f"{_address(case, datagram.destination)}:{datagram.port}"
    if wire in ("client", "other VLAN"):
        at = "client" if datagram.hardware == CLIENT_MAC else datagram.hardware
        to += f" at {at}{'' if wire == 'client' else ' on the other VLAN'}"
    elif _address(case, datagram.destination) != wire:
        to += f" on the wire of {wire}"
    source = f"{_address(case, datagram.source)}:{datagram.source_port}"
    checksum = "" if datagram.checksum is Checksum.GOOD else f", checksum {datagram.checksum.value}"
    return f"{to} from {source}{checksum}; {_content(case, datagram.payload)}"


def _address(case: Case6, address: str) -> str:
    if address == case.delivery.source and address != CLIENT and address not in _NAMES:
        return "sender"
    return _NAMES.get(address, address)


def _content(case: Case6, payload: bytes) -> str:
    if payload == case.message:
        return "unchanged"
    if payload[:1] != bytes((_RELAY_FORW,)) or len(payload) < 34:
        inner = relay_message(case.message)
        return (
            "inside unchanged" if payload and payload == inner else f"inside changed to {payload[:8].hex()}"
        )
    before = case.message[1] if case.message[:1] == bytes((_RELAY_FORW,)) and len(case.message) > 1 else -1
    link, peer = (str(IPv6Address(payload[at : at + 16])) for at in (2, 18))
    sender = "sender" if peer == case.delivery.source else _address(case, peer)
    options = options_of(payload)
    told = " ".join(str(code) for code, _ in options if code != _RELAY_MESSAGE)
    inside = next((value for code, value in options if code == _RELAY_MESSAGE), b"")
    same = "inside unchanged" if inside == case.message else f"inside of {len(inside)} octets changed"
    hops = f"hop-count {payload[1] - before:+}"
    return f"RELAY-FORW, {hops}, link {_NAMES.get(link, link)}, peer {sender}, {told or 'no options'}, {same}"


def options_of(octets: bytes) -> list[tuple[int, bytes]]:
    """Return the whole options behind the header of a relay agent's message."""
    found, at = [], 34
    while at + 4 <= len(octets):
        code, size = struct.unpack_from("!HH", octets, at)
        if at + 4 + size > len(octets):
            break
        found.append((code, octets[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def relay_message(octets: bytes) -> bytes | None:
    """Return the first whole relay message in a relay agent's or a server's message."""
    return next((value for code, value in options_of(octets) if code == _RELAY_MESSAGE), None)
