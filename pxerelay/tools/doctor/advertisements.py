"""Asks which routers advertise themselves on client interfaces: a Router Solicitation, and what follows.

Router Advertisements of this host itself count too, for it may be the router; so frames are looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterable

from pxerelay.policy.ports6 import Port6
from pxerelay.tools.doctor.facts6 import Advertised

SECONDS = 5.0
"""How long advertisements are waited for: routers answer within half a second, but send none within three
seconds of the last one (RFC 4861, 6.2.6)."""

_AGAIN = 1.0
"""Seconds from one solicitation to the next."""

_ALL_ROUTERS = "ff02::2"
"""RFC 4291, 2.7.1."""

_SOLICITATION = struct.pack("!BBHI", 133, 0, 0, 0)
"""RFC 4861, 4.1; the kernel computes the checksum (RFC 3542, 3.1)."""

_ADVERTISEMENT, _ICMPV6, _VERSION = 134, 58, 6
_ETH_P_ALL = 3
"""Frames that this host sends as well (packet(7))."""

_HEADER = 40
"""Octets of an IPv6 header (RFC 8200, 3); advertisements have no more in front (RFC 4861, 6.1.2)."""

_FLAGS_AT = 5
_MANAGED, _OTHER = 0x80, 0x40
"""The flags of an advertisement (RFC 4861, 4.2)."""


async def heard(ports: Iterable[Port6]) -> tuple[Advertised, ...]:
    """Return what routers say on each of the client interfaces; all are asked at once."""
    return tuple(await asyncio.gather(*map(_heard, ports)))


async def _heard(port: Port6) -> Advertised:
    name = port.link.name if port.link else port.name
    loop, end = asyncio.get_running_loop(), time.monotonic() + SECONDS
    flags = -1
    try:
        with contextlib.ExitStack() as stack:
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            frames = stack.enter_context(socket.socket(socket.AF_PACKET, kind, 0))
            frames.bind((name, _ETH_P_ALL))
            asking = stack.enter_context(
                socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _ICMPV6)
            )
            asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            asked_at = -_AGAIN
            while (left := end - time.monotonic()) > 0:
                if time.monotonic() - asked_at >= _AGAIN:
                    asked_at = time.monotonic()
                    asking.sendto(_SOLICITATION, (_ALL_ROUTERS, 0, 0, port.index or 0))
                try:
                    octets = await asyncio.wait_for(loop.sock_recv(frames, 2048), min(left, _AGAIN))
                except asyncio.TimeoutError:
                    continue
                found = _flags(octets)
                if found is not None:
                    flags = found | max(flags, 0)
                    if flags & _MANAGED:
                        break
    except OSError as error:
        return Advertised(port.name, error=error.strerror or str(error))
    if flags < 0:
        return Advertised(port.name)
    return Advertised(port.name, True, bool(flags & _MANAGED), bool(flags & _OTHER))


def _flags(packet: bytes) -> int | None:
    """Return the flags of an IPv6 packet that is a Router Advertisement, None of any other."""
    if (
        len(packet) < _HEADER + 16
        or packet[0] >> 4 != _VERSION
        or packet[6] != _ICMPV6
        or packet[_HEADER] != _ADVERTISEMENT
    ):
        return None
    return packet[_HEADER + _FLAGS_AT]
