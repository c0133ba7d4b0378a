"""DHCPv6 messages for tests, built by offset and apart from the code under test (RFC 9915, 8, 9 and 21)."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

SOLICIT, ADVERTISE, REQUEST, REPLY, RELEASE, RECONFIGURE, INFORMATION_REQUEST = 1, 2, 3, 7, 8, 10, 11
RELAY_FORW, RELAY_REPL = 12, 13

GROUP = IPv6Address("ff02::1:2").packed

XID = b"\x12\x34\x56"
DUID = bytes.fromhex("00030001020000000001")
SERVER_DUID = bytes.fromhex("00030001020000000b01")
PXE = b"PXEClient:Arch:00007:UNDI:003000"


def ip6(text: str) -> bytes:
    return IPv6Address(text).packed


def option(code: int, value: bytes = b"") -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def vendor_class(*strings: bytes, enterprise: int = 343) -> bytes:
    """Option 16, as firmware has it with Intel's enterprise number."""
    return option(
        16, struct.pack("!I", enterprise) + b"".join(struct.pack("!H", len(one)) + one for one in strings)
    )


def arch(*numbers: int) -> bytes:
    """Option 61."""
    return option(61, struct.pack(f"!{len(numbers)}H", *numbers))


def asks_for(*codes: int) -> bytes:
    """Option 6."""
    return option(6, struct.pack(f"!{len(codes)}H", *codes))


IA = option(3, struct.pack("!III", 0x01020304, 0, 0))


def message(kind: int = SOLICIT, options: bytes = b"", *, duid: bytes | None = DUID) -> bytes:
    """Return a client's message, or a server's to a client."""
    client = b"" if duid is None else option(1, duid)
    return bytes((kind,)) + XID + client + options


def boot(kind: int = SOLICIT, extra: bytes = b"", *, vendor: bytes = PXE, number: int = 7) -> bytes:
    """Return a message of network boot firmware."""
    return message(kind, IA + asks_for(59, 60, 23, 16) + arch(number) + vendor_class(vendor) + extra)


def plain(kind: int = SOLICIT, extra: bytes = b"") -> bytes:
    """Return a message of an operating system, which says nothing of booting."""
    return message(kind, IA + asks_for(23, 24) + extra)


def release(kind: int = RELEASE) -> bytes:
    """Return a message that names its server and says no more (OVMF's RELEASE has options 1, 2, 8 and 3)."""
    return message(kind, option(2, SERVER_DUID) + option(8, b"\0\0") + IA)


def relayed(
    inside: bytes,
    *,
    hops: int = 0,
    link: str = "::",
    peer: str = "fe80::ff:fe00:1",
    front: bytes = b"",
    behind: bytes = b"",
    kind: int = RELAY_FORW,
) -> bytes:
    """Return a RELAY-FORW, or a RELAY-REPL, around a message; options in front of it and behind it."""
    head = bytes((kind, hops)) + ip6(link) + ip6(peer)
    return head + front + option(9, inside) + behind


def hardware(mac: str, htype: int = 1) -> bytes:
    """Return option 79."""
    return option(79, struct.pack("!H", htype) + bytes.fromhex(mac.replace(":", "")))


def options_of(octets: bytes, start: int) -> list[tuple[int, bytes]]:
    """Return the options behind a header, which must be whole."""
    found = []
    while start < len(octets):
        code, size = struct.unpack_from("!HH", octets, start)
        assert start + 4 + size <= len(octets)
        found.append((code, octets[start + 4 : start + 4 + size]))
        start += 4 + size
    return found
