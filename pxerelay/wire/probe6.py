"""A client that is none, in DHCPv6: the SOLICIT that network boot firmware sends; `probe` has DHCPv4's.

Without Rapid Commit no address is taken: a server commits none for a SOLICIT (RFC 9915, 18.3.1).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pxerelay.wire import eui64, packet6, relayed6
from pxerelay.wire.relayed6 import option

_IA_NA, _ELAPSED_TIME, _NETWORK_INTERFACE = 3, 8, 62
"""Codes (RFC 9915, 21.4 and 21.9; RFC 5970, 3.4)."""

_UNDI_3 = bytes((1, 3, 0))
"""A universal network device interface, as UEFI has it (RFC 5970, 3.4)."""

_BOOT_FILE_PARAMETERS, _NAME_SERVERS = 60, 23
_WANTED = (packet6.BOOT_FILE_URL, _BOOT_FILE_PARAMETERS, _NAME_SERVERS, packet6.VENDOR_CLASS)
"""Options that firmware asks for (RFC 5970, 3.2; RFC 3646, 3)."""

_ENTERPRISE = 343
"""The enterprise number that firmware names its vendor class under."""

_DUID_LL = b"\0\3" + packet6.HTYPE_ETHERNET
"""What a DUID made of an Ethernet address begins with (RFC 9915, 11.4)."""


def duid(mac: bytes) -> bytes:
    """Return the identifier of a client with these 6 octets of an Ethernet address."""
    return _DUID_LL + mac


def solicit(mac: bytes, xid: bytes, vendor_class: bytes, architectures: Sequence[int]) -> bytes:
    """Return a SOLICIT of a client with these 6 octets of an address, options 16 and 61.

    `xid` are the 3 octets that answers are told by.
    """
    vendor = struct.pack("!IH", _ENTERPRISE, len(vendor_class)) + vendor_class
    parts = [
        option(packet6.CLIENT_ID, duid(mac)),
        option(_IA_NA, mac[-4:] + bytes(8)),
        option(_ELAPSED_TIME, bytes(2)),
        option(packet6.OPTION_REQUEST, struct.pack(f"!{len(_WANTED)}H", *_WANTED)),
        option(_NETWORK_INTERFACE, _UNDI_3),
    ]
    if architectures:
        parts.append(option(packet6.CLIENT_ARCH, struct.pack(f"!{len(architectures)}H", *architectures)))
    if vendor_class:
        parts.append(option(packet6.VENDOR_CLASS, vendor))
    return bytes((packet6.SOLICIT,)) + xid + b"".join(parts)


def sound(mac: bytes, xid: bytes) -> bytes:
    """Return a message that is for nobody, told by these 6 octets of an address and 3 of an xid.

    A RELAY-REPL for a client on no link, with an ADVERTISE that offers nothing: neither a server nor a client
    has anything to do for it, and a relay agent none from a stranger. As `probe.sound` in DHCPv4.
    """
    inside = bytes((packet6.ADVERTISE,)) + xid + option(packet6.CLIENT_ID, duid(mac))
    head = bytes((packet6.RELAY_REPL, 0)) + packet6.UNSET + eui64.link_local(mac)
    return head + option(packet6.RELAY_MESSAGE, inside)


def relayed(message: bytes, mac: bytes, link_address: bytes) -> bytes:
    """Return the RELAY-FORW that a router with an address on the client's link puts around its message."""
    peer = eui64.link_local(mac)
    head = relayed6.header(0, link_address, peer, relayed6.hardware_address(mac), len(message))
    assert head is not None  # noqa: S101  # it is a small message
    return head + message
