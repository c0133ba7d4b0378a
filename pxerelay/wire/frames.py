"""Frames for replies that go out by link layer, with all headers.

A client that is being offered an address can't answer ARP for it, so its replies are sent to its
hardware address by a packet socket, and the headers are ours to make (RFC 2131, 4.1). In front of
each frame stands what the kernel is to do with it, a `struct virtio_net_hdr` (packet(7), PACKET_VNET_HDR).

    virtio_net_hdr, 10 octets, in the host's order       Ethernet (RFC 894), 14 octets
    flags type header length(2) segment size(2)          destination(6) source(6) type(2)
    checksum from(2) checksum into(2)

    IPv4 (RFC 791, 3.1), 20 octets                       UDP (RFC 768), 8 octets
    ver/ihl tos len(2) id(2) flags/frag(2) ttl proto     source port(2) destination port(2)
    checksum(2) source(4) destination(4)                 length(2) checksum(2)

A whole datagram leaves with the sum of its pseudo header in the checksum field, and the kernel or the
device adds the rest, as for all that a host sends. Fragments carry a checksum that is complete.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from typing import NamedTuple

from pxerelay.wire.batch import number
from pxerelay.wire.packet import CLIENT_PORT, SERVER_PORT, Message

TASK = struct.Struct("=BBHHHH")
ETHERNET = struct.Struct("!6s6sH")
IP_HEADER = struct.Struct("!BBHHHBBH4s4s")
UDP_HEADER = struct.Struct("!HHHH")
_HEADERS = struct.Struct("=10s6s12sH4sH4sI6sH")
"""All four in a row, with what is the same in all replies of one size taken together.

Sums, and the address that goes into them, are numbers in the host's order: a sum of swapped octets is the
swapped sum (RFC 1071, 2).
"""

HEADERS_SIZE = _HEADERS.size

_NEEDS_CHECKSUM = 1
"""VIRTIO_NET_HDR_F_NEEDS_CSUM: add up from one offset to the end, put the result into another."""

_ADD_UP = TASK.pack(_NEEDS_CHECKSUM, 0, 0, 0, ETHERNET.size + IP_HEADER.size, 6)
_AS_IT_IS = TASK.pack(0, 0, 0, 0, 0, 0)

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
    """A reply on its last way, to a client's address (`batch.number` of it) and its Ethernet address."""

    message: Message
    address: int
    hardware: bytes


class _Form(NamedTuple):
    """What is the same in all replies of one size: parts of the headers, and what of the sums is known."""

    from_source_to_length: bytes
    ports_and_length: bytes
    ip_sum: int
    pseudo_sum: int


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
        start += -start % _CACHE_LINE
        for identification, (message, address, hardware) in enumerate(replies, first):
            payload = len(message)
            before, ports, ip_sum, pseudo_sum = forms.get(payload) or self._form(payload)
            identification &= 0xFFFF
            _HEADERS.pack_into(
                room,
                start,
                _ADD_UP,
                hardware,
                before,
                identification,
                _FLAGS_TO_PROTOCOL,
                0xFFFF - (ip_sum + identification + address) % 0xFFFF,
                own,
                address,
                ports,
                (pseudo_sum + address) % 0xFFFF,
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
        found = self._forms[payload] = _Form(
            self._hardware + struct.pack("!HBBH", _TYPE_IPV4, *fields),
            struct.pack("!HHH", SERVER_PORT, CLIENT_PORT, size),
            number(header) % 0xFFFF,
            number(pseudo) % 0xFFFF,
        )
        return found

    def fragments(self, reply: Reply, identification: int) -> list[bytes]:
        """Return the frames of a reply that is too large for one.

        16 bits of `identification` tell the fragments of one packet from those of others (RFC 791, 2.3).
        """
        link = _AS_IT_IS + ETHERNET.pack(reply.hardware, self._hardware, _TYPE_IPV4)
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
