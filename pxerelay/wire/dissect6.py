"""IPv6 packets to what they carry: extension headers and fragments (RFC 8200, 4); `dissect` has IPv4's.

    version(4 bits) class label  payload length(2)  next header(1)  hop limit(1)  source(16)  destination(16)

Each extension header names what comes next.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pxerelay.wire.layers import CUT_SHORT, Other


class Datagram6(NamedTuple):
    """A UDP datagram over IPv6, as `dissect.Datagram`; addresses have 16 octets.

    `mac` is the Ethernet address that the frame right around it came from, None where there is no frame or
    the link type does not have it.
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
    mac: bytes | None

    @property
    def is_whole(self) -> bool:
        """Whether the capture has all of it."""
        return len(self.payload) == self.size


class Fragment(NamedTuple):
    """Which part of a packet something is: its identification, its offset in octets, whether more follows."""

    identification: bytes
    offset: int
    more: bool


class Body(NamedTuple):
    """What is behind the headers: its protocol, and how many octets it had on the wire.

    Of a fragment it is what is behind the fragment header; `kind` is then what that names.
    """

    kind: int
    octets: bytes
    size: int
    fragment: Fragment | None = None


_HEADER = 40
_SOURCE_AND_DESTINATION = slice(8, 40)

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_LONG = frozenset({_HOP_BY_HOP, _ROUTING, _DESTINATION, 135, 139, 140})
"""Extension headers with a length in units of 8 octets behind the first 8: those of RFC 8200, 4, mobility
(RFC 6275, 6.1), host identity (RFC 7401, 5.1) and shim6 (RFC 5533, 5.1)."""

_MOST_HEADERS = 16
"""Extension headers that are passed over: a packet with more was made to keep its reader busy."""


def addresses(ip: bytes) -> tuple[bytes, bytes]:
    """Return the source and the destination of a packet with a whole header."""
    both = ip[_SOURCE_AND_DESTINATION]
    return both[:16], both[16:]


def opened(ip: bytes) -> Body | Other:
    """Return what an IPv6 packet carries."""
    if len(ip) < _HEADER:
        return CUT_SHORT
    length, kind = struct.unpack_from("!HB", ip, 4)
    if ip[0] >> 4 != 6:
        return Other("damaged IPv6")
    end = _HEADER + length if length else len(ip)  # 0: of what the network card is to cut into packets
    return behind(kind, ip[_HEADER:end], end - _HEADER)


def behind(kind: int, octets: bytes, size: int) -> Body | Other:
    """Return what is behind extension headers, of which `kind` is the first, in `size` octets."""
    at = 0
    for _ in range(_MOST_HEADERS):
        if kind in _LONG or kind == _AUTHENTICATION:
            if at + 2 > len(octets):
                return CUT_SHORT
            units = (octets[at + 1] + 1) * 8 if kind in _LONG else (octets[at + 1] + 2) * 4
            kind, at = octets[at], at + units
        elif kind == _FRAGMENT:
            if at + 8 > len(octets):
                return CUT_SHORT
            kind, place, identification = (
                octets[at],
                int.from_bytes(octets[at + 2 : at + 4], "big"),
                octets[at + 4 : at + 8],
            )
            part = Fragment(identification, place & 0xFFF8, bool(place & 1))
            return Body(kind, octets[at + 8 :], size - at - 8, part)
        else:
            break
        if at > size:
            return Other("damaged IPv6")
    return Body(kind, octets[at:], size - at)
