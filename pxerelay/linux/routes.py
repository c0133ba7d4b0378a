"""Which way the kernel sends a packet, and whether it takes one (rtnetlink(7); what `ip route get` asks)."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from socket import AF_INET

from pyroute2.netlink.rtnl import RTM_GETNEIGH, RTM_GETROUTE
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from pxerelay.linux.interfaces import decoded
from pxerelay.linux.netlink import Lister

_RTMSG = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, bits of destination and source, TOS, table, protocol, scope, type, flags."""

_DST, _SRC, _IIF, _OIF = 1, 2, 3, 4
"""Attributes: destination, source, interface that a packet comes in by, and leaves by."""

_BITS = 32

_NEIGHBOURS = struct.pack("=BxxxiHBB", AF_INET, 0, 0, 0, 0)
"""The body of RTM_GETNEIGH: struct ndmsg."""

_NUD_INCOMPLETE, _NUD_FAILED = 0x01, 0x20
"""States of a neighbour that has not answered ARP (linux/neighbour.h)."""

UNICAST, LOCAL, BROADCAST = 1, 2, 3
"""Kinds of routes: to others, to ourselves, to all on a link (linux/rtnetlink.h)."""


@dataclass(frozen=True)
class Route:
    """A way: its kind, the interface that it leaves by, the router, if any, and our address on it."""

    kind: int
    interface: int
    gateway: IPv4Address | None
    source: IPv4Address | None


class NoRouteError(Exception):
    """There is no way, or the packet is not taken; the message is the kernel's reason."""


async def leaving(
    lister: Lister, destination: IPv4Address, source: IPv4Address | None = None, vrf: int = 0
) -> Route:
    """Return the way to a destination, from an address of ours if one is given, by the routes of a VRF.

    Raises NoRouteError.
    """
    attributes = [(_DST, destination.packed)]
    if source is not None:
        attributes.append((_SRC, source.packed))
    if vrf:
        attributes.append((_OIF, struct.pack("=I", vrf)))
    return await _asked(lister, attributes, source is not None)


async def arriving(lister: Lister, source: IPv4Address, destination: IPv4Address, interface: int) -> Route:
    """Return where a packet goes that comes in by an interface; NoRouteError if the kernel would drop it.

    It does so where rp_filter is set and the way back to the source is another (ip-sysctl.rst).
    """
    attributes = [
        (_DST, destination.packed),
        (_SRC, source.packed),
        (_IIF, struct.pack("=I", interface)),
    ]
    return await _asked(lister, attributes, True)


async def unanswered(lister: Lister) -> frozenset[tuple[int, IPv4Address]]:
    """Return the neighbours that do not answer ARP, each with the index of the interface."""
    found = set()
    async for octets in lister.entries(RTM_GETNEIGH, _NEIGHBOURS, strict=False):
        message = decoded(ndmsg, octets)
        text = message.get_attr("NDA_DST")
        if text and message["state"] & (_NUD_INCOMPLETE | _NUD_FAILED):
            found.add((message["ifindex"], IPv4Address(text)))
    return frozenset(found)


async def _asked(lister: Lister, attributes: list[tuple[int, bytes]], from_source: bool) -> Route:
    bits = _BITS if from_source else 0
    body = _RTMSG.pack(AF_INET, _BITS, bits, 0, 0, 0, 0, 0, 0)
    body += b"".join(struct.pack("=HH", 4 + len(value), kind) + value for kind, value in attributes)
    try:
        octets = await lister.answer(RTM_GETROUTE, body)
    except OSError as error:
        raise NoRouteError(_REASONS.get(error.errno or 0) or os.strerror(error.errno or 0)) from None
    message = decoded(rtmsg, octets)
    return Route(
        message["type"],
        message.get_attr("RTA_OIF") or 0,
        _address(message.get_attr("RTA_GATEWAY")),
        _address(message.get_attr("RTA_PREFSRC")),
    )


def _address(text: str | None) -> IPv4Address | None:
    return IPv4Address(text) if text else None


_REASONS = {
    errno.ENETUNREACH: "no route leads there",
    errno.EHOSTUNREACH: "a route says that it is unreachable",
    errno.EACCES: "a route prohibits it",
}
"""What an errno means where one asks for a way."""
