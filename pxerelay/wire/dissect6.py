"""Captured frames to DHCPv6 datagrams, with the Ethernet address that each frame came from.

As far as `explain` needs: no fragments and no tunnels. `dissect` is for IPv4.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pxerelay.wire import layers, packet6
from pxerelay.wire.dissect import Frame
from pxerelay.wire.layers import IPV6, Packet
from pxerelay.wire.mac import MAC_OCTETS

_HEADER, _UDP_HEADER = 40, 8
"""Octets of the headers of IPv6 and UDP (RFC 8200, 3; RFC 768)."""

_UDP = 17
"""The protocol's number (IANA)."""

_EXTENSIONS = frozenset({0, 43, 60})
"""Headers that may stand in between and tell their length: hop-by-hop and destination options, routing
(RFC 8200, 4)."""

_MOST_EXTENSIONS = 8

_PORTS = frozenset({packet6.CLIENT_PORT, packet6.SERVER_PORT})


class Datagram6(NamedTuple):
    """A UDP datagram over IPv6, as `dissect.Datagram`; addresses have 16 octets.

    `mac` is the Ethernet address that the frame came from, None where the link type does not have it.
    """

    number: int
    time: float
    interface: str | None
    tags: tuple[int, ...]
    source: bytes
    destination: bytes
    source_port: int
    port: int
    payload: bytes
    mac: bytes | None


def of_frame(frame: Frame) -> Datagram6 | None:
    """Return the whole DHCPv6 datagram that a frame brings, None if it brings none."""
    packet = layers.of_link(frame.link, frame.octets, IPV6)
    if not isinstance(packet, Packet) or len(packet.octets) < _HEADER or packet.octets[0] >> 4 != 6:
        return None
    ip = packet.octets
    length, kind = struct.unpack_from("!HB", ip, 4)
    start, end = _HEADER, min(_HEADER + length, len(ip))
    for _ in range(_MOST_EXTENSIONS):
        if kind not in _EXTENSIONS or start + 2 > end:
            break
        kind, start = ip[start], start + (ip[start + 1] + 1) * 8
    if kind != _UDP or start + _UDP_HEADER > end:
        return None
    source_port, port, size = struct.unpack_from("!HHH", ip, start)
    payload = ip[start + _UDP_HEADER : start + size]
    if port not in _PORTS or size < _UDP_HEADER or start + size > end:
        return None
    interface = None if packet.is_wrapped else frame.interface
    mac = None if packet.is_wrapped else layers.sender_of(frame.link, frame.octets)
    addresses = ip[8:24], ip[24:40]
    place = frame.number, frame.time, interface, packet.tags
    return Datagram6(
        *place, *addresses, source_port, port, payload, mac if mac and len(mac) == MAC_OCTETS else None
    )
