"""The links of a network namespace, as far as they were asked for, and what changed about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import NamedTuple, TypeVar

from pxerelay.linux import rtnetlink
from pxerelay.linux.rtnetlink import AddressInfo, LinkInfo
from pxerelay.policy.addresses6 import Address6
from pxerelay.policy.links import Link
from pxerelay.wire.mac import MAC_OCTETS

_UP = rtnetlink.UP | rtnetlink.LOWER_UP
"""Flags of a link that carries packets."""

_VRF = "vrf"
"""The kind of link that is a VRF."""

_AT_ONCE = 32
"""Links that are looked at, taken in or told before packets have their turn: some milliseconds' work."""

_T = TypeVar("_T")


class Entry(NamedTuple):
    """What was asked of one link; its addresses in the kernel's order."""

    info: LinkInfo
    addresses: tuple[AddressInfo, ...]
    addresses6: tuple[Address6, ...] = ()
    has_ipv6: bool = True


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
        for some in parts(others):
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
            link = link._replace(vrf=master)
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
                link = link if link.vrf == vrf else link._replace(vrf=vrf)
            if link != self.links.get(index):
                changed[index] = link
                if link is None:
                    del self.links[index]
                else:
                    self.links[index] = link
        return changed


def parts(whole: Mapping[int, _T]) -> Iterator[Mapping[int, _T]]:
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
        addresses6=entry.addresses6,
        has_ipv6=entry.has_ipv6,
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
