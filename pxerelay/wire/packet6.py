"""DHCPv6 messages, read where they lie.

A client's message (RFC 9915, 8), and a message between relay agents and servers (RFC 9915, 9):

    msg-type(1) transaction-id(3) options

    msg-type(1) hop-count(1) link-address(16) peer-address(16) options

An option is a code and a length of 2 octets each, and that many octets (RFC 9915, 21.1). The message that is
relayed is the value of option 9. Nothing here changes a message: the relay puts octets around it, or takes
them off again (`relayed6`). What options say is in `facts6`.
"""

from __future__ import annotations

import struct

from pxerelay.wire.packet import Message

SERVER_PORT, CLIENT_PORT = 547, 546
"""UDP ports of servers and relay agents, and of clients (RFC 9915, 7.2)."""

ALL_RELAYS_AND_SERVERS = bytes.fromhex("ff020000000000000000000000010002")
"""ff02::1:2, which clients send to (RFC 9915, 7.1)."""

UNSET = bytes(16)
"""The unspecified address (RFC 4291, 2.5.2)."""

HEADER_SIZE = 4
"""Octets in front of a client's options (RFC 9915, 8)."""

RELAY_HEADER_SIZE = 34
"""Octets in front of the options of RELAY-FORW and RELAY-REPL (RFC 9915, 9)."""

TYPE = 0
HOPS = 1
XID = slice(1, 4)
LINK_ADDRESS = slice(2, 18)
PEER_ADDRESS = slice(18, 34)

SOLICIT, ADVERTISE, REQUEST, REPLY, RECONFIGURE = 1, 2, 3, 7, 10
INFORMATION_REQUEST = 11
RELAY_FORW, RELAY_REPL = 12, 13
"""Message types (RFC 9915, 7.3)."""

MESSAGE_NAMES = {
    1: "SOLICIT",
    2: "ADVERTISE",
    3: "REQUEST",
    4: "CONFIRM",
    5: "RENEW",
    6: "REBIND",
    7: "REPLY",
    8: "RELEASE",
    9: "DECLINE",
    10: "RECONFIGURE",
    11: "INFORMATION-REQUEST",
    12: "RELAY-FORW",
    13: "RELAY-REPL",
    14: "LEASEQUERY",
    15: "LEASEQUERY-REPLY",
    16: "LEASEQUERY-DONE",
    17: "LEASEQUERY-DATA",
    18: "RECONFIGURE-REQUEST",
    19: "RECONFIGURE-REPLY",
    20: "DHCPV4-QUERY",
    21: "DHCPV4-RESPONSE",
    36: "ADDR-REG-INFORM",
    37: "ADDR-REG-REPLY",
}
"""Names of message types (RFC 9915, 7.3; RFC 5007, 4.1.1; RFC 5460, 5.2; RFC 6977, 5.1; RFC 7341, 6.1; RFC
9686, 4)."""

CLIENT_ID, SERVER_ID, OPTION_REQUEST = 1, 2, 6
"""Client and server identifiers, which are DUIDs; the codes that a client asks for (RFC 9915, 21.2, 21.3,
21.7)."""

RELAY_MESSAGE = 9
"""The message that is relayed (RFC 9915, 21.10)."""

STATUS_CODE = 13
"""2 octets, and a text (RFC 9915, 21.13)."""

VENDOR_CLASS = 16
"""An enterprise number of 4 octets, and strings with a length of 2 octets each (RFC 9915, 21.16)."""

INTERFACE_ID = 18
"""The relay agent's own name of the interface, which servers give back (RFC 9915, 21.18)."""

REMOTE_ID = 37
"""An enterprise number of 4 octets, and what that enterprise says (RFC 4649, 3)."""

RELAY_ID = 53
"""Who relays: a DUID (RFC 5460, 5.4.1)."""

BOOT_FILE_URL = 59
"""The URL of the boot file (RFC 5970, 3.1)."""

CLIENT_ARCH = 61
"""Client system architecture types, 16-bit numbers in network order (RFC 5970, 3.3)."""

CLIENT_LINK_LAYER_ADDRESS = 79
"""A hardware type of 2 octets, and the client's address (RFC 6939, 4)."""

RELAY_SOURCE_PORT = 135
"""The UDP port that a relay agent sent from, 2 octets (RFC 8357, 4)."""

HTYPE_ETHERNET = b"\0\1"
"""Hardware type of Ethernet, as option 79 has it (IANA ARP parameters)."""

HOP_COUNT_LIMIT = 8
"""A relay agent drops what has this hop-count already (RFC 9915, 7.6 and 19.1.2)."""

MOST_LAYERS = 9
"""RELAY-FORWs around a message that are read: hop-count goes from 0 to 8 (RFC 9915, 7.6)."""

LONGEST_PAYLOAD = 65527
"""Octets of the largest UDP payload without a jumbogram (RFC 8200, 3; RFC 768)."""

LONGEST_DUID = 130
"""Octets of a DUID: its type, and at most 128 (RFC 9915, 11.1)."""

OPTION_HEADER = struct.Struct("!HH")


Option = tuple[int, int, int]
"""Where an option stands in a message: its code, and where its value begins and ends."""


def walk(message: bytes, start: int, end: int, most: int) -> tuple[list[Option], bool]:
    """Return the options between two places, at most so many, and whether these are all of them.

    They are not if one runs past the end, if octets are left over that make no option, or if there are more.
    """
    found: list[Option] = []
    unpack = OPTION_HEADER.unpack_from
    while most and start + 4 <= end:
        code, size = unpack(message, start)
        behind = start + 4 + size
        if behind > end:
            return found, False
        found.append((code, start + 4, behind))
        start = behind
        most -= 1
    return found, start == end


def message_type(message: Message) -> int | None:
    """Return the type of a message; None if it has no octet."""
    return message[TYPE] if len(message) else None


def is_relayed(kind: int | None) -> bool:
    """Whether messages of a type have the header of relay agents."""
    return kind in (RELAY_FORW, RELAY_REPL)


def header_size(kind: int) -> int:
    """Return the octets in front of the options of a message of a type."""
    return RELAY_HEADER_SIZE if is_relayed(kind) else HEADER_SIZE


def is_multicast(address: bytes) -> bool:
    """Whether 16 octets are the address of a group, ff00::/8 (RFC 4291, 2.7)."""
    return address[0] == 0xFF


def is_link_local(address: bytes) -> bool:
    """Whether 16 octets are a link-local address, fe80::/10 (RFC 4291, 2.5.6)."""
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80


_V4_MAPPED = bytes(10) + b"\xff\xff"
"""::ffff:0:0/96 (RFC 4291, 2.5.5.2), which would leave an IPv6 socket as IPv4."""

_LOOPBACK = bytes(15) + b"\1"


def is_one_host(address: bytes) -> bool:
    """Whether 16 octets are what one host on a network may have for its address.

    Unspecified, loopback, multicast and IPv4-mapped addresses are none (RFC 4291, 2.5 and 2.7).
    """
    return not (is_multicast(address) or address in (UNSET, _LOOPBACK) or address.startswith(_V4_MAPPED))
