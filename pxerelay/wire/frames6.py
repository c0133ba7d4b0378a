"""Frames for DHCPv6 replies that go out by link layer, with all headers.

    Ethernet (RFC 894), 14 octets
    destination(6) source(6) type(2)

    IPv6 (RFC 8200, 3), 40 octets                        UDP (RFC 768), 8 octets
    version/class/flow(4) length(2) next(1) hops(1)      source port(2) destination port(2)
    source(16) destination(16)                           length(2) checksum(2)

The checksum covers the addresses, the length and the number of UDP too (RFC 8200, 8.1), and is never 0.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pxerelay.wire.frames import ones_complement_sum
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import SERVER_PORT

_ETHERNET = struct.Struct("!6s6sH")
_IP_HEADER = struct.Struct("!IHBB16s16s")
_UDP_HEADER = struct.Struct("!HHHH")
_PSEUDO = struct.Struct("!16s16sII")

_TYPE_IPV6 = 0x86DD
_PROTOCOL_UDP = 17
_VERSION = 6 << 28
_HOP_LIMIT = 64
"""Of replies (rule 149)."""

HEADERS_SIZE = _IP_HEADER.size + _UDP_HEADER.size
"""Octets of a packet in front of a reply."""


class Reply6(NamedTuple):
    """A reply, and the 16 octets of the address that it is for."""

    message: Message
    destination: bytes


def frame(
    message: Message, *, source: bytes, destination: bytes, port: int, sender: bytes, hardware: bytes
) -> bytes:
    """Return the frame of a reply from an address to another, 16 octets each, and its UDP port.

    `sender` and `hardware` are the Ethernet addresses, 6 octets each. What a link carries at once is for the
    caller to know: `HEADERS_SIZE` and the message are one packet.
    """
    size = _UDP_HEADER.size + len(message)
    bare = _UDP_HEADER.pack(SERVER_PORT, port, size, 0) + message
    pseudo = _PSEUDO.pack(source, destination, size, _PROTOCOL_UDP)
    checksum = 0xFFFF - ones_complement_sum(pseudo + bare) or 0xFFFF
    return b"".join(
        (
            _ETHERNET.pack(hardware, sender, _TYPE_IPV6),
            _IP_HEADER.pack(_VERSION, size, _PROTOCOL_UDP, _HOP_LIMIT, source, destination),
            _UDP_HEADER.pack(SERVER_PORT, port, size, checksum),
            message,
        )
    )
