"""The IPv6 addresses of an interface, and which of them stands for it as link-address.

RFC 9915, 19.1.1, wants one that tells the server which link the client is on. A link-local one finds no
subnet at any server, so an interface needs a global one; and it must be the same one each time (rule 110).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

UNIQUE_LOCAL = IPv6Network("fc00::/7")
"""Addresses that are routed within a site (RFC 4193)."""

_HOST = 128
"""Bits of a prefix that has one address, and so is no link's."""


class Address6(NamedTuple):
    """An IPv6 address of a link, with the bits of its prefix, as rtnetlink(7) tells of it.

    `tentative`: whether another host has it too is still being found out, `duplicate`: one has (RFC 4862,
    5.4). `deprecated`: nothing new should begin from it (5.5.4). `temporary`: it is replaced now and then
    (RFC 8981). `static`: it is there for ever, so no router advertised it.
    """

    address: IPv6Address
    prefix: int = 64
    tentative: bool = False
    duplicate: bool = False
    deprecated: bool = False
    temporary: bool = False
    static: bool = True

    @property
    def subnet(self) -> IPv6Network:
        """The network that is on the link."""
        return IPv6Network((int(self.address), self.prefix), strict=False)

    @property
    def usable(self) -> bool:
        """Whether packets may come from it."""
        return not (self.tentative or self.duplicate)


def is_global(address: IPv6Address) -> bool:
    """Whether an address is one host's beyond its link: a global one, or a unique local one (RFC 4193)."""
    return not (
        address.is_link_local
        or address.is_site_local
        or address.is_multicast
        or address.is_loopback
        or address.is_unspecified
        or address.ipv4_mapped is not None
    )


def link_local(addresses: Iterable[Address6]) -> Address6 | None:
    """Return the link-local address that packets on the link come from, or would but for their state."""
    found = [one for one in addresses if one.address.is_link_local]
    return min(found, key=lambda one: (not one.usable, one.address), default=None)


def link_address(addresses: Iterable[Address6]) -> IPv6Address | None:
    """Return the address of an interface that stands for it, None if there is none that may (rule 110).

    It depends on which addresses there are, and not on the order in which they came.
    """
    found = [one for one in addresses if is_global(one.address) and one.usable and not one.temporary]
    return min(found, key=_rank).address if found else None


def _rank(one: Address6) -> tuple[bool, bool, bool, IPv6Address]:
    doubtful = one.deprecated or one.prefix == _HOST
    return doubtful, not one.static, one.address in UNIQUE_LOCAL, one.address
