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
import sys
from collections.abc import Iterable
from typing import NamedTuple

from pxerelay.wire.batch import number
from pxerelay.wire.frames import ones_complement_sum
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import CLIENT_PORT, SERVER_PORT

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

_HEADERS = struct.Struct("=6s32s16s6sH")
"""All headers in a row, with what is the same in all replies of one size taken together, as in `frames`."""

_CACHE_LINE = 64
"""Octets; frames begin where a line of the processor's cache does."""


class Reply6(NamedTuple):
    """A reply, the 16 octets of the address that it is for, and its Ethernet address."""

    message: Message
    destination: bytes
    hardware: bytes


def frame(
    message: Message, *, source: bytes, destination: bytes, port: int, sender: bytes, hardware: bytes
) -> bytes:
    """Return the frame of a reply from an address to another, 16 octets each, and its UDP port.

    `sender` and `hardware` are the Ethernet addresses, 6 octets each. What a link carries at once is for the
    caller to know: `HEADERS_SIZE` and the message are one packet.
    """
    whole = packet(message, source=source, destination=destination, ports=(SERVER_PORT, port))
    return _ETHERNET.pack(hardware, sender, _TYPE_IPV6) + whole


def packet(
    message: Message,
    *,
    source: bytes,
    destination: bytes,
    ports: tuple[int, int],
    hop_limit: int = _HOP_LIMIT,
) -> bytes:
    """Return a packet from an address to another, 16 octets each, and from a UDP port to another."""
    size = _UDP_HEADER.size + len(message)
    bare = _UDP_HEADER.pack(*ports, size, 0) + message
    pseudo = _PSEUDO.pack(source, destination, size, _PROTOCOL_UDP)
    checksum = 0xFFFF - ones_complement_sum(pseudo + bare) or 0xFFFF
    return b"".join(
        (
            _IP_HEADER.pack(_VERSION, size, _PROTOCOL_UDP, hop_limit, source, destination),
            _UDP_HEADER.pack(*ports, size, checksum),
            message,
        )
    )


class _Form(NamedTuple):
    """What is the same in all replies of one size: parts of the headers, and their part of the checksum."""

    from_sender_to_source: bytes
    ports_and_length: bytes
    sum: int


class Framing6:
    """How replies to clients leave by one interface: from an address, 16 octets, and an Ethernet address."""

    def __init__(self, source: bytes, sender: bytes) -> None:
        self._source, self._sender = source, sender
        self._forms: dict[int, _Form] = {}

    def write(self, room: bytearray, start: int, replies: Iterable[Reply6], _: int) -> list[tuple[int, int]]:
        """Write the frames of replies that fit, one behind the other, and return their bounds.

        Packets of IPv6 have no identification. One loop with no calls in it: these are the octets of a storm.
        """
        bounds, forms = [], self._forms
        from_bytes, order = int.from_bytes, sys.byteorder
        start += -start % _CACHE_LINE
        for message, destination, hardware in replies:
            payload = len(message)
            before, ports, known = forms.get(payload) or self._form(payload)
            octets = message if payload % 2 == 0 else bytes(message) + b"\0"
            total = known + from_bytes(destination, order) + from_bytes(octets, order)
            _HEADERS.pack_into(room, start, hardware, before, destination, ports, 0xFFFF - total % 0xFFFF)
            end = start + _HEADERS.size + payload
            room[end - payload : end] = message
            bounds.append((start, end))
            start = end + -end % _CACHE_LINE
        return bounds

    def _form(self, payload: int) -> _Form:
        size = _UDP_HEADER.size + payload
        fields = struct.pack("!IHBB", _VERSION, size, _PROTOCOL_UDP, _HOP_LIMIT)
        ports = struct.pack("!HHH", SERVER_PORT, CLIENT_PORT, size)
        pseudo = self._source + struct.pack("!II", size, _PROTOCOL_UDP) + ports
        found = self._forms[payload] = _Form(
            self._sender + struct.pack("!H", _TYPE_IPV6) + fields + self._source,
            ports,
            number(pseudo) % 0xFFFF,
        )
        return found
