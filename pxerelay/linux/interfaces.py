"""What the kernel says of network interfaces, now and whenever it changes (rtnetlink(7)).

One netlink socket hears which links something changed about, and no more is taken from it: what there is now
is asked by another. Where much changed all is listed anew, and so it is where the kernel had more events than
the socket holds (ENOBUFS), which says that some were lost. So nothing depends on hearing every event.

IPv6 addresses are asked for only where somebody wants them (`Families`).

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
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pxerelay.linux import memory, rtnetlink
from pxerelay.linux.link_table import Entry, LinkTable, parts
from pxerelay.linux.log import LOGGER, Limiter
from pxerelay.linux.netlink import SOL_NETLINK, DisturbedError, Lister, messages, open_socket, request
from pxerelay.linux.rtnetlink import AddressInfo
from pxerelay.policy.addresses6 import Address6
from pxerelay.policy.links import Link

EVENT_BUFFER = 1 << 20
"""Octets of events that may wait, within net.core.rmem_max: some hundred of them."""

_ADD_MEMBERSHIP, _DROP_MEMBERSHIP = 1, 2
"""Options of a netlink socket (netlink(7)); not in Python's socket module."""

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

_FEW = 16
"""Links that are asked for one by one in any case; beyond that it depends on how many there are."""

_PART = 4
"""If more than one in so many links changed, all are listed."""

_BURST, _BURST_SECONDS = 32, 2.0
"""Links that changed within some seconds after which all are listed once more ..."""

_EXTRA = 5.0
"""... but not more often than once in so many seconds."""


class Changes(NamedTuple):
    """All links there are, by index, and those that changed: None is one that is gone.

    `renewed` are indexes of links that were deleted since the last look, or may have been, for events were
    lost. Another link may have such an index by now, and look just as the one before.
    """

    links: Mapping[int, Link]
    changed: Mapping[int, Link | None]
    renewed: AbstractSet[int] = frozenset()


class Families:
    """Whether IPv6 addresses are wanted too; that may change while `watch` runs."""

    def __init__(self, *, ipv6: bool = False) -> None:
        self.ipv6 = ipv6
        self._events: _Events | None = None

    def want_ipv6(self, wanted: bool) -> None:
        """Have IPv6 addresses asked for from now on, or no more; `watch` tells what that changes."""
        if wanted != self.ipv6:
            self.ipv6 = wanted
            if self._events is not None:
                self._events.hear_ipv6(wanted)

    @contextlib.contextmanager
    def events(self) -> Iterator[_Events]:
        """Open the socket that hears of changes, also while it is open of those that are wanted then."""
        with contextlib.closing(_Events()) as events:
            if self.ipv6:
                events.hear_ipv6(True)
            self._events = events
            try:
                yield events
            finally:
                self._events = None


async def _all_entries(lister: Lister, *, strict: bool, ipv6: bool) -> dict[int, Entry]:
    """Ask for every link; with `strict`, DisturbedError if one may be missing or incomplete."""
    addresses: dict[int, list[AddressInfo]] = {}
    addresses6: dict[int, list[Address6]] = {}
    async for message in lister.entries(rtnetlink.RTM_GETADDR, rtnetlink.ask_addresses(), strict=strict):
        one = rtnetlink.address(message)
        if one:
            addresses.setdefault(one.ifindex, []).append(one)
    if ipv6:
        body = rtnetlink.ask_addresses(family=socket.AF_INET6)
        async for message in lister.entries(rtnetlink.RTM_GETADDR, body, strict=strict):
            found6 = rtnetlink.address6(message)
            if found6:
                addresses6.setdefault(found6[0], []).append(found6[1])
    found = {}
    async for message in lister.entries(rtnetlink.RTM_GETLINK, rtnetlink.ask_links(), strict=strict):
        info = rtnetlink.link(message)
        found[info.ifindex] = Entry(
            info,
            tuple(addresses.get(info.ifindex, ())),
            tuple(sorted(addresses6.get(info.ifindex, ()))),
            rtnetlink.has_ipv6(message) if ipv6 else True,
        )
    return found


async def _entry(lister: Lister, index: int, *, ipv6: bool) -> Entry | None:
    """Ask for one link, None if it is gone; the lister must be strict. DisturbedError if it changes."""
    try:
        link = await lister.answer(rtnetlink.RTM_GETLINK, rtnetlink.ask_link(index))
        found, found6 = [], []
        body = rtnetlink.ask_addresses(index)
        async for message in lister.entries(rtnetlink.RTM_GETADDR, body, strict=True):
            one = rtnetlink.address(message)
            if one and one.ifindex == index:
                found.append(one)
        if ipv6:
            body = rtnetlink.ask_addresses(index, socket.AF_INET6)
            async for message in lister.entries(rtnetlink.RTM_GETADDR, body, strict=True):
                one6 = rtnetlink.address6(message)
                if one6 and one6[0] == index:
                    found6.append(one6[1])
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return None
    enabled = rtnetlink.has_ipv6(link) if ipv6 else True
    return Entry(rtnetlink.link(link), tuple(found), tuple(sorted(found6)), enabled)


class _Events:
    """A netlink socket that tells which links something changed about."""

    def __init__(self) -> None:
        self._socket = open_socket(rtnetlink.GROUP_LINK | rtnetlink.GROUP_IPV4_ADDRESS)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, EVENT_BUFFER)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def hear_ipv6(self, heard: bool) -> None:
        """Hear of IPv6 addresses too, or no more, and of every link once: what is asked of it is another."""
        option = _ADD_MEMBERSHIP if heard else _DROP_MEMBERSHIP
        self._socket.setsockopt(SOL_NETLINK, option, rtnetlink.IPV6_ADDRESSES)
        self._socket.send(request(rtnetlink.RTM_GETLINK, rtnetlink.ask_links()))

    async def burst(self, rested: float) -> _Heard | None:
        """Wait for a change, then for those that come with it, and until a monotonic time at least.

        Returns None if some events were lost or not understood.
        """
        found: _Heard | None = None
        try:
            first = await asyncio.get_running_loop().sock_recv(self._socket, _LARGEST_EVENT)
            found = _about(first)
        except OSError as error:
            _pass_overflow(error)
            found = None
        await asyncio.sleep(max(_SETTLE, rested - time.monotonic()))
        return self._rest(found)

    def _rest(self, found: _Heard | None) -> _Heard | None:
        """Add what else there is; None stays that."""
        while True:
            try:
                more = _about(self._socket.recv(_LARGEST_EVENT))
            except BlockingIOError:
                return found
            except OSError as error:
                _pass_overflow(error)
                more = None
            found = None if found is None or more is None else found.with_more(more)


class _Heard(NamedTuple):
    """The indexes of links that events are about, and of those that were deleted."""

    about: frozenset[int]
    deleted: frozenset[int]

    def with_more(self, more: _Heard) -> _Heard:
        """Return both together."""
        return _Heard(self.about | more.about, self.deleted | more.deleted)


def _about(octets: bytes) -> _Heard | None:
    """Return which links events are about; None if that can't be read."""
    found: set[int] = set()
    deleted: set[int] = set()
    try:
        for message in messages(octets):
            index = rtnetlink.changed_index(message.kind, message.octets)
            if index is not None:
                found.add(index)
                if message.kind == rtnetlink.RTM_DELLINK:
                    deleted.add(index)
    except ValueError:
        return None
    return _Heard(frozenset(found), frozenset(deleted))


def _pass_overflow(error: OSError) -> None:
    """Raise an error again, unless it says that events were lost (netlink(7)): all are listed then."""
    if error.errno != errno.ENOBUFS:
        raise error


class _Watch:
    """What was seen so far, and when all is to be listed again."""

    def __init__(self, families: Families) -> None:
        self._families = families
        self._table = LinkTable()
        self._counted: dict[int, float] = {}
        self._extra_at = 0.0
        self.wants_all = False

    @property
    def indexes(self) -> frozenset[int]:
        """The links that were there at the last look."""
        return frozenset(self._table.links)

    async def all(self) -> Changes:
        """List all links."""
        self.wants_all = False
        with memory.no_rounds():  # each through thousands of links, while packets wait
            found = await _listed(ipv6=self._families.ipv6)
            changed = await self._table.replace(found)
            del found
        return Changes(self._table.links, changed)

    async def some(self, indexes: Iterable[int]) -> Changes:
        """Ask for some links; for all where the kernel can't be asked so, or one changes meanwhile."""
        entries: dict[int, Entry | None] = {}
        with contextlib.closing(Lister()) as lister:
            if not lister.is_strict:
                return await self.all()
            try:
                for index in indexes:
                    entries[index] = await _entry(lister, index, ipv6=self._families.ipv6)
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


async def watch(families: Families | None = None) -> AsyncGenerator[Changes, None]:
    """Yield the interfaces that there are, and again after each burst of changes; never end.

    What changed together may come in parts, so that packets have their turn between them. Whatever fails is
    logged, at a bounded rate, and tried again.
    """
    families = families or Families()
    seen = _Watch(families)
    limiter = Limiter()
    first = True
    while True:
        try:
            with families.events() as events:
                heard: _Heard | None = None
                lost = True
                while True:
                    start = time.monotonic()
                    renewed = seen.indexes if lost else heard.deleted if heard else frozenset[int]()
                    if heard is None or seen.is_much(len(heard.about)):
                        changes = await seen.all()
                    else:
                        changes = await seen.some(heard.about)
                        seen.note(heard.about, start)
                    for some in (changes.changed,) if first else parts(changes.changed):
                        first = False
                        yield Changes(changes.links, some)
                        await asyncio.sleep(0)
                    if renewed:
                        yield Changes(changes.links, {}, renewed)
                    end = time.monotonic()
                    if seen.wants_all:
                        heard, lost = None, False
                        continue
                    heard = await events.burst(end + min((end - start) * _REST, _LONGEST_REST))
                    lost = heard is None
        except Exception as error:  # noqa: BLE001  # whatever it is, relaying goes on
            if limiter.allow(repr(error), time.monotonic()) is not None:
                LOGGER.warning("netlink failed (%r), listing the interfaces again", error)
            await asyncio.sleep(_RETRY)


async def listed(*, ipv6: bool = False) -> tuple[Link, ...]:
    """Return the interfaces that there are, with their IPv6 addresses if these are wanted."""
    table = LinkTable()
    await table.replace(await _listed(ipv6=ipv6))
    return tuple(table.links.values())


async def _listed(*, ipv6: bool) -> dict[int, Entry]:
    for remaining in reversed(range(_TRIES)):
        try:
            with contextlib.closing(Lister()) as lister:
                return await _all_entries(lister, strict=remaining > 0, ipv6=ipv6)
        except DisturbedError:
            await asyncio.sleep(_SETTLE)
    raise AssertionError("the last try takes the list as it is")
