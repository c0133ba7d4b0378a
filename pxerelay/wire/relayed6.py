"""RELAY-FORW around a message, and what is in a RELAY-REPL (RFC 9915, 9 and 19).

    msg-type(1)=12  hop-count(1)  link-address(16)  peer-address(16)
    18 Interface-Id  79 client's hardware address  37 Remote-Id  53 Relay-Id  135 source port
    9 Relay Message: code(2)=9  length(2)  the message

The message stands last, so that all the rest is a header in front of it, which leaves it as it is.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pxerelay.wire import packet6
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import (
    CLIENT_LINK_LAYER_ADDRESS,
    HTYPE_ETHERNET,
    INTERFACE_ID,
    OPTION_HEADER,
    RELAY_ID,
    RELAY_MESSAGE,
    RELAY_SOURCE_PORT,
    REMOTE_ID,
)

MOST_OPTIONS_OF_REPLY = 255
"""Options of a RELAY-REPL that are read: servers give back what we said, and little more."""

_HEADER = struct.Struct("!BB16s16s")
_PORT = struct.Struct("!H")


class Unwrapped(NamedTuple):
    """What a RELAY-REPL says: its message, its Interface-Id, its option 135 (0 if there is none)."""

    message: Message
    interface_id: bytes | None
    port: int


def option(code: int, value: bytes) -> bytes:
    """Return an option (RFC 9915, 21.1)."""
    return OPTION_HEADER.pack(code, len(value)) + value


def interface_id(text: bytes | None) -> bytes:
    """Return option 18 of a text, nothing for None (RFC 9915, 21.18)."""
    return b"" if text is None else option(INTERFACE_ID, text)


def remote_id(enterprise: int, text: bytes | None) -> bytes:
    """Return option 37 of a text under an enterprise number, nothing for None (RFC 4649, 3)."""
    return b"" if text is None else option(REMOTE_ID, enterprise.to_bytes(4, "big") + text)


def relay_id(duid: bytes | None) -> bytes:
    """Return option 53 of a DUID, nothing for None (RFC 5460, 5.4.1)."""
    return b"" if duid is None else option(RELAY_ID, duid)


def hardware_address(mac: bytes) -> bytes:
    """Return option 79 of an Ethernet address (RFC 6939, 4)."""
    return option(CLIENT_LINK_LAYER_ADDRESS, HTYPE_ETHERNET + mac)


def source_port(port: int) -> bytes:
    """Return option 135 of the port that a relay agent below us sent from (RFC 8357, 4)."""
    return option(RELAY_SOURCE_PORT, _PORT.pack(port))


def header(hops: int, link_address: bytes, peer_address: bytes, options: bytes, size: int) -> bytes | None:
    """Return all that stands in front of a message of `size` octets in a RELAY-FORW.

    None if the whole would be no UDP datagram any more.
    """
    if _HEADER.size + len(options) + OPTION_HEADER.size + size > packet6.LONGEST_PAYLOAD:
        return None
    head = _HEADER.pack(packet6.RELAY_FORW, hops, link_address, peer_address)
    return head + options + OPTION_HEADER.pack(RELAY_MESSAGE, size)


def unwrapped(message: Message) -> Unwrapped | None:
    """Return what a RELAY-REPL with a whole header says; None if no whole message is in it.

    Of two options with one code the first counts. What follows a damaged option is not read.
    """
    octets = bytes(message)
    found: dict[int, slice] = {}
    spans, _ = packet6.walk(octets, packet6.RELAY_HEADER_SIZE, len(octets), MOST_OPTIONS_OF_REPLY)
    for code, start, end in spans:
        found.setdefault(code, slice(start, end))
    inner = found.get(RELAY_MESSAGE)
    if inner is None or inner.stop - inner.start < packet6.HEADER_SIZE:
        return None
    if octets[inner.start] == packet6.RELAY_REPL and inner.stop - inner.start < packet6.RELAY_HEADER_SIZE:
        return None
    named, ported = found.get(INTERFACE_ID), found.get(RELAY_SOURCE_PORT)
    port = octets[ported] if ported else b""
    return Unwrapped(
        message[inner],
        octets[named] if named else None,
        int.from_bytes(port, "big") if len(port) == _PORT.size else 0,
    )


def innermost(message: Message) -> Message:
    """Return the client's message in a RELAY-REPL, or the message itself; as far as it can be read."""
    for _ in range(packet6.MOST_LAYERS):
        if packet6.message_type(message) != packet6.RELAY_REPL or len(message) < packet6.RELAY_HEADER_SIZE:
            break
        inside = unwrapped(message)
        if inside is None:
            break
        message = inside.message
    return message
