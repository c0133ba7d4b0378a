"""Interfaces, addresses and VRFs of the relay host as DHCPv6 sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address

from pxerelay.policy.links import Link
from pxerelay.policy.ports6 import Port6
from pxerelay.relay.network import AnyNetwork
from pxerelay.wire.packet6 import is_link_local


class Network6(AnyNetwork[Port6]):
    """The network of DHCPv6. Addresses are 16 octets; a link-local one is this host's on one interface."""

    def __init__(self, ports: Iterable[Port6], links: Iterable[Link]) -> None:
        self._by_id: dict[bytes, tuple[Port6, ...]] = {}
        super().__init__(ports, links)

    @staticmethod
    def _standing(port: Port6) -> IPv6Address | None:
        return port.link_address

    @staticmethod
    def _owned(link: Link) -> Iterable[tuple[int, bytes]]:
        return [
            (_on(link.index) if one.address.is_link_local else link.vrf, one.address.packed)
            for one in link.addresses6
            if one.usable
        ]

    def _add_port(self, port: Port6) -> None:
        super()._add_port(port)
        if port.index is not None and port.interface_id is not None:
            self._by_id[port.interface_id] = (*self._by_id.get(port.interface_id, ()), port)

    def _remove_port(self, port: Port6) -> None:
        super()._remove_port(port)
        if port.index is not None and port.interface_id is not None:
            others = tuple(one for one in self._by_id[port.interface_id] if one.index != port.index)
            if others:
                self._by_id[port.interface_id] = others
            else:
                del self._by_id[port.interface_id]

    def waiting(self, index: int) -> Port6 | None:
        """Return the client interface that waits at an index."""
        return self._waiting.get(index)

    def is_ours(self, index: int, address: bytes) -> bool:
        """Whether an address that was named on an interface, or for it, is one of this host."""
        return self.owns(_on(index) if is_link_local(address) else self.vrf_of(index), address)

    def is_here(self, index: int, source: bytes) -> bool:
        """Whether what comes in on an interface from an address was sent by this host itself."""
        return index in self._loopbacks or self.is_ours(index, source)

    def with_link_address(self, vrf: int, address: bytes) -> Sequence[Port6]:
        """Return the client interfaces that serve with a link-address, none if there are none."""
        return self._by_address.get((vrf, address), ())

    def with_interface_id(self, interface_id: bytes) -> Sequence[Port6]:
        """Return the client interfaces that serve with this Interface-Id, none if there are none."""
        return self._by_id.get(interface_id, ())


def _on(index: int) -> int:
    """Return what stands in the place of a VRF for addresses of one link."""
    return ~index
