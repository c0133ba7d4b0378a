"""The second step of a PXE boot, for clients whose offer leaves something open: a boot server at port 4011.

Most offers name the boot file, and nothing more is asked. The specification is Intel's PXE 2.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from pxerelay.wire import packet, probe
from pxerelay.wire.facts import Facts

PORT = 4011
"""Where boot servers and proxyDHCP servers are asked by unicast (PXE 2.1, 2.2.3)."""

_VENDOR_OPTIONS = 43
"""Vendor-specific information, in an offer options of PXE (RFC 2132, 8.4; PXE 2.1, table 2-1)."""

_DISCOVERY_CONTROL, _BOOT_SERVERS, _BOOT_ITEM = 6, 8, 71
"""Options in it: how to discover, lists of servers, the item that was chosen (PXE 2.1, table 2-1)."""

_DOWNLOAD = 0x08
"""The bit of discovery control for: load the boot file that is named, ask nobody (PXE 2.1, table 2-1)."""

_REQUEST = 3
"""The message type (RFC 2132, 9.6)."""

_MOST = 16
"""Boot servers of an offer that are told."""


class Service(NamedTuple):
    """Who is to be asked at port 4011, and for which type of boot server, None for none in particular."""

    address: IPv4Address
    kind: int | None


def services(offer: packet.Message, source: IPv4Address) -> tuple[Service, ...]:
    """Return whom a client that follows an offer from an address asks at port 4011; mostly nobody.

    A list of boot servers is followed unless the offer says to load the file that it names. An offer of PXE
    with neither file nor list is one of a server that names the file at port 4011 (PXE 2.1, 2.2.3, 2.2.5).
    """
    found = Facts(offer).legible
    if not packet.vendor_class(found).startswith(b"PXEClient"):
        return ()
    vendor = dict(_options(found.get(_VENDOR_OPTIONS, b"")))
    file = packet.boot_file(offer, found)
    if file and int.from_bytes(vendor.get(_DISCOVERY_CONTROL, b""), "big") & _DOWNLOAD:
        return ()
    listed = tuple(dict.fromkeys(_listed(vendor.get(_BOOT_SERVERS, b""))))[:_MOST]
    if listed or file:
        return listed
    identifier = probe.answer(offer).identifier
    ours = identifier and identifier.packed == bytes(offer[packet.GIADDR])  # server-id override, RFC 5107
    return (Service(source if identifier is None or ours else identifier, None),)


def request(
    chaddr: bytes,
    xid: bytes,
    vendor_class: bytes,
    architectures: tuple[int, ...],
    asked: Service,
    own: IPv4Address,
) -> bytes:
    """Return what a client that has an address asks a boot server. Nothing is leased at port 4011."""
    message = probe.discover(chaddr, xid, vendor_class, architectures)
    message[packet.FLAGS] = 0
    message[packet.CIADDR] = own.packed
    start = packet.OPTIONS + 2
    message[start] = _REQUEST
    if asked.kind is not None:
        item = struct.pack("!BBHH", _BOOT_ITEM, 4, asked.kind, 0) + bytes((packet.END,))
        extra = bytes((_VENDOR_OPTIONS, len(item))) + item
        message[start + 1 : start + 1] = extra
    return bytes(message)


def _options(octets: bytes) -> Iterator[tuple[int, bytes]]:
    for code, start, end in packet.walk(octets):
        if code == packet.END or end > len(octets):
            return
        yield code, octets[start + 2 : end]


def _listed(octets: bytes) -> Iterator[Service]:
    """Yield the servers of a list: for each type a count, and so many addresses (PXE 2.1, table 2-1)."""
    while len(octets) >= 3:
        kind, count = struct.unpack_from("!HB", octets)
        end = 3 + 4 * count
        if end > len(octets):
            return
        for at in range(3, end, 4):
            yield Service(IPv4Address(octets[at : at + 4]), kind)
        octets = octets[end:]
