"""What the kernel says of network interfaces, now and whenever it changes (rtnetlink(7)).

One netlink socket hears which links something changed about, and no more is taken from it: what there is now
is asked by another. Where much changed all is listed anew, and so it is where the kernel had more events than
the socket holds (ENOBUFS), which says that some were lost. So nothing depends on hearing every event.

The kernel tells of many links that lose their carrier together 50 at a time in a second (linkwatch), while
a list has them all at once. So in a burst there is one more list. Of a link that is down it does not tell
that it has another alternative name: that is seen when it comes up.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import NamedTuple, TypeVar

from pxerelay.linux import rtnetlink
from pxerelay.linux.log import LOGGER, Limiter
from pxerelay.linux.netlink import DisturbedError, Lister, messages, open_socket
from pxerelay.linux.rtnetlink import AddressInfo, LinkInfo
from pxerelay.policy.ports import Link
from pxerelay.wire.mac import MAC_OCTETS

EVENT_BUFFER = 1 << 20
"""Octets of events that may wait, within net.core.rmem_max: some hundred of them."""

_UP = rtnetlink.UP | rtnetlink.LOWER_UP
"""Flags of a link that carries packets."""

_VRF = "vrf"
"""The kind of link that is a VRF."""

_LARGEST_EVENT = 65536
"""Octets that an event has at most, far less in general."""

_SETTLE = 0.01
"""Seconds to wait after a first event for those that come with it: one change makes several."""

_REST = 4
"""Until the next look this many times as long passes: endless changes cost a fifth of a CPU."""

_LONGEST_REST = 0.4
"""Seconds that pass at most, so that also where a look takes long a change is followed within a second."""

_RETRY = 1.0
"""Seconds until the interfaces are listed again after netlink failed."""

_TRIES = 5
"""Listings that may be disturbed by changes, one after the other, until such a one is taken as it is."""

_AT_ONCE = 64
"""Links that are looked at, taken in or told before packets have their turn."""

_FEW = 16
"""Links that are asked for one by one in any case; beyond that it depends on how many there are."""

_PART = 4
"""If more than one in so many links changed, all are listed."""

_BURST, _BURST_SECONDS = 32, 2.0
"""Links that changed within some seconds after which all are listed once more ..."""

_EXTRA = 5.0
"""... but not more often than once in so many seconds."""


_T = TypeVar("_T")


class Entry(NamedTuple):
    """What was asked of one link; its addresses in the kernel's order."""

    info: LinkInfo
    addresses: tuple[AddressInfo, ...]


class Changes(NamedTuple):
    """All links there are, by index, and those that changed: None is one that is gone."""

    links: Mapping[int, Link]
    changed: Mapping[int, Link | None]


class LinkTable:
    """The links of this network namespace, as far as they were asked for."""

    def __init__(self) -> None:
        self._vrfs: set[int] = set()
        self._masters: dict[int, int] = {}
        self._members: dict[int, set[int]] = {}
        self.links: dict[int, Link] = {}

    async def replace(self, entries: Mapping[int, Entry]) -> dict[int, Link | None]:
        """Take all that there are; return what that changed. Packets have their turn meanwhile."""
        others: dict[int, Entry | None] = dict.fromkeys(self.links.keys() - entries.keys())
        for at, (index, entry) in enumerate(entries.items()):
            if at % _AT_ONCE == 0:
                await asyncio.sleep(0)
            if self._differs(entry):
                others[index] = entry
        changed: dict[int, Link | None] = {}
        for some in _parts(others):
            changed |= self.update(some)
            await asyncio.sleep(0)
        return changed

    def _differs(self, entry: Entry) -> bool:
        """Whether a link is another than it was, or another's part; a VRF that begins or ends is."""
        index, master = entry.info.ifindex, entry.info.master
        known = self.links.get(index)
        if known is None or self._masters.get(index, 0) != master:
            return True
        link = _link(entry)
        if not link.vrf and master in self._vrfs:
            link = replace(link, vrf=master)
        return link != known

    def update(self, entries: Mapping[int, Entry | None]) -> dict[int, Link | None]:
        """Take what was found of some links, None of one that is gone; return what that changed."""
        found: dict[int, Link | None] = {}
        vrfs: set[int] = set()
        for index, entry in entries.items():
            self._members.get(self._masters.pop(index, 0), set()).discard(index)
            if entry is not None and entry.info.master:
                self._masters[index] = entry.info.master
                self._members.setdefault(entry.info.master, set()).add(index)
            if (entry is not None and entry.info.kind == _VRF) != (index in self._vrfs):
                vrfs.add(index)
            found[index] = None if entry is None else _link(entry)
        self._vrfs ^= vrfs
        for index in set[int]().union(*(self._members.get(vrf, ()) for vrf in vrfs)):
            found.setdefault(index, self.links.get(index))
        changed: dict[int, Link | None] = {}
        for index, link in found.items():
            if link is not None and index not in self._vrfs:
                master = self._masters.get(index, 0)
                vrf = master if master in self._vrfs else 0
                link = link if link.vrf == vrf else replace(link, vrf=vrf)
            if link != self.links.get(index):
                changed[index] = link
                if link is None:
                    del self.links[index]
                else:
                    self.links[index] = link
        return changed


def _parts(whole: Mapping[int, _T]) -> Iterator[Mapping[int, _T]]:
    """Yield parts that are small enough to be dealt with before packets have their turn."""
    left = iter(whole.items())
    while part := dict(islice(left, _AT_ONCE)):
        yield part


def _link(entry: Entry) -> Link:
    """Return a link, with no VRF unless it is one: global addresses first, and of these the primary ones."""
    info = entry.info
    addresses, narrow, subnets = _addresses(entry.addresses) if entry.addresses else ((), (), ())
    has_frames = info.type == rtnetlink.ETHERNET and len(info.address) == MAC_OCTETS
    return Link(
        index=info.ifindex,
        name=info.name,
        up=info.flags & _UP == _UP,
        mtu=info.mtu or 1500,
        addresses=addresses,
        vrf=info.ifindex if info.kind == _VRF else 0,
        hardware=info.address if has_frames else b"",
        narrow=narrow,
        altnames=info.altnames,
        loopback=bool(info.flags & rtnetlink.LOOPBACK),
        subnets=subnets,
    )


def _addresses(
    found: Sequence[AddressInfo],
) -> tuple[tuple[IPv4Address, ...], tuple[IPv4Address, ...], tuple[IPv4Network, ...]]:
    """Return a link's addresses in order, those of narrow scope, and its subnets."""
    addresses: dict[IPv4Address, bool] = {}
    for one in sorted(found, key=_rank):
        addresses.setdefault(one.address, one.scope != rtnetlink.SCOPE_GLOBAL)
    narrow = tuple(address for address, narrow in addresses.items() if narrow)
    return tuple(addresses), narrow, tuple(dict.fromkeys(one.subnet for one in found))


def _rank(one: AddressInfo) -> tuple[bool, bool]:
    return one.scope != rtnetlink.SCOPE_GLOBAL, one.secondary


async def _all_entries(lister: Lister, *, strict: bool) -> dict[int, Entry]:
    """Ask for every link; with `strict`, DisturbedError if one may be missing or incomplete."""
    addresses: dict[int, list[AddressInfo]] = {}
    async for message in lister.entries(rtnetlink.RTM_GETADDR, rtnetlink.ask_addresses(), strict=strict):
        one = rtnetlink.address(message)
        if one:
            addresses.setdefault(one.ifindex, []).append(one)
    found = {}
    async for message in lister.entries(rtnetlink.RTM_GETLINK, rtnetlink.ask_links(), strict=strict):
        info = rtnetlink.link(message)
        found[info.ifindex] = Entry(info, tuple(addresses.get(info.ifindex, ())))
    return found


async def _entry(lister: Lister, index: int) -> Entry | None:
    """Ask for one link, None if it is gone; the lister must be strict. DisturbedError if it changes."""
    try:
        info = rtnetlink.link(await lister.answer(rtnetlink.RTM_GETLINK, rtnetlink.ask_link(index)))
        found = []
        body = rtnetlink.ask_addresses(index)
        async for message in lister.entries(rtnetlink.RTM_GETADDR, body, strict=True):
            one = rtnetlink.address(message)
            if one and one.ifindex == index:
                found.append(one)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return None
    return Entry(info, tuple(found))


class _Events:
    """A netlink socket that tells which links something changed about."""

    def __init__(self) -> None:
        self._socket = open_socket(rtnetlink.GROUP_LINK | rtnetlink.GROUP_IPV4_ADDRESS)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, EVENT_BUFFER)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    async def burst(self, rested: float) -> set[int] | None:
        """Wait for a change, then for those that come with it, and until a monotonic time at least.

        Returns the indexes of links; None if some events were lost or not understood.
        """
        found: set[int] | None = set()
        try:
            first = await asyncio.get_running_loop().sock_recv(self._socket, _LARGEST_EVENT)
            found = _about(first)
        except OSError as error:
            _pass_overflow(error)
            found = None
        await asyncio.sleep(max(_SETTLE, rested - time.monotonic()))
        return self._rest(found)

    def _rest(self, found: set[int] | None) -> set[int] | None:
        """Add what else there is; None stays that."""
        while True:
            try:
                more = _about(self._socket.recv(_LARGEST_EVENT))
            except BlockingIOError:
                return found
            except OSError as error:
                _pass_overflow(error)
                more = None
            found = None if found is None or more is None else found | more


def _about(octets: bytes) -> set[int] | None:
    """Return which links events are about; None if that can't be read."""
    found: set[int] = set()
    try:
        for message in messages(octets):
            index = rtnetlink.changed_index(message.kind, message.octets)
            if index is not None:
                found.add(index)
    except ValueError:
        return None
    return found


def _pass_overflow(error: OSError) -> None:
    """Raise an error again, unless it says that events were lost (netlink(7)): all are listed then."""
    if error.errno != errno.ENOBUFS:
        raise error


class _Watch:
    """What was seen so far, and when all is to be listed again."""

    def __init__(self) -> None:
        self._table = LinkTable()
        self._counted: dict[int, float] = {}
        self._extra_at = 0.0
        self.wants_all = False

    async def all(self) -> Changes:
        """List all links."""
        self.wants_all = False
        return Changes(self._table.links, await self._table.replace(await _listed()))

    async def some(self, indexes: Iterable[int]) -> Changes:
        """Ask for some links; for all where the kernel can't be asked so, or one changes meanwhile."""
        entries: dict[int, Entry | None] = {}
        with contextlib.closing(Lister()) as lister:
            if not lister.is_strict:
                return await self.all()
            try:
                for index in indexes:
                    entries[index] = await _entry(lister, index)
            except DisturbedError:
                return await self.all()
        return Changes(self._table.links, self._table.update(entries))

    def is_much(self, count: int) -> bool:
        """Whether so many links are better listed than asked for one by one."""
        return count > _FEW and count * _PART > len(self._table.links)

    def note(self, indexes: Iterable[int], now: float) -> None:
        """Note which links changed; after a burst, of many and not of one again and again, all are wanted."""
        self._counted = {index: at for index, at in self._counted.items() if at > now - _BURST_SECONDS}
        self._counted.update(dict.fromkeys(indexes, now))
        if len(self._counted) >= _BURST and now >= self._extra_at:
            self._extra_at = now + _EXTRA
            self._counted.clear()
            self.wants_all = True


async def watch() -> AsyncGenerator[Changes, None]:
    """Yield the interfaces that there are, and again after each burst of changes; never end.

    What changed together may come in parts, so that packets have their turn between them. Whatever fails is
    logged, at a bounded rate, and tried again.
    """
    seen = _Watch()
    limiter = Limiter()
    first = True
    while True:
        try:
            with contextlib.closing(_Events()) as events:
                indexes: set[int] | None = None
                while True:
                    start = time.monotonic()
                    if indexes is None or seen.is_much(len(indexes)):
                        changes = await seen.all()
                    else:
                        changes = await seen.some(indexes)
                        seen.note(indexes, start)
                    for some in (changes.changed,) if first else _parts(changes.changed):
                        first = False
                        yield Changes(changes.links, some)
                        await asyncio.sleep(0)
                    end = time.monotonic()
                    if seen.wants_all:
                        indexes = None
                        continue
                    indexes = await events.burst(end + min((end - start) * _REST, _LONGEST_REST))
        except Exception as error:  # noqa: BLE001  # whatever it is, relaying goes on
            if limiter.allow(repr(error), time.monotonic()) is not None:
                LOGGER.warning("netlink failed (%r), listing the interfaces again", error)
            await asyncio.sleep(_RETRY)


async def listed() -> tuple[Link, ...]:
    """Return the interfaces that there are."""
    table = LinkTable()
    await table.replace(await _listed())
    return tuple(table.links.values())


async def _listed() -> dict[int, Entry]:
    for remaining in reversed(range(_TRIES)):
        try:
            with contextlib.closing(Lister()) as lister:
                return await _all_entries(lister, strict=remaining > 0)
        except DisturbedError:
            await asyncio.sleep(_SETTLE)
    raise AssertionError("the last try takes the list as it is")
