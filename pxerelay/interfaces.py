"""What the kernel says of network interfaces, now and whenever it changes (rtnetlink(7)).

One netlink socket hears only that something changed; what there is now is listed anew by another. So
nothing depends on hearing every event: where the kernel had more of them than the socket holds, that
is a change like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Address
from socket import AF_INET
from typing import Any

from pyroute2 import AsyncIPRoute
from pyroute2.netlink import NLM_F_DUMP_INTR
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR, RTMGRP_LINK

from pxerelay.log import LOGGER
from pxerelay.mac import MAC_OCTETS
from pxerelay.ports import Link

_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFA_F_SECONDARY = 0x1

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


class _DisturbedError(Exception):
    """Something changed while it was being listed, so the list may lack what was there all the time."""


class Interfaces:
    """A netlink socket that lists the links."""

    def __init__(self, netlink: Any) -> None:
        self._netlink = netlink

    async def links(self, *, strict: bool = False) -> tuple[Link, ...]:
        """Return every interface of this network namespace; primary addresses come before secondary ones.

        With `strict`, _DisturbedError if the kernel marks the list as inconsistent (NLM_F_DUMP_INTR).
        """
        addresses: dict[int, list[tuple[bool, IPv4Address]]] = {}
        async for message in _whole(await self._netlink.get_addr(family=AF_INET), strict=strict):
            text = message.get("local") or message.get("address")
            if text:
                secondary = bool(message["flags"] & _IFA_F_SECONDARY)
                addresses.setdefault(message["index"], []).append((secondary, IPv4Address(text)))
        links = []
        async for message in _whole(await self._netlink.get_links(), strict=strict):
            own = sorted(addresses.get(message["index"], []), key=lambda item: item[0])
            links.append(
                Link(
                    index=message["index"],
                    name=str(message.get("ifname")),
                    up=message["flags"] & (_IFF_UP | _IFF_LOWER_UP) == _IFF_UP | _IFF_LOWER_UP,
                    mtu=message.get("mtu") or 1500,
                    addresses=tuple(address for _, address in own),
                    hardware=_ethernet(message.get("address")),
                    vrf=message["index"] if _is_vrf(message) else message.get("master") or 0,
                )
            )
        vrfs = {link.index for link in links if link.vrf == link.index}
        return tuple(link if link.vrf in vrfs else replace(link, vrf=0) for link in links)


def _ethernet(text: str | None) -> bytes:
    octets = bytes.fromhex((text or "").replace(":", ""))
    return octets if len(octets) == MAC_OCTETS else bytes(MAC_OCTETS)


def _is_vrf(message: Any) -> bool:
    return bool(message.get(("linkinfo", "kind")) == "vrf")


async def _whole(messages: Any, *, strict: bool) -> AsyncIterator[Any]:
    async for message in messages:
        await asyncio.sleep(0)  # reading one takes a while: packets first
        if strict and message["header"]["flags"] & NLM_F_DUMP_INTR:
            raise _DisturbedError
        yield message


class _Events:
    """A netlink socket that tells that there were changes, not which."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._socket.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR))

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

    Whatever fails is logged and tried again.
    """
    known: tuple[Link, ...] | None = None
    while True:
        try:
            with contextlib.closing(_Events()) as events:
                while True:
                    start = time.monotonic()
                    links = await _listed()
                    end = time.monotonic()
                    if links != known:
                        known = links
                        yield links
                    await events.burst(end + min((end - start) * _REST, _LONGEST_REST))
        except Exception as error:  # noqa: BLE001  # whatever pyroute2 raises, relaying goes on
            LOGGER.warning("netlink failed (%r), listing the interfaces again", error)
            await asyncio.sleep(_RETRY)


async def _listed() -> tuple[Link, ...]:
    for remaining in reversed(range(_TRIES)):
        try:
            async with AsyncIPRoute() as netlink:
                return await Interfaces(netlink).links(strict=remaining > 0)
        except _DisturbedError:
            await asyncio.sleep(_SETTLE)
    raise AssertionError("the last try takes the list as it is")
