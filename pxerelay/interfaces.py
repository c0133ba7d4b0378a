"""What the kernel says of network interfaces, now and whenever it changes (rtnetlink(7))."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from socket import AF_INET
from typing import Any

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR, RTMGRP_LINK

from pxerelay.ports import Link

_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFA_F_SECONDARY = 0x1
_SETTLE = 0.02
"""Seconds to wait after a first event for those that come with it: one change makes several."""


class Interfaces:
    """A netlink socket that lists the links, and tells when to list them again."""

    def __init__(self, netlink: Any) -> None:
        self._netlink = netlink

    async def links(self) -> tuple[Link, ...]:
        """Return every interface of this network namespace; primary addresses come before secondary ones."""
        addresses: dict[int, list[tuple[bool, IPv4Address]]] = {}
        async for message in await self._netlink.get_addr(family=AF_INET):
            text = message.get("local") or message.get("address")
            if text:
                secondary = bool(message["flags"] & _IFA_F_SECONDARY)
                addresses.setdefault(message["index"], []).append((secondary, IPv4Address(text)))
        links = []
        async for message in await self._netlink.get_links():
            own = sorted(addresses.get(message["index"], []), key=lambda item: item[0])
            links.append(
                Link(
                    index=message["index"],
                    name=str(message.get("ifname")),
                    up=message["flags"] & (_IFF_UP | _IFF_LOWER_UP) == _IFF_UP | _IFF_LOWER_UP,
                    mtu=message.get("mtu") or 1500,
                    addresses=tuple(address for _, address in own),
                    vrf=message["index"] if _is_vrf(message) else message.get("master") or 0,
                )
            )
        vrfs = {link.index for link in links if link.vrf == link.index}
        return tuple(link if link.vrf in vrfs else replace(link, vrf=0) for link in links)

    async def changes(self) -> AsyncIterator[None]:
        """Yield once after each burst of events."""
        while True:
            async for _ in self._netlink.get():
                pass
            await asyncio.sleep(_SETTLE)
            yield


def _is_vrf(message: Any) -> bool:
    return bool(message.get(("linkinfo", "kind")) == "vrf")


@asynccontextmanager
async def watch() -> AsyncIterator[Interfaces]:
    """Open a netlink socket that hears of every change from now on."""
    async with AsyncIPRoute() as netlink:
        await netlink.bind(groups=RTMGRP_LINK | RTMGRP_IPV4_IFADDR)
        yield Interfaces(netlink)
