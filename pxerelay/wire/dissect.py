"""Captured frames to UDP datagrams: IPv4, IPv6, fragments, tunnels (GRE, ERSPAN, VXLAN, Geneve, IP in IP).

Checksums are not looked at: on the host that sends they are captured before the network card makes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pxerelay.wire import dissect6, layers
from pxerelay.wire.dissect6 import Datagram6
from pxerelay.wire.layers import BOTH, CUT_SHORT, ETHERNET_FRAME, IPV4, IPV6, ONLY_IPV4, Other, Packet
from pxerelay.wire.mac import MAC_OCTETS


class Frame(NamedTuple):
    """What a capture holds of a packet.

    `number` counts from 1, as Wireshark does; `time` is in seconds since the epoch, `link` the link type
    (`layers.LINK_TYPES`), `interface` the name that the capture has for where it was heard, if it has one.
    """

    number: int
    time: float
    link: int
    octets: bytes
    interface: str | None = None


class Datagram(NamedTuple):
    """A UDP datagram. `tags` are its VLANs, the outer one first; addresses have 4 octets.

    `size` is how many octets its payload had on the wire; a capture may have kept fewer of them. What came in
    a tunnel, in MPLS or PPPoE has no `interface`: where the capture was made it is not the client's yet.
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
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether the capture has all of it."""
        return len(self.payload) == self.size


AnyDatagram = Datagram | Datagram6
"""A UDP datagram of either family."""

_IP_IN_IP, _UDP, _IPV6_IN_IP, _GRE = 4, 17, 41, 47
"""IP protocols (IANA)."""

_IP_IN = {_IP_IN_IP: IPV4, _IPV6_IN_IP: IPV6}
"""IP in IP, by what is inside."""

_PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 41: "IPv6", 50: "IPsec", 51: "IPsec", 58: "ICMPv6", 89: "OSPF"}
_PROTOCOLS |= {112: "VRRP", 132: "SCTP"}
"""What others are counted under."""

_IP_HEADER, _UDP_HEADER = 20, 8
_MORE, _OFFSET, _UNIT = 0x2000, 0x1FFF, 8
"""Flag and offset of fragments, and what the offset counts in (RFC 791, 3.1)."""

_LARGEST = 65535
"""Octets of the largest IPv4 packet (RFC 791, 3.1)."""

_MOST_INCOMPLETE = 64
"""Datagrams whose fragments are kept; the oldest is forgotten for a new one."""

_VXLAN_PORTS = frozenset({4789, 8472})
"""Where VXLAN is sent to (RFC 7348, 5), and where Linux sends it unless told otherwise."""

_VXLAN_HEADER, _HAS_NETWORK = 8, 0x08
"""Octets of VXLAN's header, and the flag that it must have (RFC 7348, 5)."""

_GENEVE_PORT, _GENEVE_HEADER = 6081, 8
"""RFC 8926, 3.3 and 3.4."""

_MOST_TUNNELS = 8
"""Tunnels in each other that are opened."""


def datagrams(frames: Iterable[Frame]) -> Iterator[Datagram | Other]:
    """Yield the UDP datagram over IPv4 that each frame brings or completes, or what else it is.

    `tcpdump -i any` hears a packet of a VLAN twice, on the parent and on the VLAN's interface: the second
    brings none.
    """
    reader = _Reader(ONLY_IPV4)
    for frame in frames:
        found = reader.of_frame(frame)
        assert not isinstance(found, Datagram6)  # noqa: S101  # no such packets are wanted
        yield found


def datagrams_of_both(frames: Iterable[Frame]) -> Iterator[AnyDatagram | Other]:
    """Yield the UDP datagrams of both families, as `datagrams` does."""
    return map(_Reader(BOTH).of_frame, frames)


class _Reader:
    """Reads frames; keeps fragments, and what was heard last."""

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._joiner = _Joiner()
        self._heard = _Heard()

    def of_frame(self, frame: Frame) -> AnyDatagram | Other:
        """Return what a frame brings."""
        found: Packet | Other | AnyDatagram = layers.of_link(frame.link, frame.octets, self._wanted)
        for _ in range(_MOST_TUNNELS):
            if not isinstance(found, Packet):
                return found
            if layers.is_cooked(frame.link) and self._heard.before(found.octets, frame.time):
                return Other("heard twice")
            found = (self._of_ipv6 if found.kind == IPV6 else self._of_ipv4)(frame, found)
        return found if not isinstance(found, Packet) else Other("too many tunnels")

    def _of_ipv4(self, frame: Frame, packet: Packet) -> AnyDatagram | Packet | Other:
        """Return the datagram in an IPv4 packet, or the packet in a tunnel."""
        ip = packet.octets
        if len(ip) < _IP_HEADER:
            return CUT_SHORT
        header, protocol = (ip[0] & 0x0F) * 4, ip[9]
        length, identification, place = struct.unpack_from("!HHH", ip, 2)
        length = length or len(ip)  # a capture of what the network card is to cut into packets
        if ip[0] >> 4 != 4 or not _IP_HEADER <= header <= length:
            return Other("damaged IPv4")
        if len(ip) < header:
            return CUT_SHORT
        body, size = ip[header:length], length - header
        if place & (_MORE | _OFFSET):
            if len(body) < size:
                return CUT_SHORT
            whole = self._joiner.take((identification, ip[9:10] + ip[12:20]), place, body)
            if whole is None:
                return Other("fragment")
            body, size = whole, len(whole)
        return self._of_body(frame, packet, protocol, body, size)

    def _of_ipv6(self, frame: Frame, packet: Packet) -> AnyDatagram | Packet | Other:
        """Return the datagram in an IPv6 packet, or the packet in a tunnel."""
        found = dissect6.opened(packet.octets)
        if isinstance(found, dissect6.Body) and found.fragment is not None:
            part = found.fragment
            if len(found.octets) < found.size:
                return CUT_SHORT
            place = part.offset // _UNIT | (_MORE if part.more else 0)
            key = int.from_bytes(part.identification, "big"), b"".join(dissect6.addresses(packet.octets))
            whole = self._joiner.take(key, place, found.octets, found.kind)
            if whole is None:
                return Other("fragment")
            found = dissect6.behind(self._joiner.kind, whole, len(whole))
        if isinstance(found, Other):
            return found
        if found.fragment is not None:
            return Other("damaged IPv6")  # a fragment within what fragments made
        return self._of_body(frame, packet, found.kind, found.octets, found.size)

    def _of_body(
        self, frame: Frame, packet: Packet, protocol: int, body: bytes, size: int
    ) -> AnyDatagram | Packet | Other:
        if protocol == _UDP:
            return self._of_udp(frame, packet, body, size)
        if protocol in _IP_IN and _IP_IN[protocol] in self._wanted:
            return Packet(body, packet.tags, is_wrapped=True, kind=_IP_IN[protocol])
        if protocol == _GRE:
            return _in_gre(body, self._wanted)
        return Other(_PROTOCOLS.get(protocol, f"IP protocol {protocol}"))

    def _of_udp(self, frame: Frame, packet: Packet, udp: bytes, size: int) -> AnyDatagram | Packet | Other:
        if len(udp) < _UDP_HEADER:
            return CUT_SHORT if size >= _UDP_HEADER else Other("damaged UDP")
        source_port, port, told = struct.unpack_from("!HHH", udp)
        if not _UDP_HEADER <= told <= size:
            return Other("damaged UDP")
        payload, ip = udp[_UDP_HEADER:told], packet.octets
        if port in _VXLAN_PORTS and len(payload) >= _VXLAN_HEADER and payload[0] & _HAS_NETWORK:
            return layers.of_type(ETHERNET_FRAME, payload[_VXLAN_HEADER:], self._wanted)
        if port == _GENEVE_PORT and len(payload) >= _GENEVE_HEADER:
            options = (payload[0] & 0x3F) * 4
            (kind,) = struct.unpack_from("!H", payload, 2)
            return layers.of_type(kind, payload[_GENEVE_HEADER + options :], self._wanted)
        heard_on = None if packet.is_wrapped else frame.interface
        place = frame.number, frame.time, heard_on, packet.tags
        whole = told - _UDP_HEADER
        if packet.kind == IPV6:
            mac = packet.sender if packet.sender and len(packet.sender) == MAC_OCTETS else None
            return Datagram6(*place, *dissect6.addresses(ip), source_port, port, payload, whole, mac)
        return Datagram(*place, ip[12:16], ip[16:20], source_port, port, payload, whole)


_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _VERSION = 0x8000, 0x4000, 0x2000, 0x1000, 0x0007
"""Flags of GRE, and its version (RFC 2784, 2; RFC 2890, 2)."""

_ACKNOWLEDGES = 0x0080
"""A flag of GRE's version 1, which PPTP has (RFC 2637, 4.1)."""

_ERSPAN, _ERSPAN_3 = 0x88BE, 0x22EB
"""EtherTypes of frames that a switch mirrors (draft-foschiano-erspan, 4)."""


def _in_gre(octets: bytes, wanted: frozenset[int]) -> Packet | Other:
    """Return the packet in GRE."""
    if len(octets) < 4:
        return CUT_SHORT
    flags, kind = struct.unpack_from("!HH", octets)
    if flags & _ROUTING:
        return Other("GRE with routing")  # which RFC 2784 took out
    words = 1 + bool(flags & _CHECKSUM) + bool(flags & _KEY) + bool(flags & _SEQUENCE)
    if flags & _VERSION:
        words += bool(flags & _ACKNOWLEDGES)
    octets = octets[4 * words :]
    if kind == _ERSPAN:
        return layers.of_type(ETHERNET_FRAME, octets[8:] if flags & _SEQUENCE else octets, wanted)
    if kind == _ERSPAN_3:
        has_more = len(octets) > 11 and octets[11] & 1
        return layers.of_type(ETHERNET_FRAME, octets[20:] if has_more else octets[12:], wanted)
    return layers.of_type(kind, octets, wanted)


class _Heard:
    """The IP packets that were heard last."""

    def __init__(self) -> None:
        self._times: dict[bytes, float] = {}

    def before(self, ip: bytes, time: float) -> bool:
        """Whether the same packet was heard just before; and remember this one."""
        last = self._times.pop(ip, None)
        if len(self._times) >= _MOST_HEARD:
            del self._times[next(iter(self._times))]
        self._times[ip] = time
        return last is not None and 0 <= time - last < _JUST_BEFORE


_MOST_HEARD, _JUST_BEFORE = 64, 0.05
"""Packets that are kept to be told from their copies, and how many seconds a copy may come later."""


@dataclass
class _Parts:
    """Fragments of one packet by their offset; `size` is that of all, once the last one is there.

    `kind` is what the first one, at offset 0, says that the packet carries.
    """

    kind: int = 0
    by_offset: dict[int, bytes] = field(default_factory=dict)
    size: int | None = None

    def joined(self) -> bytes | None:
        """Return the packet if no fragment is missing."""
        whole = b""
        while (self.size is None or len(whole) < self.size) and self.by_offset.get(len(whole)):
            whole += self.by_offset[len(whole)]
        return whole if len(whole) == self.size else None


class _Joiner:
    """Puts fragments together by identification, protocol and addresses (RFC 791, 3.2; RFC 8200, 4.5).

    `kind` is what the packet carries that was completed last.
    """

    def __init__(self) -> None:
        self._packets: dict[tuple[int, bytes], _Parts] = {}

        self.kind = 0

    def take(self, key: tuple[int, bytes], place: int, part: bytes, kind: int = 0) -> bytes | None:
        """Return the packet that this fragment completes, else None."""
        offset = (place & _OFFSET) * _UNIT
        if offset + len(part) > _LARGEST:
            return None
        if key not in self._packets and len(self._packets) >= _MOST_INCOMPLETE:
            del self._packets[next(iter(self._packets))]
        parts = self._packets.setdefault(key, _Parts())
        parts.by_offset[offset] = part
        parts.kind = parts.kind if offset else kind
        if not place & _MORE:
            parts.size = offset + len(part)
        whole = parts.joined() if parts.size is not None else None
        if whole is not None:
            self.kind = parts.kind
            del self._packets[key]
        return whole
