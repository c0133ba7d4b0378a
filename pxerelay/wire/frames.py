"""Frames for replies that go out by link layer, with all headers.

A client that is being offered an address can't answer ARP for it, so its replies are sent to its
hardware address by a packet socket, and the headers are ours to make (RFC 2131, 4.1).

    Ethernet (RFC 894), 14 octets
    destination(6) source(6) type(2)

    IPv4 (RFC 791, 3.1), 20 octets                       UDP (RFC 768), 8 octets
    ver/ihl tos len(2) id(2) flags/frag(2) ttl proto     source port(2) destination port(2)
    checksum(2) source(4) destination(4)                 length(2) checksum(2)

Checksums are complete, whatever the link could finish (rule 40): a client that reads frames from a raw
socket, and knows nothing of offload, takes no other.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from typing import NamedTuple

from pxerelay.wire.batch import number
from pxerelay.wire.packet import CLIENT_PORT, SERVER_PORT, Message

ETHERNET = struct.Struct("!6s6sH")
IP_HEADER = struct.Struct("!BBHHHBBH4s4s")
UDP_HEADER = struct.Struct("!HHHH")
_HEADERS = struct.Struct("=6s12sH4sH4sI6sH")
"""All three in a row, with what is the same in all replies of one size taken together.

Sums, and the address that goes into them, are numbers in the host's order: a sum of swapped octets is the
swapped sum (RFC 1071, 2).
"""

HEADERS_SIZE = _HEADERS.size

_TYPE_IPV4 = 0x0800
_PROTOCOL_UDP = 17
_TTL = 64
_VERSION_AND_LENGTH = 0x45
_MORE_FRAGMENTS = 0x2000
_FRAGMENT_UNIT = 8


def ones_complement_sum(octets: bytes) -> int:
    """Return the 16-bit one's complement sum (RFC 1071, 1); an odd last octet is padded with a zero.

    The sum of 16-bit words with end-around carry is the number they spell modulo 65535, which Python
    finds faster than it could add the words.
    """
    if len(octets) % 2:
        octets += b"\0"
    return int.from_bytes(octets, "big") % 0xFFFF


class Reply(NamedTuple):
    """A reply on its last hop, to a client's address (`batch.number` of it) and its Ethernet address."""

    message: Message
    address: int
    hardware: bytes

    @property
    def destination(self) -> bytes:
        """The 4 octets of the client's address."""
        return self.address.to_bytes(4, sys.byteorder)


class _Form(NamedTuple):
    """What is the same in all replies of one size: parts of the headers, and what of the sums is known."""

    from_source_to_length: bytes
    ports_and_length: bytes
    ip_sum: int
    udp_sum: int


_CACHE_LINE = 64
"""Octets; frames begin where a line of the processor's cache does."""

_FLAGS_TO_PROTOCOL = struct.pack("!HBB", 0, _TTL, _PROTOCOL_UDP)


class Framing:
    """How replies leave by one interface.

    `address` is the source address of replies, 4 octets; `hardware` the interface's Ethernet address,
    `mtu` the largest IP packet that its link carries. `largest` are the octets of a message that goes into
    one frame. Where there is no Ethernet address there are no frames either, but `packets`.
    """

    def __init__(self, address: bytes, hardware: bytes, mtu: int) -> None:
        self._address = address
        self._hardware = hardware
        self._mtu = mtu
        self.largest = mtu - IP_HEADER.size - UDP_HEADER.size
        self._forms: dict[int, _Form] = {}

    @property
    def has_frames(self) -> bool:
        """Whether the link has Ethernet frames."""
        return bool(self._hardware)

    def write(
        self, room: bytearray, start: int, replies: Iterable[Reply], first: int
    ) -> list[tuple[int, int]]:
        """Write the frames of replies that fit, to port 68, one behind the other, and return their bounds.

        `first` is the identification of the first one (RFC 791, 3.1), of which 16 bits count. One loop with
        no calls in it: these are the octets of a storm.
        """
        bounds, forms, own = [], self._forms, self._address
        from_bytes, order = int.from_bytes, sys.byteorder
        start += -start % _CACHE_LINE
        for identification, (message, address, hardware) in enumerate(replies, first):
            payload = len(message)
            before, ports, ip_sum, udp_sum = forms.get(payload) or self._form(payload)
            identification &= 0xFFFF
            octets = message if payload % 2 == 0 else bytes(message) + b"\0"
            _HEADERS.pack_into(
                room,
                start,
                hardware,
                before,
                identification,
                _FLAGS_TO_PROTOCOL,
                0xFFFF - (ip_sum + identification + address) % 0xFFFF,
                own,
                address,
                ports,
                0xFFFF - (udp_sum + address + from_bytes(octets, order)) % 0xFFFF,
            )
            end = start + HEADERS_SIZE + payload
            room[end - payload : end] = message
            bounds.append((start, end))
            start = end + -end % _CACHE_LINE
        return bounds

    def _form(self, payload: int) -> _Form:
        size = UDP_HEADER.size + payload
        fields = _VERSION_AND_LENGTH, 0, IP_HEADER.size + size
        header = IP_HEADER.pack(*fields, 0, 0, _TTL, _PROTOCOL_UDP, 0, self._address, bytes(4))
        pseudo = self._address + struct.pack("!HH", _PROTOCOL_UDP, size)
        ports = struct.pack("!HHH", SERVER_PORT, CLIENT_PORT, size)
        found = self._forms[payload] = _Form(
            self._hardware + struct.pack("!HBBH", _TYPE_IPV4, *fields),
            ports,
            number(header) % 0xFFFF,
            number(pseudo + ports) % 0xFFFF,
        )
        return found

    def fragments(self, reply: Reply, identification: int) -> list[bytes]:
        """Return the frames of a reply that is too large for one.

        16 bits of `identification` tell the fragments of one packet from those of others (RFC 791, 2.3).
        """
        link = ETHERNET.pack(reply.hardware, self._hardware, _TYPE_IPV4)
        return [link + packet for packet in self.packets(reply, identification)]

    def packets(self, reply: Reply, identification: int) -> list[bytes]:
        """Return the IP packets of a reply, several if the link carries no such large one."""
        identification &= 0xFFFF
        message, address, _ = reply
        destination = address.to_bytes(4, sys.byteorder)
        size = UDP_HEADER.size + len(message)
        bare = UDP_HEADER.pack(SERVER_PORT, CLIENT_PORT, size, 0) + message
        pseudo = self._address + destination + struct.pack("!HH", _PROTOCOL_UDP, size)
        checksum = 0xFFFF - ones_complement_sum(pseudo + bare) or 0xFFFF
        udp = UDP_HEADER.pack(SERVER_PORT, CLIENT_PORT, size, checksum) + message
        step = max((self._mtu - IP_HEADER.size) // _FRAGMENT_UNIT, 1) * _FRAGMENT_UNIT
        if size <= self._mtu - IP_HEADER.size:
            step = size
        found = []
        for start in range(0, size, step):
            part = udp[start : start + step]
            more = _MORE_FRAGMENTS if start + step < size else 0
            fields = (
                *(_VERSION_AND_LENGTH, 0, IP_HEADER.size + len(part), identification),
                *(more | start // _FRAGMENT_UNIT, _TTL, _PROTOCOL_UDP),
            )
            header = IP_HEADER.pack(*fields, 0, self._address, destination)
            checksum = 0xFFFF - ones_complement_sum(header)
            found.append(IP_HEADER.pack(*fields, checksum, self._address, destination) + part)
        return found
