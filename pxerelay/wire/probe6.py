"""A client that is none, in DHCPv6: the SOLICIT that network boot firmware sends. `probe` says what for.

No address is taken: an ADVERTISE that nobody requests lapses (RFC 9915, 18.2.1), and there is no Rapid Commit
option in it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pxerelay.wire import packet6
from pxerelay.wire.mac import MAC_OCTETS

_IA_NA, _ELAPSED_TIME, _NETWORK_INTERFACE = 3, 8, 62
"""Codes (RFC 9915, 21.4 and 21.9; RFC 5970, 3.4)."""

_DUID_LL = b"\0\3\0\1"
"""How the DUID of an Ethernet address alone begins (RFC 9915, 11.4)."""

_UNDI_3 = bytes((1, 3, 0))
"""A universal network device interface, as UEFI has it (RFC 5970, 3.4)."""

_ENTERPRISE = struct.pack("!I", 343)
"""What firmware says its option 16 under (UEFI 2.10, 24.7.2)."""

_WANTED = (59, 60, 23, packet6.VENDOR_CLASS)
"""Options that UEFI asks for: boot file, its parameters (RFC 5970, 3.1, 3.2), name servers, vendor class."""

XID_OCTETS = 3
"""Octets of a transaction id (RFC 9915, 8)."""


def duid(mac: bytes) -> bytes:
    """Return the DUID of a client with these 6 octets of an address."""
    assert len(mac) == MAC_OCTETS  # noqa: S101
    return _DUID_LL + mac


def solicit(mac: bytes, xid: bytes, vendor_class: bytes, architectures: Sequence[int]) -> bytes:
    """Return a SOLICIT of a client with these 6 octets of an address, options 16 and 61.

    `xid` are the 3 octets that answers are told by. One without a vendor class and architectures is that of
    an operating system, which asks for no boot file.
    """
    boots = bool(vendor_class or architectures)
    wanted = _WANTED if boots else _WANTED[2:3]
    message = bytearray((packet6.SOLICIT, *xid))
    for code, value in (
        (packet6.CLIENT_ID, duid(mac)),
        (_IA_NA, mac[-4:] + bytes(8)),
        (packet6.OPTION_REQUEST, struct.pack(f"!{len(wanted)}H", *wanted)),
        (_ELAPSED_TIME, bytes(2)),
        (_NETWORK_INTERFACE, _UNDI_3 if boots else b""),
        (packet6.CLIENT_ARCH, struct.pack(f"!{len(architectures)}H", *architectures)),
        (packet6.VENDOR_CLASS, _ENTERPRISE + _text(vendor_class) if vendor_class else b""),
    ):
        if value:
            message += packet6.OPTION_HEADER.pack(code, len(value)) + value
    return bytes(message)


def _text(octets: bytes) -> bytes:
    return struct.pack("!H", len(octets)) + octets
