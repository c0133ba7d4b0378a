"""IPv4 and UDP headers for replies that go out by link layer.

A client that is being offered an address can't answer ARP for it, so its replies are sent to its
hardware address by a packet socket, and the IP and UDP headers are ours to make (RFC 2131, 4.1).

    IPv4 (RFC 791, 3.1), 20 octets                       UDP (RFC 768), 8 octets
    ver/ihl tos len(2) id(2) flags/frag(2) ttl proto     source port(2) destination port(2)
    checksum(2) source(4) destination(4)                 length(2) checksum(2)
"""

from __future__ import annotations

import struct

from pxerelay.packet import CLIENT_PORT, SERVER_PORT, Message

IP_HEADER = struct.Struct("!BBHHHBBH4s4s")
UDP_HEADER = struct.Struct("!HHHH")

_PROTOCOL_UDP = 17
_TTL = 64
_VERSION_AND_LENGTH = 0x45
_MORE_FRAGMENTS = 0x2000
_FRAGMENT_UNIT = 8


def ones_complement_sum(octets: bytes) -> int:
    """Return the 16-bit one's complement sum (RFC 1071, 1); an odd last octet is padded with a zero.

    The sum of 16-bit words with end-around carry is the number they spell modulo 65535, which Python
    finds faster than it could add the words. So 0xFFFF, which stands for the same as 0, is never returned.
    """
    if len(octets) % 2:
        octets += b"\0"
    return int.from_bytes(octets, "big") % 0xFFFF


def udp_checksum(source: bytes, destination: bytes, udp: bytes) -> int:
    """Return the checksum of a UDP datagram whose checksum field is zero, never 0 itself (RFC 768)."""
    pseudo = source + destination + struct.pack("!HH", _PROTOCOL_UDP, len(udp))
    return 0xFFFF - ones_complement_sum(pseudo + udp)


def reply_packets(
    message: Message, source: bytes, destination: bytes, mtu: int, identification: int
) -> list[bytes]:
    """Return the IP packets that carry a reply to port 68, more than one if the MTU asks for fragments.

    `source` and `destination` are addresses of 4 octets; `identification` tells the fragments of one
    packet from those of others (RFC 791, 2.3; 16 bits).
    """
    size = UDP_HEADER.size + len(message)
    bare = UDP_HEADER.pack(SERVER_PORT, CLIENT_PORT, size, 0) + message
    checksum = udp_checksum(source, destination, bare)
    udp = UDP_HEADER.pack(SERVER_PORT, CLIENT_PORT, size, checksum) + message
    if IP_HEADER.size + size <= mtu:
        return [_ip_header(source, destination, size, identification, 0) + udp]
    step = max((mtu - IP_HEADER.size) // _FRAGMENT_UNIT, 1) * _FRAGMENT_UNIT
    packets = []
    for start in range(0, size, step):
        part = udp[start : start + step]
        more = _MORE_FRAGMENTS if start + step < size else 0
        flags = more | start // _FRAGMENT_UNIT
        packets.append(_ip_header(source, destination, len(part), identification, flags) + part)
    return packets


def _ip_header(source: bytes, destination: bytes, payload: int, identification: int, fragment: int) -> bytes:
    fields = (
        _VERSION_AND_LENGTH,
        0,
        IP_HEADER.size + payload,
        identification & 0xFFFF,
        fragment,
        _TTL,
        _PROTOCOL_UDP,
    )
    bare = IP_HEADER.pack(*fields, 0, source, destination)
    return IP_HEADER.pack(*fields, 0xFFFF - ones_complement_sum(bare), source, destination)
