"""Captured frames to UDP datagrams: link layers, VLAN tags, IPv4 and its fragments.

Checksums are not looked at: on the host that sends they are captured before the network card makes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Frame(NamedTuple):
    """What a capture holds of a packet.

    `number` counts from 1, as Wireshark does; `time` is in seconds since the epoch, `link` the link type
    (`LINK_TYPES`), `interface` the name that the capture has for where it was heard, if it has one.
    """

    number: int
    time: float
    link: int
    octets: bytes
    interface: str | None = None


class Datagram(NamedTuple):
    """A UDP datagram. `tags` are its VLANs, the outer one first; addresses have 4 octets.

    `size` is how many octets its payload had on the wire; a capture may have kept fewer of them.
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


_IPV4 = 0x0800
_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
"""EtherTypes of C-VLAN and S-VLAN tags (IEEE 802.1Q, 9.6), and what outer tags had before 802.1ad."""

_VLAN_MASK = 0x0FFF
"""The VLAN in a tag (IEEE 802.1Q, 9.6)."""

_ETHERNET, _SLL, _SLL2 = 1, 113, 276

_TYPE_AT = {_ETHERNET: (12, 14), _SLL: (14, 16), _SLL2: (0, 20)}
"""Where the EtherType stands, and where what it tells of begins (tcpdump.org's link-layer header types)."""

_COOKED = frozenset({_SLL, _SLL2})

_RAW = frozenset({12, 14, 101, 228})
"""Link types that are an IP packet and nothing else."""

LINK_TYPES = frozenset({*_TYPE_AT, *_RAW})
"""Link types that can be read: Ethernet, Linux cooked (`tcpdump -i any`) and raw IP."""

_UDP = 17
_IP_HEADER, _UDP_HEADER = 20, 8
_MORE, _OFFSET, _UNIT = 0x2000, 0x1FFF, 8
"""Flag and offset of fragments, and what the offset counts in (RFC 791, 3.1)."""

_LARGEST = 65535
"""Octets of the largest IPv4 packet (RFC 791, 3.1)."""

_MOST_INCOMPLETE = 64
"""Datagrams whose fragments are kept; the oldest is forgotten for a new one."""


def datagrams(frames: Iterable[Frame]) -> Iterator[Datagram | None]:
    """Yield the UDP datagram that each frame brings, or completes; None for a frame that brings none.

    `tcpdump -i any` hears a packet of a VLAN twice, on the parent and on the VLAN's interface: the second
    brings none.
    """
    joiner, heard = _Joiner(), _Heard()
    for frame in frames:
        tags, ip = _ip_packet(frame)
        is_copy = frame.link in _COOKED and heard.before(ip, frame.time)
        yield None if is_copy else _datagram(frame, tags, ip, joiner)


def _datagram(frame: Frame, tags: tuple[int, ...], ip: bytes, joiner: _Joiner) -> Datagram | None:
    if len(ip) < _IP_HEADER or ip[0] >> 4 != 4 or ip[9] != _UDP:
        return None
    header = (ip[0] & 0x0F) * 4
    length, identification, place = struct.unpack_from("!HHH", ip, 2)
    length = length or len(ip)  # a capture of what the network card is to cut into packets
    if not _IP_HEADER <= header <= min(length, len(ip)):
        return None
    udp, size = ip[header:length], length - header
    if place & (_MORE | _OFFSET):
        if len(udp) < size:
            return None
        whole = joiner.take((identification, ip[12:20]), place, udp)
        if whole is None:
            return None
        udp, size = whole, len(whole)
    if len(udp) < _UDP_HEADER:
        return None
    source_port, port, told = struct.unpack_from("!HHH", udp)
    if not _UDP_HEADER <= told <= size:
        return None
    return Datagram(
        *(frame.number, frame.time, frame.interface, tags, ip[12:16], ip[16:20], source_port, port),
        *(udp[_UDP_HEADER:told], told - _UDP_HEADER),
    )


def _ip_packet(frame: Frame) -> tuple[tuple[int, ...], bytes]:
    """Return the VLAN tags of a frame and the IP packet in it, empty if it carries none."""
    octets = frame.octets
    if frame.link in _RAW:
        return (), octets
    if frame.link not in _TYPE_AT:
        return (), b""
    type_at, start = _TYPE_AT[frame.link]
    tags: list[int] = []
    while len(octets) >= max(start, type_at + 2):
        (kind,) = struct.unpack_from("!H", octets, type_at)
        if kind not in _TAGS:
            return tuple(tags), octets[start:] if kind == _IPV4 else b""
        if len(octets) < start + 4:
            break
        (tag,) = struct.unpack_from("!H", octets, start)
        if tag & _VLAN_MASK:  # 0 is a priority and no VLAN
            tags.append(tag & _VLAN_MASK)
        type_at, start = start + 2, start + 4
    return (), b""


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
    """Fragments of one packet by their offset; `size` is that of all, once the last one is there."""

    by_offset: dict[int, bytes] = field(default_factory=dict)
    size: int | None = None

    def joined(self) -> bytes | None:
        """Return the packet if no fragment is missing."""
        whole = b""
        while (self.size is None or len(whole) < self.size) and self.by_offset.get(len(whole)):
            whole += self.by_offset[len(whole)]
        return whole if len(whole) == self.size else None


class _Joiner:
    """Puts fragments together (RFC 791, 3.2)."""

    def __init__(self) -> None:
        self._packets: dict[tuple[int, bytes], _Parts] = {}

    def take(self, key: tuple[int, bytes], place: int, part: bytes) -> bytes | None:
        """Return the packet that this fragment completes, else None."""
        offset = (place & _OFFSET) * _UNIT
        if offset + len(part) > _LARGEST:
            return None
        if key not in self._packets and len(self._packets) >= _MOST_INCOMPLETE:
            del self._packets[next(iter(self._packets))]
        parts = self._packets.setdefault(key, _Parts())
        parts.by_offset[offset] = part
        if not place & _MORE:
            parts.size = offset + len(part)
        whole = parts.joined() if parts.size is not None else None
        if whole is not None:
            del self._packets[key]
        return whole
