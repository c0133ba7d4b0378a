"""Replies to our own SOLICITs as they come in, whatever the firewall makes of them: `wire` in DHCPv6.

IPv6, 40 octets, of which next header is the 7th   [fragment, 8]   UDP, 8   RELAY-REPL
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv6Address

from pxerelay.tools.doctor.facts6 import Sighting6
from pxerelay.tools.doctor.wire import END, EQUAL, LOAD_OCTET, LOAD_WORD, MASK, AnyWire, Instruction
from pxerelay.wire import eui64, packet6
from pxerelay.wire.packet6 import OPTION_HEADER

_HEADER, _FRAGMENT, _UDP_HEADER = 40, 8, 8
"""Octets (RFC 8200, 3 and 4.5; RFC 768)."""

_NEXT_AT = 6
_UDP, _FRAGMENTED = 17, 44
"""Next headers (RFC 8200, 4.5; RFC 768)."""

_PEER_AT = _UDP_HEADER + packet6.PEER_ADDRESS.start + 8
"""Where a client's part of peer-address begins, behind all that is in front of UDP."""


class Wire6(AnyWire[Sighting6]):
    """Sees those to a client of ours, for servers give its peer-address back (RFC 9915, 19.3)."""

    def _program(self, chaddr: bytes) -> Iterable[Instruction]:
        first, second = struct.unpack("!II", eui64.link_local(chaddr)[8:])
        whole, part = _HEADER + _PEER_AT, _HEADER + _FRAGMENT + _PEER_AT
        return (
            (LOAD_OCTET, 0, 0, 0),
            (MASK, 0, 0, 0xF0),
            (EQUAL, 0, 12, 0x60),
            (LOAD_OCTET, 0, 0, _NEXT_AT),
            (EQUAL, 0, 4, _UDP),
            (LOAD_WORD, 0, 0, whole),
            (EQUAL, 0, 8, first),
            (LOAD_WORD, 0, 0, whole + 4),
            (EQUAL, 5, 6, second),
            (EQUAL, 0, 5, _FRAGMENTED),
            (LOAD_WORD, 0, 0, part),
            (EQUAL, 0, 3, first),
            (LOAD_WORD, 0, 0, part + 4),
            (EQUAL, 0, 1, second),
            (END, 0, 0, 0xFFFF),
            (END, 0, 0, 0),
        )

    def _read(self, octets: bytes, interface: str) -> Sighting6 | None:
        return read(octets, interface)


def read(octets: bytes, interface: str) -> Sighting6 | None:
    """Return a reply in an IPv6 packet; None if it is something else."""
    fragmented = octets[_NEXT_AT : _NEXT_AT + 1] == bytes((_FRAGMENTED,))
    start = _HEADER + (_FRAGMENT if fragmented else 0)
    message = octets[start + _UDP_HEADER :]
    if packet6.message_type(message) != packet6.RELAY_REPL or len(message) < packet6.RELAY_HEADER_SIZE:
        return None
    port, length = struct.unpack_from("!HH", octets, start + 2)
    return Sighting6(
        interface,
        IPv6Address(octets[8:24]),
        IPv6Address(octets[24:40]),
        port,
        length - _UDP_HEADER,
        fragmented,
        _xid(message).hex(),
    )


def _xid(message: bytes) -> bytes:
    """Return the xid of the message in a RELAY-REPL, which may be cut off; empty if it has none."""
    at = packet6.RELAY_HEADER_SIZE
    while at + OPTION_HEADER.size < len(message):
        code, size = OPTION_HEADER.unpack_from(message, at)
        at += OPTION_HEADER.size
        if code == packet6.RELAY_MESSAGE:
            return message[at:][packet6.XID]
        at += size
    return b""
