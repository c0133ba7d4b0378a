"""A client that is none: the DISCOVER that network boot firmware sends, and what an answer to it offers.

What the daemon sends in its name goes the way of every request, so an answer proves all of that way: the
mapping, the routes there and back, the server. No address is taken: an offer that nobody requests lapses
(RFC 2131, 3.1, 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
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
    """Tell people what the daemon found, in each family that it asked by (`daemon.probes`)."""
    return "\n".join(line for one, name in _families(found) for line in _lines(one, name))


def _families(found: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield what was found in each family, and what was sent in it."""
    if "servers" in found:
        yield found, "DISCOVER"
    if "ipv6" in found:
        yield found["ipv6"], "SOLICIT"


def _lines(found: Mapping[str, Any], sent: str) -> Iterator[str]:
    place = f"on {found['interface']}" if found["interface"] else "behind a router"
    head = f"{found['mac']} {place}"
    if "dropped" in found:
        family = " by DHCPv6" if sent == "SOLICIT" else ""
        yield f"{head}: not relayed{family}: {found['dropped']}"
        return
    link_address = found.get("link_address")
    where = f" with link-address {link_address}" if link_address else ""
    yield f"{head}: {sent} sent to {', '.join(found['servers'])}{where}"
    yield from (f"  not sent: {failure}" for failure in found["failures"])
    for one in found["answers"]:
        told = [f"address {one['address'] or 'none'}", f"boot file {one['boot_file'] or 'none'}"]
        if one.get("preference") is not None:
            told.append(f"preference {one['preference']}")
        if one.get("no_addresses"):
            told = [f"it answered, and has no subnet for {link_address}, or no address left there", *told[1:]]
        if one.get("status"):
            told.append(one["status"])
        yield f"  {' '.join(one['known_as'])} after {one['milliseconds']} ms: {', '.join(told)}"
    if not found["answers"]:
        yield "  no answer"


def is_answered(found: Mapping[str, Any], expected: str | None) -> bool:
    """Whether there is an answer in each family that was asked by: of the expected server if there is one.

    One that has no address to give is none (NoAddrsAvail): its client would boot nothing.
    """
    for one, _ in _families(found):
        answers = [answer for answer in one["answers"] if expected is None or expected in answer["known_as"]]
        if not answers or any(answer.get("no_addresses") for answer in answers):
            return False
    return True
