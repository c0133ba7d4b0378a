"""Interfaces, addresses and VRFs of the relay host, in tables that the rules look up and changes patch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Generic, TypeVar

from pxerelay.policy import port_table
from pxerelay.policy.links import Link
from pxerelay.policy.ports import Port
from pxerelay.policy.servers import Address

_LARGEST_PACKET = 65535
"""Octets of the largest IPv4 packet (RFC 791, 3.1)."""

AnyPort = TypeVar("AnyPort", bound=port_table.AnyPort)


class AnyNetwork(ABC, Generic[AnyPort]):
    """Client interfaces of one family, and addresses and VRFs of the host.

    Addresses are octets, VRFs are indexes. `ports` are all client interfaces, also those that wait. `vrfs`
    tells the names of VRFs.
    """

    def __init__(self, ports: Iterable[AnyPort], links: Iterable[Link]) -> None:
        self.ports = tuple(ports)
        self.vrfs: dict[int, str] = {}
        self._active: dict[int, AnyPort] = {}
        self._waiting: dict[int, AnyPort] = {}
        self._by_address: dict[tuple[int, bytes], tuple[AnyPort, ...]] = {}
        self._own: Counter[tuple[int, bytes]] = Counter()
        self._vrf_of: dict[int, int] = {}
        self._loopbacks: set[int] = set()
        for port in self.ports:
            self._add_port(port)
        for link in links:
            self._add_link(link)

    @staticmethod
    @abstractmethod
    def _standing(port: AnyPort) -> Address | None:
        """Return the address that stands for a port, None while it waits."""

    @staticmethod
    @abstractmethod
    def _owned(link: Link) -> Iterable[tuple[int, bytes]]:
        """Return the addresses of a link, each with the VRF that it is in."""

    def follow(self, ports: Iterable[AnyPort], change: port_table.Change[AnyPort]) -> None:
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

    def _add_port(self, port: AnyPort) -> None:
        standing = self._standing(port)
        if port.index is not None and standing is not None:
            self._active[port.index] = port
            key = port.vrf, standing.packed
            self._by_address[key] = (*self._by_address.get(key, ()), port)
        elif port.link is not None:
            self._waiting[port.link.index] = port

    def _remove_port(self, port: AnyPort) -> None:
        standing = self._standing(port)
        if port.index is not None and standing is not None:
            del self._active[port.index]
            key = port.vrf, standing.packed
            others = tuple(one for one in self._by_address[key] if one.index != port.index)
            if others:
                self._by_address[key] = others
            else:
                del self._by_address[key]
        elif port.link is not None:
            self._waiting.pop(port.link.index, None)

    def _add_link(self, link: Link) -> None:
        for key in self._owned(link):
            self._own[key] += 1
        if link.vrf:
            self._vrf_of[link.index] = link.vrf
        if link.loopback:
            self._loopbacks.add(link.index)
        if link.vrf == link.index:
            self.vrfs[link.index] = link.name

    def _remove_link(self, link: Link) -> None:
        for key in self._owned(link):
            self._own[key] -= 1
            if not self._own[key]:
                del self._own[key]
        self._vrf_of.pop(link.index, None)
        self._loopbacks.discard(link.index)
        self.vrfs.pop(link.index, None)

    def active(self, index: int) -> AnyPort | None:
        """Return the client interface that serves at an index."""
        return self._active.get(index)

    @property
    def active_indexes(self) -> frozenset[int]:
        """The indexes of all that serve."""
        return frozenset(self._active)

    def waits(self, index: int) -> bool:
        """Whether a client interface waits at an index."""
        return index in self._waiting

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


class Network(AnyNetwork[Port]):
    """The network of DHCPv4. Addresses are 4 octets."""

    def __init__(self, ports: Iterable[Port], links: Iterable[Link]) -> None:
        self._mtus: Counter[int] = Counter()
        super().__init__(ports, links)

    @staticmethod
    def _standing(port: Port) -> IPv4Address | None:
        return port.giaddr

    @staticmethod
    def _owned(link: Link) -> Iterable[tuple[int, bytes]]:
        return [(link.vrf, address.packed) for address in link.addresses]

    def _add_link(self, link: Link) -> None:
        super()._add_link(link)
        if _bounds_packets(link):
            self._mtus[link.mtu] += 1

    def _remove_link(self, link: Link) -> None:
        super()._remove_link(link)
        if _bounds_packets(link):
            self._mtus[link.mtu] -= 1
            if not self._mtus[link.mtu]:
                del self._mtus[link.mtu]

    def with_giaddr(self, vrf: int, giaddr: bytes) -> Sequence[Port]:
        """Return the client interfaces that serve with a giaddr, none if there are none."""
        return self._by_address.get((vrf, giaddr), ())

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
