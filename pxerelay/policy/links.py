"""Network interfaces, as far as the relay looks at them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from pxerelay.policy.addresses6 import Address6


class Link(NamedTuple):
    """A network interface as the kernel tells of it.

    `addresses` are all that it has, those that may stand for it first, the primary one before others.
    `narrow` are those of them that may not: their scope is less than global (rtnetlink(7)). `vrf` is the
    index of the VRF device that it is enslaved to, its own index if it is such a device, and 0 in the
    default VRF. `hardware` is its Ethernet address; it is empty where frames are no Ethernet frames.
    `altnames` are further names, `subnets` the networks that its addresses are in.

    `addresses6` are its IPv6 addresses, link-local ones too, where anybody asked for them; `has_ipv6` is
    False where IPv6 is disabled.
    """

    index: int  # type: ignore[assignment]  # and not the method of tuples
    name: str
    up: bool
    mtu: int
    addresses: tuple[IPv4Address, ...]
    vrf: int = 0
    hardware: bytes = bytes(6)
    narrow: tuple[IPv4Address, ...] = ()
    altnames: tuple[str, ...] = ()
    loopback: bool = False
    subnets: tuple[IPv4Network, ...] = ()
    addresses6: tuple[Address6, ...] = ()
    has_ipv6: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """All names, its own first."""
        return (self.name, *self.altnames)

    @property
    def standing(self) -> tuple[IPv4Address, ...]:
        """The addresses that may stand for it."""
        return tuple(address for address in self.addresses if address not in self.narrow)
