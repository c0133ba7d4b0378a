"""Which way the kernel sends a packet, and whether it takes one (rtnetlink(7); what `ip route get` asks)."""

from __future__ import annotations

import errno
import os
from ipaddress import IPv4Address

from pxerelay.linux import rtnetlink
from pxerelay.linux.netlink import Lister
from pxerelay.linux.rtnetlink import RouteInfo


class NoRouteError(Exception):
    """There is no way, or the packet is not taken; the message is the kernel's reason."""


async def leaving(
    lister: Lister, destination: IPv4Address, source: IPv4Address | None = None, vrf: int = 0
) -> RouteInfo:
    """Return the way to a destination, from an address of ours if one is given, by the routes of a VRF.

    Raises NoRouteError.
    """
    return await _asked(lister, rtnetlink.ask_route(destination, source, by=vrf))


async def arriving(
    lister: Lister, source: IPv4Address, destination: IPv4Address, interface: int
) -> RouteInfo:
    """Return where a packet goes that comes in by an interface; NoRouteError if the kernel would drop it.

    It does so where rp_filter is set and the way back to the source is another (ip-sysctl.rst).
    """
    return await _asked(lister, rtnetlink.ask_route(destination, source, arriving_on=interface))


async def unanswered(lister: Lister) -> frozenset[tuple[int, IPv4Address]]:
    """Return the neighbours that do not answer ARP, each with the index of the interface."""
    found = set()
    async for message in lister.entries(rtnetlink.RTM_GETNEIGH, rtnetlink.ask_neighbours(), strict=False):
        one = rtnetlink.neighbour(message)
        if one.address and one.state & (rtnetlink.INCOMPLETE | rtnetlink.FAILED):
            found.add((one.ifindex, one.address))
    return frozenset(found)


async def _asked(lister: Lister, body: bytes) -> RouteInfo:
    try:
        message = await lister.answer(rtnetlink.RTM_GETROUTE, body)
    except OSError as error:
        raise NoRouteError(_REASONS.get(error.errno or 0) or os.strerror(error.errno or 0)) from None
    return rtnetlink.route(message)


_REASONS = {
    errno.ENETUNREACH: "no route leads there",
    errno.EHOSTUNREACH: "a route says that it is unreachable",
    errno.EACCES: "a route prohibits it",
}
"""What an errno means where one asks for a way."""
