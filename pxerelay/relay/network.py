"""Interfaces, addresses and VRFs of the relay host, in tables that the rules look up and changes patch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

from pxerelay.policy.links import Link
from pxerelay.policy.ports import Change, Port

_LARGEST_PACKET = 65535
"""Octets of the largest IPv4 packet (RFC 791, 3.1)."""

_NONE: tuple[Port, ...] = ()


class Network:
    """Client interfaces, and addresses and VRFs of the host. Addresses are 4 octets, VRFs are indexes.

    `ports` are all of them, also those that wait. `vrfs` tells the names of VRFs.
    """

    def __init__(self, ports: Iterable[Port], links: Iterable[Link]) -> None:
        self.ports = tuple(ports)
        self.vrfs: dict[int, str] = {}
        self._active: dict[int, Port] = {}
        self._waiting: set[int] = set()
        self._by_giaddr: dict[tuple[int, bytes], tuple[Port, ...]] = {}
        self._own: Counter[tuple[int, bytes]] = Counter()
        self._vrf_of: dict[int, int] = {}
        self._loopbacks: set[int] = set()
        self._mtus: Counter[int] = Counter()
        for port in self.ports:
            self._add_port(port)
        for link in links:
            self._add_link(link)

    def follow(self, ports: Iterable[Port], change: Change) -> None:
        """Take in what changed; `ports` are all that there are now."""
        self.ports = tuple(ports)
        for before, after in change.ports.values():
            if before is not None:
                self._remove_port(before)
            if after is not None:
                self._add_port(after)
        for link, now in change.links:
            if link is not None:
                self._remove_link(link)
            if now is not None:
                self._add_link(now)

    def _add_port(self, port: Port) -> None:
        if port.index is not None and port.giaddr is not None:
            self._active[port.index] = port
            key = port.vrf, port.giaddr.packed
            self._by_giaddr[key] = (*self._by_giaddr.get(key, ()), port)
        elif port.link is not None:
            self._waiting.add(port.link.index)

    def _remove_port(self, port: Port) -> None:
        if port.index is not None and port.giaddr is not None:
            del self._active[port.index]
            key = port.vrf, port.giaddr.packed
            others = tuple(one for one in self._by_giaddr[key] if one.index != port.index)
            if others:
                self._by_giaddr[key] = others
            else:
                del self._by_giaddr[key]
        elif port.link is not None:
            self._waiting.discard(port.link.index)

    def _add_link(self, link: Link) -> None:
        self._own.update((link.vrf, address.packed) for address in link.addresses)
        if link.vrf:
            self._vrf_of[link.index] = link.vrf
        if link.loopback:
            self._loopbacks.add(link.index)
        if link.vrf == link.index:
            self.vrfs[link.index] = link.name
        if _bounds_packets(link):
            self._mtus[link.mtu] += 1

    def _remove_link(self, link: Link) -> None:
        for address in link.addresses:
            key = link.vrf, address.packed
            self._own[key] -= 1
            if not self._own[key]:
                del self._own[key]
        self._vrf_of.pop(link.index, None)
        self._loopbacks.discard(link.index)
        self.vrfs.pop(link.index, None)
        if _bounds_packets(link):
            self._mtus[link.mtu] -= 1
            if not self._mtus[link.mtu]:
                del self._mtus[link.mtu]

    def active(self, index: int) -> Port | None:
        """Return the client interface that serves at an index."""
        return self._active.get(index)

    @property
    def active_indexes(self) -> frozenset[int]:
        """The indexes of all that serve."""
        return frozenset(self._active)

    def waits(self, index: int) -> bool:
        """Whether a client interface waits at an index."""
        return index in self._waiting

    def with_giaddr(self, vrf: int, giaddr: bytes) -> Sequence[Port]:
        """Return the client interfaces that serve with a giaddr, none if there are none."""
        return self._by_giaddr.get((vrf, giaddr), _NONE)

    def vrf_of(self, index: int) -> int:
        """Return the VRF that an interface is in, 0 for the default one."""
        return self._vrf_of.get(index, 0)

    def owns(self, vrf: int, address: bytes) -> bool:
        """Whether an address is this host's in a VRF."""
        return (vrf, address) in self._own

    def is_here(self, index: int, source: bytes) -> bool:
        """Whether what comes in on an interface from an address was sent by this host itself."""
        return index in self._loopbacks or (self.vrf_of(index), source) in self._own

    def is_client_interface(self, index: int) -> bool:
        """Whether an interface is one of clients, also one that waits."""
        return index in self._active or index in self._waiting

    @property
    def own_addresses(self) -> frozenset[bytes]:
        """The addresses of this host in all VRFs."""
        return frozenset(address for _, address in self._own)

    def vrfs_with(self, address: bytes) -> list[int]:
        """Return the VRFs that this host has an address in."""
        return [vrf for vrf, own in self._own if own == address]

    @property
    def mtu(self) -> int:
        """The largest packet that every link with an address carries."""
        return min(self._mtus, default=_LARGEST_PACKET)


def _bounds_packets(link: Link) -> bool:
    return link.up and bool(link.addresses) and not link.addresses[0].is_loopback


Masks = tuple[tuple[int, int], ...]
"""Networks as numbers: what of an address counts, and what that must be."""


def masks(networks: Sequence[IPv4Network] | Sequence[IPv6Network]) -> Masks:
    """Return networks of one family as numbers."""
    return tuple((int(network.netmask), int(network.network_address)) for network in networks)


def within(address: bytes, networks: Masks) -> bool:
    """Whether an address lies in one of some networks of its family."""
    number = int.from_bytes(address, "big")
    for mask, network in networks:  # noqa: SIM110  # twice as fast as `any`, and asked for each new router
        if number & mask == network:
            return True
    return False
