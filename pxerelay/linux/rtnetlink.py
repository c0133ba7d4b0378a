"""What the kernel's messages say of links, addresses, routes and neighbours (rtnetlink(7), RFC 3549).

A message is a header (`netlink`), a struct of its kind and `attributes`. Only what is needed is read. Numbers
are in the host's order, addresses in the network's.
"""

from __future__ import annotations

import struct
import sys
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from socket import AF_INET, AF_INET6
from typing import NamedTuple

from pxerelay.linux import attributes
from pxerelay.policy.addresses6 import Address6

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_GETROUTE = 26
RTM_GETNEIGH = 30
"""Types of messages (linux/rtnetlink.h)."""

GROUP_LINK, GROUP_IPV4_ADDRESS = 0x1, 0x10
"""Bits of the groups whose changes a socket may hear of (RTMGRP_LINK, RTMGRP_IPV4_IFADDR)."""

IPV6_ADDRESSES = 9
"""The number of a further such group, which a socket may join later (RTNLGRP_IPV6_IFADDR)."""

UP, LOOPBACK, LOWER_UP = 0x1, 0x8, 0x10000
"""Flags of a link: set up by the administrator, the loopback interface, has a carrier (linux/if.h)."""

ETHERNET = 1
"""The type of links with Ethernet frames, as ARP numbers it (ARPHRD_ETHER, linux/if_arp.h)."""

SCOPE_GLOBAL = 0
"""The scope of addresses that are valid everywhere (RT_SCOPE_UNIVERSE, linux/rtnetlink.h)."""

LOCAL, BROADCAST = 2, 3
"""Kinds of routes: to ourselves, to all on a link (linux/rtnetlink.h)."""

INCOMPLETE, FAILED = 0x01, 0x20
"""States of a neighbour that has not answered ARP (NUD_, linux/neighbour.h)."""

_HEADER = 16
"""Octets in front of what is particular to a kind of message (`netlink`)."""

_LINK = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type of link, index, flags, and which of them change."""

_ADDRESS = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, bits of the prefix, flags, scope, index of the link."""

_ROUTE = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, bits of destination and source, TOS, table, protocol, scope, type, flags."""

_NEIGHBOUR = struct.Struct("=BxxxiHBB")
"""struct ndmsg: family, index of the link, state, flags, type."""

_NUMBER = struct.Struct("=I")

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_AF_SPEC, _IFLA_EXT_MASK, _IFLA_PROP_LIST, _IFLA_ALT_IFNAME = 18, 26, 29, 52, 53
_IFLA_INFO_KIND, _IFLA_INET6_CONF = 1, 2
"""Attributes of links (linux/if_link.h)."""

_DISABLE_IPV6 = 26
"""Which of the numbers of IFLA_INET6_CONF tells that IPv6 is disabled (linux/ipv6.h)."""

_MOST_KINDS = 64
"""Kinds of links, with their settings, that are remembered."""

_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFA_F_SECONDARY = 0x01
"""Attributes of addresses, and the flag of one that goes with its primary one (linux/if_addr.h)."""

_IFA_F_TEMPORARY, _IFA_F_DADFAILED, _IFA_F_DEPRECATED, _IFA_F_TENTATIVE, _IFA_F_PERMANENT = (
    *(0x01, 0x08, 0x20, 0x40, 0x80),
)
"""Flags of IPv6 addresses (linux/if_addr.h)."""

_RTA_DST, _RTA_SRC, _RTA_IIF, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_METRICS = 1, 2, 3, 4, 5, 7, 8
"""Attributes of routes: destination, source, the interface in and out, router, our address, and what else is
known of the way (rtnetlink(7))."""

_RTAX_MTU = 2
"""What is known of the way: the largest packet (linux/rtnetlink.h)."""

_NDA_DST = 1

_OF_LINKS = frozenset(
    {_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_PROP_LIST}
)
_OF_KINDS, _OF_PROPERTIES = frozenset({_IFLA_INFO_KIND}), frozenset({_IFLA_ALT_IFNAME})
_OF_ADDRESSES = frozenset({_IFA_ADDRESS, _IFA_LOCAL})
_OF_ROUTES = frozenset({_RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_METRICS})
_OF_METRICS = frozenset({_RTAX_MTU})
_OF_NEIGHBOURS = frozenset({_NDA_DST})
"""What is read of each kind of message; a link has some forty attributes."""

_WITHOUT_STATISTICS = attributes.one(_IFLA_EXT_MASK, _NUMBER.pack(1 << 3))
"""Has the kernel leave out counters (RTEXT_FILTER_SKIP_STATS, linux/rtnetlink.h)."""

_BITS, _BITS6 = 32, 128


class LinkInfo(NamedTuple):
    """A link: `type` is ARP's number for its kind of frames, `address` has as many octets as such have.

    `kind` is the kernel's word for virtual ones (`vlan`, `vrf`, `tun` ...). `lower` is the index of the link
    that it lies on, `master` that of the one that it is a part of, 0 if there is none.
    """

    ifindex: int
    name: str
    flags: int
    type: int
    mtu: int
    address: bytes
    lower: int
    master: int
    kind: str
    altnames: tuple[str, ...]


class AddressInfo(NamedTuple):
    """An IPv4 address of a link, with the bits of its prefix; `peer` is that of the only other host on it."""

    ifindex: int
    address: IPv4Address
    prefix: int
    scope: int
    secondary: bool
    peer: IPv4Address | None = None

    @property
    def subnet(self) -> IPv4Network:
        """The network that is on the link."""
        return IPv4Network((int(self.peer or self.address), self.prefix), strict=False)


class RouteInfo(NamedTuple):
    """A route: its kind, the interface that it leaves by, the router, if any, and our address on it.

    Of IPv6 neither address is read.

    `mtu` is the largest packet that it is known to carry, 0 if that is the interface's.
    """

    kind: int
    interface: int
    gateway: IPv4Address | None
    source: IPv4Address | None
    mtu: int = 0


class NeighbourInfo(NamedTuple):
    """A neighbour: the index of the link that it is on, its address, and bits of what is known of it."""

    ifindex: int
    address: IPv4Address | None
    state: int


def ask_links() -> bytes:
    """Return the body that asks for all links, without their counters."""
    return _LINK.pack(0, 0, 0, 0, 0) + _WITHOUT_STATISTICS


def ask_link(index: int) -> bytes:
    """Return the body that asks for one link."""
    return _LINK.pack(0, 0, index, 0, 0) + _WITHOUT_STATISTICS


def ask_addresses(index: int = 0, family: int = AF_INET) -> bytes:
    """Return the body that asks for all addresses of a family, or those of one link.

    Only of a socket that is strict (`netlink.open_socket`) is an index regarded; others list them all.
    """
    return _ADDRESS.pack(family, 0, 0, 0, index)


def ask_neighbours() -> bytes:
    """Return the body that asks for all IPv4 neighbours."""
    return _NEIGHBOUR.pack(AF_INET, 0, 0, 0, 0)


def ask_route(
    destination: IPv4Address | IPv6Address,
    source: IPv4Address | None = None,
    *,
    arriving_on: int = 0,
    by: int = 0,
) -> bytes:
    """Return the body that asks which way a packet goes.

    From an address of ours, or of one that it comes from by the interface `arriving_on`; `by` is the index
    of a VRF, or of an interface that it is to leave by.
    """
    family, bits = (AF_INET, _BITS) if destination.version == 4 else (AF_INET6, _BITS6)
    body = _ROUTE.pack(family, bits, bits if source else 0, 0, 0, 0, 0, 0, 0)
    body += attributes.one(_RTA_DST, destination.packed)
    if source:
        body += attributes.one(_RTA_SRC, source.packed)
    if arriving_on:
        body += attributes.one(_RTA_IIF, _NUMBER.pack(arriving_on))
    if by:
        body += attributes.one(_RTA_OIF, _NUMBER.pack(by))
    return body


def link(message: bytes) -> LinkInfo:
    """Read RTM_NEWLINK or RTM_DELLINK; ValueError if it is not all there."""
    _, kind, index, flags, _ = _struct(_LINK, message)
    found = attributes.read(message, _HEADER + _LINK.size, _OF_LINKS)
    properties = found.get(_IFLA_PROP_LIST)
    names = attributes.each(properties, 0, _OF_PROPERTIES) if properties else ()
    return LinkInfo(
        index,
        _text(found.get(_IFLA_IFNAME, b"")),
        flags,
        kind,
        _number(found.get(_IFLA_MTU)),
        found.get(_IFLA_ADDRESS, b""),
        _number(found.get(_IFLA_LINK)),
        _number(found.get(_IFLA_MASTER)),
        _kind(found.get(_IFLA_LINKINFO, b"")),
        tuple(_text(value) for _, value in names) if names else (),
    )


@lru_cache(_MOST_KINDS)
def _kind(info: bytes) -> str:
    """Return what kind of link IFLA_LINKINFO tells of; a host has many links of few kinds."""
    return _text(attributes.read(info, 0, _OF_KINDS).get(_IFLA_INFO_KIND, b""))


def address(message: bytes) -> AddressInfo | None:
    """Read RTM_NEWADDR or RTM_DELADDR, None if it is of another family; ValueError if it is not all there.

    Of a link to one other host the local address is meant, not the other one's.
    """
    family, prefix, flags, scope, index = _struct(_ADDRESS, message)
    found = attributes.read(message, _HEADER + _ADDRESS.size, _OF_ADDRESSES)
    other = found.get(_IFA_ADDRESS)
    local = found.get(_IFA_LOCAL) or other
    own = _address(local)
    if family != AF_INET or own is None:
        return None
    secondary = bool(flags & _IFA_F_SECONDARY)
    return AddressInfo(index, own, prefix, scope, secondary, None if other == local else _address(other))


def address6(message: bytes) -> tuple[int, Address6] | None:
    """Read the same of an IPv6 address, and the index of its link first; None if it is of another family."""
    family, prefix, flags, _, index = _struct(_ADDRESS, message)
    found = attributes.read(message, _HEADER + _ADDRESS.size, _OF_ADDRESSES)
    own = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    if family != AF_INET6 or own is None or len(own) != 16:
        return None
    duplicate = bool(flags & _IFA_F_DADFAILED)
    return index, Address6(
        IPv6Address(own),
        prefix,
        tentative=bool(flags & _IFA_F_TENTATIVE) and not duplicate,
        duplicate=duplicate,
        deprecated=bool(flags & _IFA_F_DEPRECATED),
        temporary=bool(flags & _IFA_F_TEMPORARY),
        static=bool(flags & _IFA_F_PERMANENT),
    )


def has_ipv6(message: bytes) -> bool:
    """Whether IPv6 is enabled on the link that RTM_NEWLINK tells of; ValueError if it is not all there."""
    found = attributes.read(message, _HEADER + _LINK.size, frozenset({_IFLA_AF_SPEC}))
    ipv6 = attributes.read(found.get(_IFLA_AF_SPEC, b""), 0, frozenset({AF_INET6})).get(AF_INET6, b"")
    settings = attributes.read(ipv6, 0, frozenset({_IFLA_INET6_CONF})).get(_IFLA_INET6_CONF, b"")
    disabled = settings[_DISABLE_IPV6 * _NUMBER.size :][: _NUMBER.size]
    return bool(disabled) and not any(disabled)


def changed_index(kind: int, message: bytes) -> int | None:
    """Return which link a message of a type is about, None if it is about something else."""
    if kind in (RTM_NEWLINK, RTM_DELLINK):
        return int(_struct(_LINK, message)[2])
    if kind in (RTM_NEWADDR, RTM_DELADDR):
        return int(_struct(_ADDRESS, message)[4])
    return None


def route(message: bytes) -> RouteInfo:
    """Read RTM_NEWROUTE; ValueError if it is not all there."""
    kind = _struct(_ROUTE, message)[7]
    found = attributes.read(message, _HEADER + _ROUTE.size, _OF_ROUTES)
    gateway, source = _address(found.get(_RTA_GATEWAY)), _address(found.get(_RTA_PREFSRC))
    mtu = _number(attributes.read(found.get(_RTA_METRICS, b""), 0, _OF_METRICS).get(_RTAX_MTU))
    return RouteInfo(kind, _number(found.get(_RTA_OIF)), gateway, source, mtu)


def neighbour(message: bytes) -> NeighbourInfo:
    """Read RTM_NEWNEIGH; ValueError if it is not all there."""
    _, index, state, _, _ = _struct(_NEIGHBOUR, message)
    found = attributes.read(message, _HEADER + _NEIGHBOUR.size, _OF_NEIGHBOURS)
    return NeighbourInfo(index, _address(found.get(_NDA_DST)), state)


def _struct(form: struct.Struct, message: bytes) -> tuple[int, ...]:
    if len(message) < _HEADER + form.size:
        raise ValueError(f"a message of rtnetlink has only {len(message)} octets")
    return form.unpack_from(message, _HEADER)


def _text(value: bytes) -> str:
    """Return a name; octets that are no UTF-8, which the kernel takes too, are spelled by backslashes."""
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")


def _number(value: bytes | None) -> int:
    return int.from_bytes(value, sys.byteorder) if value else 0


def _address(value: bytes | None) -> IPv4Address | None:
    return IPv4Address(value) if value and len(value) == 4 else None
