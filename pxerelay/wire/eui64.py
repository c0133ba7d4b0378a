"""Ethernet addresses in IPv6 interface identifiers (RFC 4291, appendix A; "modified EUI-64").

    02:00:00:12:34:56  ->  fe80::ff:fe12:3456

The second-lowest bit of the first octet is inverted, and ff:fe goes between the third and the fourth.
"""

from __future__ import annotations

from pxerelay.wire.mac import MAC_OCTETS

LINK_LOCAL = b"\xfe\x80" + bytes(6)
"""What a link-local address begins with: fe80::/64 (RFC 4291, 2.5.6)."""

_MIDDLE = b"\xff\xfe"
_UNIVERSAL = 0x02
"""The bit of the first octet that is inverted, which tells universal from local addresses."""

_GROUP = 0x01
"""The bit of the first octet that tells the address of a group, which no client has (IEEE 802-2014, 8.2)."""


def mac_of(address: bytes) -> bytes | None:
    """Return the 6 octets that the interface identifier of a 16-octet address was made of.

    None if it was made of no Ethernet address, or of that of a group. The prefix does not matter.
    """
    if address[11:13] != _MIDDLE:
        return None
    first = address[8] ^ _UNIVERSAL
    return None if first & _GROUP else bytes((first,)) + address[9:11] + address[13:16]


def mac_of_link_local(address: bytes) -> bytes | None:
    """Return the Ethernet address in a link-local address; None if it has none, or is no such address."""
    return mac_of(address) if address.startswith(LINK_LOCAL) else None


def link_local(mac: bytes) -> bytes:
    """Return the 16 octets of the link-local address that an Ethernet address makes."""
    assert len(mac) == MAC_OCTETS  # noqa: S101
    return LINK_LOCAL + bytes((mac[0] ^ _UNIVERSAL,)) + mac[1:3] + _MIDDLE + mac[3:]
