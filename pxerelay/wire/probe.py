"""A client that is none: the DISCOVER that network boot firmware sends, and what an answer to it offers.

What the daemon sends in its name goes the way of every request, so an answer proves all of that way: the
mapping, the routes there and back, the server. No address is taken: an offer that nobody requests lapses
(RFC 2131, 3.1, 4).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS

_MOST_OCTETS = 1472
"""What the client says it takes: a message in one Ethernet frame."""

_MACHINE_IDENTIFIER, _NETWORK_INTERFACE, _PARAMETERS, _LARGEST = 97, 94, 55, 57
"""Codes (RFC 4578, 2.2 and 2.3; RFC 2132, 9.8 and 9.10)."""

_UNDI_2_1 = bytes((1, 2, 1))
"""A universal network device interface, as all firmware has it (RFC 4578, 2.2)."""

_WANTED = bytes((1, 3, 6, 12, 15, 43, 54, 60, 66, 67))
"""Options that firmware asks for: netmask, routers, name servers, names, vendor's, server, boot file."""

_SHORTEST = 300
"""Octets of a message that old servers take (RFC 1542, 2.1)."""

SERVER_IDENTIFIER = 54
"""The address that a server goes by (RFC 2132, 9.7)."""


class Offer(NamedTuple):
    """What a server offers: what it calls itself, the client's address, where the boot file is, and its name.

    With server-id override (RFC 5107) a server calls itself by the relay's address. An offer of a proxyDHCP
    server has no client's address (PXE 2.1, 2.2.5).
    """

    identifier: IPv4Address | None
    address: IPv4Address | None
    next_server: IPv4Address | None
    boot_file: str


def sound(chaddr: bytes, xid: bytes) -> bytearray:
    """Return a message that is for nobody, told by these 6 octets of an address and 4 of an xid.

    A reply without an option, giaddr and address: neither a server nor a client nor a relay agent has
    anything to do for it. Whoever listens for it knows that it was heard.
    """
    message = _header(packet.BOOTREPLY, chaddr, xid)
    return (message + packet.MAGIC_COOKIE + bytes((packet.END,))).ljust(_SHORTEST, b"\0")


def discover(chaddr: bytes, xid: bytes, vendor_class: bytes, architectures: Sequence[int]) -> bytearray:
    """Return a DISCOVER of a client with these 6 octets of an address, options 60 and 93.

    `xid` are the 4 octets that answers are told by. The broadcast flag is set: this client has no hardware
    of its own that could be written to.
    """
    message = _header(packet.BOOTREQUEST, chaddr, xid)
    message[packet.FLAGS] = packet.BROADCAST_FLAG
    message += packet.MAGIC_COOKIE
    for code, value in (
        (packet.MESSAGE_TYPE, bytes((packet.DHCPDISCOVER,))),
        (_PARAMETERS, _WANTED),
        (_LARGEST, struct.pack("!H", _MOST_OCTETS)),
        (packet.VENDOR_CLASS, vendor_class),
        (packet.CLIENT_ARCH, struct.pack(f"!{len(architectures)}H", *architectures)),
        (_NETWORK_INTERFACE, _UNDI_2_1),
        (_MACHINE_IDENTIFIER, b"\0" + chaddr.rjust(16, b"\0")),
    ):
        if value:
            message += bytes((code, len(value))) + value
    message.append(packet.END)
    return message.ljust(_SHORTEST, b"\0")


def _header(op: int, chaddr: bytes, xid: bytes) -> bytearray:
    """Return the fixed part of a message of an Ethernet client (RFC 2131 section 2)."""
    header = bytearray(packet.HEADER_SIZE)
    header[packet.OP], header[packet.HTYPE], header[packet.HLEN] = op, packet.HTYPE_ETHERNET, MAC_OCTETS
    header[packet.XID] = xid
    header[packet.CHADDR_START : packet.CHADDR_START + MAC_OCTETS] = chaddr
    return header


def answer(message: packet.Message) -> Offer:
    """Return what a reply offers."""
    found = Facts(message).legible
    identifier = found.get(SERVER_IDENTIFIER, b"")
    return Offer(
        _address(identifier) if len(identifier) == len(packet.UNSET) else None,
        _address(message[packet.YIADDR]),
        _address(message[packet.SIADDR]),
        packet.boot_file(message, found),
    )


def _address(octets: packet.Message) -> IPv4Address | None:
    return IPv4Address(bytes(octets)) if octets != packet.UNSET else None


def text(found: Mapping[str, Any]) -> str:
    """Tell people what the daemon found (`prober.ask`)."""
    head = f"{found['mac']} on {found['interface']}"
    if "dropped" in found:
        return f"{head}: not relayed: {found['dropped']}"
    lines = [f"{head}: DISCOVER sent to {', '.join(found['servers'])}"]
    lines += (f"  not sent: {failure}" for failure in found["failures"])
    lines += (
        f"  {' '.join(answer['known_as'])} after {answer['milliseconds']} ms: "
        f"address {answer['address'] or 'none'}, boot file {answer['boot_file'] or 'none'}"
        for answer in found["answers"]
    )
    if not found["answers"]:
        lines.append("  no answer")
    return "\n".join(lines)


def answered_by(found: Mapping[str, Any], server: str) -> bool:
    """Whether a server, given by its name or address, is among those that answered."""
    return any(server in answer["known_as"] for answer in found["answers"])
