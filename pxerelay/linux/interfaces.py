"""What the kernel says of network interfaces, now and whenever it changes (rtnetlink(7)).

One netlink socket hears only that something changed; what there is now is listed anew by another. So
nothing depends on hearing every event: where the kernel had more of them than the socket holds, that
is a change like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from ipaddress import IPv4Address

from pxerelay.linux import rtnetlink
from pxerelay.linux.log import LOGGER, Limiter
from pxerelay.linux.netlink import DisturbedError, Lister, open_socket
from pxerelay.policy.ports import Link
from pxerelay.wire.mac import MAC_OCTETS

_UP = rtnetlink.UP | rtnetlink.LOWER_UP
"""Flags of a link that carries packets."""

_VRF = "vrf"
"""The kind of link that is a VRF."""

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
    async for message in lister.entries(rtnetlink.RTM_GETADDR, rtnetlink.ask_addresses(), strict=strict):
        one = rtnetlink.address(message)
        if one:
            addresses.setdefault(one.ifindex, []).append((one.secondary, one.address))
    links = []
    async for message in lister.entries(rtnetlink.RTM_GETLINK, rtnetlink.ask_links(), strict=strict):
        info = rtnetlink.link(message)
        own = sorted(addresses.get(info.ifindex, []), key=lambda item: item[0])
        links.append(
            Link(
                index=info.ifindex,
                name=info.name,
                up=info.flags & _UP == _UP,
                mtu=info.mtu or 1500,
                addresses=tuple(address for _, address in own),
                hardware=info.address if len(info.address) == MAC_OCTETS else bytes(MAC_OCTETS),
                vrf=info.ifindex if info.kind == _VRF else info.master,
            )
        )
    vrfs = {link.index for link in links if link.vrf == link.index}
    return tuple(link if link.vrf in vrfs else replace(link, vrf=0) for link in links)


class _Events:
    """A netlink socket that tells that there were changes, not which."""

    def __init__(self) -> None:
        self._socket = open_socket(rtnetlink.GROUP_LINK | rtnetlink.GROUP_IPV4_ADDRESS)

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
        except Exception as error:  # noqa: BLE001  # whatever it is, relaying goes on
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
