"""What the kernel says of network interfaces, now and whenever it changes (rtnetlink(7)).

One netlink socket hears only that something changed; what there is now is listed anew by another. So
nothing depends on hearing every event: where the kernel had more of them than the socket holds, that
is a change like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import struct
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from ipaddress import IPv4Address
from socket import AF_INET
from typing import Any

from pyroute2.netlink.rtnl import RTM_GETADDR, RTM_GETLINK, RTMGRP_IPV4_IFADDR, RTMGRP_LINK
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_SECONDARY, ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import IFF_LOWER_UP, IFF_UP, ifinfmsg

from pxerelay.linux.log import LOGGER, Limiter
from pxerelay.linux.netlink import DisturbedError, Lister, open_socket
from pxerelay.policy.ports import Link
from pxerelay.wire.mac import MAC_OCTETS

_IPV4_ADDRESSES = struct.pack("=B7x", AF_INET)
"""The body of RTM_GETADDR (struct ifaddrmsg; RFC 3549, 2.3.3.2; rtnetlink(7))."""

_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS = 29, 1 << 3
"""The attribute that says what entries are to have in them, and its bit (Linux' if_link.h, rtnetlink.h)."""

_LINKS_WITHOUT_STATISTICS = struct.pack("=16xHHI", 8, _IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)
"""The body of RTM_GETLINK (struct ifinfomsg, and an attribute; RFC 3549, 2.3.3.1; rtnetlink(7))."""

_SETTLE = 0.02
"""Seconds to wait after a first event for those that come with it: one change makes several."""

_REST = 4
"""Until the next listing this many times as long passes: endless changes cost a fifth of a CPU."""

_LONGEST_REST = 0.4
"""Seconds that pass at most, so that also where listing takes long a change is followed within a second."""

_RETRY = 1.0
"""Seconds until the interfaces are listed again after netlink failed."""

_TRIES = 5
"""Listings that may be disturbed by changes, one after the other, until such a one is taken as it is."""


async def _links(lister: Lister, *, strict: bool) -> tuple[Link, ...]:
    """Return every interface of this network namespace; primary addresses come before secondary ones.

    With `strict`, DisturbedError if that may not be so.
    """
    addresses: dict[int, list[tuple[bool, IPv4Address]]] = {}
    async for octets in lister.entries(RTM_GETADDR, _IPV4_ADDRESSES, strict=strict):
        message = decoded(ifaddrmsg, octets)
        text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if text:
            secondary = bool(message["flags"] & IFA_F_SECONDARY)
            addresses.setdefault(message["index"], []).append((secondary, IPv4Address(text)))
    links = []
    async for octets in lister.entries(RTM_GETLINK, _LINKS_WITHOUT_STATISTICS, strict=strict):
        message = decoded(ifinfmsg, octets)
        own = sorted(addresses.get(message["index"], []), key=lambda item: item[0])
        links.append(
            Link(
                index=message["index"],
                name=str(message.get_attr("IFLA_IFNAME")),
                up=message["flags"] & (IFF_UP | IFF_LOWER_UP) == IFF_UP | IFF_LOWER_UP,
                mtu=message.get_attr("IFLA_MTU") or 1500,
                addresses=tuple(address for _, address in own),
                hardware=_ethernet(message.get_attr("IFLA_ADDRESS")),
                vrf=message["index"] if _is_vrf(message) else message.get_attr("IFLA_MASTER") or 0,
            )
        )
    vrfs = {link.index for link in links if link.vrf == link.index}
    return tuple(link if link.vrf in vrfs else replace(link, vrf=0) for link in links)


def decoded(kind: Any, octets: bytes) -> Any:
    """Return a message of a type, of which what is used is the same in all versions of pyroute2."""
    message = kind(octets)
    message.decode()
    return message


def _ethernet(text: str | None) -> bytes:
    octets = bytes.fromhex((text or "").replace(":", ""))
    return octets if len(octets) == MAC_OCTETS else bytes(MAC_OCTETS)


def _is_vrf(message: Any) -> bool:
    return bool(message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "vrf")


class _Events:
    """A netlink socket that tells that there were changes, not which."""

    def __init__(self) -> None:
        self._socket = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    async def burst(self, rested: float) -> None:
        """Wait for a change, then for those that come with it, and until a monotonic time at least."""
        try:
            await asyncio.get_running_loop().sock_recv(self._socket, 1)
        except OSError as error:
            _pass_overflow(error)
        await asyncio.sleep(max(_SETTLE, rested - time.monotonic()))
        self._forget()

    def _forget(self) -> None:
        while True:
            try:
                self._socket.recv(1)
            except BlockingIOError:
                return
            except OSError as error:
                _pass_overflow(error)


def _pass_overflow(error: OSError) -> None:
    """Raise an error again, unless it says that events were lost (netlink(7)): all are listed anyway."""
    if error.errno != errno.ENOBUFS:
        raise error


async def watch() -> AsyncGenerator[tuple[Link, ...], None]:
    """Yield the interfaces that there are, and again after each burst of changes; never end.

    Whatever fails is logged, at a bounded rate, and tried again.
    """
    known: tuple[Link, ...] | None = None
    limiter = Limiter()
    while True:
        try:
            with contextlib.closing(_Events()) as events:
                while True:
                    start = time.monotonic()
                    links = await listed()
                    end = time.monotonic()
                    if links != known:
                        known = links
                        yield links
                    await events.burst(end + min((end - start) * _REST, _LONGEST_REST))
        except Exception as error:  # noqa: BLE001  # whatever pyroute2 raises, relaying goes on
            if limiter.allow(repr(error), time.monotonic()) is not None:
                LOGGER.warning("netlink failed (%r), listing the interfaces again", error)
            await asyncio.sleep(_RETRY)


async def listed() -> tuple[Link, ...]:
    """Return the interfaces that there are."""
    for remaining in reversed(range(_TRIES)):
        try:
            with contextlib.closing(Lister()) as lister:
                return await _links(lister, strict=remaining > 0)
        except DisturbedError:
            await asyncio.sleep(_SETTLE)
    raise AssertionError("the last try takes the list as it is")
