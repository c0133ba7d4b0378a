"""BOOTP and DHCP messages, read and patched where they lie.

Nothing here makes a copy of a message or writes one anew: the relay may change hops and giaddr and
nothing else (RFC 1542, 4.1). The fixed header is read by offset (RFC 951, 3; RFC 2131, 2):

    0   1      2     3     4    8     10     12      16      20      24      28      44     108   236
    op  htype  hlen  hops  xid  secs  flags  ciaddr  yiaddr  siaddr  giaddr  chaddr  sname  file  options

The options area is read by one bounded reader, `walk`; `facts` has what it finds.
"""

from __future__ import annotations

import re

from pxerelay.wire.mac import MAC_OCTETS

Message = bytes | bytearray | memoryview
"""One UDP payload, from its op octet on."""

Transaction = tuple[bytes, bytes]
"""xid and chaddr (RFC 2131, 2)."""

OP, HTYPE, HLEN, HOPS = 0, 1, 2, 3
XID = slice(4, 8)
FLAGS = 10
CIADDR = slice(12, 16)
YIADDR = slice(16, 20)
SIADDR = slice(20, 24)
GIADDR = slice(24, 28)
CHADDR_START = 28
CHADDR = slice(28, 44)
SNAME = slice(44, 108)
FILE = slice(108, 236)

HEADER_SIZE = 236
"""Octets of the fixed header; a shorter message is no BOOTP message (RFC 951, 3)."""

OPTIONS = 240
"""Where options begin, behind the magic cookie (RFC 2131, 3)."""

MAX_HLEN = 16
"""Octets that chaddr has room for (RFC 951, 3)."""

BOOTREQUEST, BOOTREPLY = 1, 2
"""Values of op (RFC 951, 3)."""

HTYPE_ETHERNET = 1
"""Hardware type of Ethernet (IANA ARP parameters, RFC 1700)."""

BROADCAST_FLAG = 0x80
"""The B bit, in the first octet of flags (RFC 2131, 2, figure 2)."""

UNSET = bytes(4)
"""An address field that holds no address."""

SERVER_PORT, CLIENT_PORT = 67, 68
"""UDP ports of servers and relay agents, and of clients (RFC 951, 4)."""

MAGIC_COOKIE = b"\x63\x82\x53\x63"
"""What the options area begins with (RFC 2131, 3)."""

PAD, END = 0, 255
"""Options of one octet (RFC 2132, 3.1 and 3.2)."""

OVERLOAD = 52
"""1: file holds options too; 2: sname does; 3: both (RFC 2132, 9.3)."""

AGENT_INFORMATION = 82
"""Relay agent information (RFC 3046, 2.0)."""

CLIENT_IDENTIFIER = 61
"""What a client calls itself; one with no hardware address of its own must have it (RFC 4390, 2)."""

MESSAGE_TYPE = 53
"""One octet (RFC 2132, 9.6)."""

SERVER_IDENTIFIER = 54
"""The server that a message is from, or that a client has chosen (RFC 2132, 9.7)."""

VENDOR_CLASS = 60
"""Vendor class identifier, a text (RFC 2132, 9.13)."""

BOOT_FILE = 67
"""Boot file name, where the file field holds options (RFC 2132, 9.5)."""

CLIENT_ARCH = 93
"""Client system architecture types, 16-bit numbers in network order (RFC 4578, 2.1)."""

DHCPDISCOVER = 1
"""The message type of a client that looks for servers (RFC 2132, 9.6)."""

DHCPREQUEST = 3
"""The message type of a client that takes an offer, or extends its lease (RFC 2132, 9.6)."""

DHCPNAK = 6
"""The message type of a refusal (RFC 2132, 9.6)."""

MESSAGE_NAMES = {
    1: "DISCOVER",
    2: "OFFER",
    3: "REQUEST",
    4: "DECLINE",
    5: "ACK",
    6: "NAK",
    7: "RELEASE",
    8: "INFORM",
    9: "FORCERENEW",
    10: "LEASEQUERY",
    11: "LEASEUNASSIGNED",
    12: "LEASEUNKNOWN",
    13: "LEASEACTIVE",
}
"""Names of message types (RFC 2132, 9.6; RFC 3203, 4; RFC 4388, 6.1)."""

PXE_VENDOR_CLASSES = (b"PXEClient", b"HTTPClient")
"""How option 60 of network boot firmware begins (PXE 2.1, 2.2.1; UEFI 2.10, 24.7.2)."""


MOST_OPTIONS = 255
"""Options of an area that `walk` returns if nothing else is said. There are 254 codes (RFC 2132, 2)."""

_NO_PAD = re.compile(rb"[^\0]")


def walk(area: bytes, most: int = MOST_OPTIONS) -> list[tuple[int, int, int]]:
    """Return each option of an area: its code, where it begins, where it ends; END is the last, if there.

    The value is what stands behind two octets. An option that ends behind the area is cut off, and the last.
    So is what stands for all that are more than `most`, which has the code PAD; pads in a row that something
    follows count as one.
    """
    found: list[tuple[int, int, int]] = []
    start, size = 0, len(area)
    while start < size:
        code = area[start]
        if code == END:
            found.append((END, start, start + 1))
            break
        if code == PAD:
            match = _NO_PAD.search(area, start)
            if match is None:
                break
            most, start = most - 1, match.start()
            continue
        if most <= 0:
            found.append((PAD, start, size + 1))
            break
        end = start + 2 + (area[start + 1] if start + 1 < size else 0)
        found.append((code, start, end))
        most, start = most - 1, end
    return found


def is_request(message: Message) -> bool:
    """Whether a message has a whole header, and is a client's."""
    return len(message) >= HEADER_SIZE and message[OP] == BOOTREQUEST


def transaction(message: Message) -> Transaction:
    """Return what a request and the replies to it have in common."""
    return bytes(message[XID]), bytes(message[CHADDR])


def ethernet_chaddr(message: Message) -> bytes | None:
    """Return the client's Ethernet address; None for another hardware type or length."""
    if message[HTYPE] == HTYPE_ETHERNET and message[HLEN] == MAC_OCTETS:
        return bytes(message[CHADDR_START : CHADDR_START + MAC_OCTETS])
    return None


def vendor_class(found: dict[int, bytes]) -> bytes:
    """Return option 60, empty if absent."""
    return found.get(VENDOR_CLASS, b"")


def architectures(found: dict[int, bytes]) -> tuple[int, ...]:
    """Return the numbers of option 93."""
    return numbers_in(found.get(CLIENT_ARCH, b""))


def numbers_in(raw: bytes) -> tuple[int, ...]:
    """Return the 16-bit numbers that octets spell; an odd one at their end is ignored."""
    return tuple(raw[at] << 8 | raw[at + 1] for at in range(0, len(raw) - 1, 2))


def is_pxe(vendor: bytes) -> bool:
    """Whether a client with this option 60 is booting from the network."""
    return vendor.startswith(PXE_VENDOR_CLASSES)


def boot_file(message: Message, found: dict[int, bytes]) -> str:
    """Return the boot file a reply names, in its file field or option 67, printable; empty if none."""
    raw = found.get(BOOT_FILE, b"")
    if not raw and found.get(OVERLOAD, b"\0")[-1:] not in (b"\1", b"\3"):
        raw = bytes(message[FILE])  # else the field holds options, not a name
    text = raw.split(b"\0")[0].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def message_type(found: dict[int, bytes]) -> int | None:
    """Return option 53; None for BOOTP or a wrong length."""
    raw = found.get(MESSAGE_TYPE, b"")
    return raw[0] if len(raw) == 1 else None
