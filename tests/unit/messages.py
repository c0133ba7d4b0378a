"""DHCP messages for tests, built by offset and apart from the code under test (RFC 2131, 2)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

COOKIE = bytes((99, 130, 83, 99))
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6


def ip(text: str) -> bytes:
    return IPv4Address(text).packed


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def option(code: int, value: bytes) -> bytes:
    return bytes((code, len(value))) + value


def message(
    *,
    op: int = 1,
    htype: int = 1,
    hlen: int = 6,
    hops: int = 0,
    flags: int = 0,
    ciaddr: str = "0.0.0.0",
    yiaddr: str = "0.0.0.0",
    siaddr: str = "0.0.0.0",
    giaddr: str = "0.0.0.0",
    chaddr: str = "02:00:00:00:00:01",
    sname: bytes = b"",
    file: bytes = b"",
    options: bytes | None = b"\xff",
    pad: int = 300,
) -> bytearray:
    """Return a message; `options` follows the magic cookie, None leaves out even that."""
    head = struct.pack("!BBBBIHH", op, htype, hlen, hops, 0x12345678, 0, flags)
    addresses = b"".join(map(ip, (ciaddr, yiaddr, siaddr, giaddr)))
    names = mac(chaddr).ljust(16, b"\0") + sname.ljust(64, b"\0") + file.ljust(128, b"\0")
    tail = b"" if options is None else COOKIE + options
    return bytearray((head + addresses + names + tail).ljust(pad, b"\0"))


def request(
    kind: int = DISCOVER,
    *,
    vendor: bytes | None = b"PXEClient:Arch:00000:UNDI:002001",
    arch: int | None = 0,
    extra: bytes = b"",
    chaddr: str = "02:00:00:00:00:01",
    giaddr: str = "0.0.0.0",
    hops: int = 0,
    htype: int = 1,
    hlen: int = 6,
) -> bytearray:
    """Return a client's request, a PXE one unless `vendor` is None."""
    options = option(53, bytes((kind,))) + extra
    if vendor is not None:
        options += option(60, vendor)
    if arch is not None:
        options += option(93, struct.pack("!H", arch))
    return message(options=options + b"\xff", chaddr=chaddr, giaddr=giaddr, hops=hops, htype=htype, hlen=hlen)


def reply(
    kind: int = OFFER,
    *,
    yiaddr: str = "10.10.10.100",
    ciaddr: str = "0.0.0.0",
    giaddr: str = "10.10.10.1",
    flags: int = 0,
    htype: int = 1,
    hlen: int = 6,
    file: bytes = b"",
    extra: bytes = b"",
) -> bytearray:
    """Return a server's reply to what a client of 10.10.10.0/24 asked."""
    return message(
        op=2,
        yiaddr=yiaddr,
        ciaddr=ciaddr,
        giaddr=giaddr,
        flags=flags,
        htype=htype,
        hlen=hlen,
        file=file,
        options=option(53, bytes((kind,))) + extra + b"\xff",
    )
