"""Captures for tests, written by offset: pcap with any link type, pcapng, and frames of other link layers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from tests.lab import frames as ethernet

ETHERNET, RAW, SLL, SLL2 = 1, 101, 113, 276
"""Link types (tcpdump.org's link-layer header types)."""

SECONDS = 1_780_000_000
"""When the first packet was heard; each other one a second later."""


def tagged(frame: bytes, *vlans: int, kind: int = 0x8100) -> bytes:
    """Return an Ethernet frame with VLAN tags, the outer one first."""
    return frame[:12] + b"".join(struct.pack("!HH", kind, vlan) for vlan in vlans) + frame[12:]


def raw(frame: bytes) -> bytes:
    """Return the IP packet of an Ethernet frame."""
    return frame[14:]


def sll(frame: bytes) -> bytes:
    """Return an Ethernet frame, tags included, as `tcpdump -i any` wrote it for long."""
    return struct.pack("!HHH", 1, 1, 6) + frame[6:12] + bytes(2) + frame[12:]


def sll2(frame: bytes) -> bytes:
    """Return an Ethernet frame as `tcpdump -i any` writes it now."""
    return frame[12:14] + bytes(2) + struct.pack("!IHBB", 3, 1, 1, 6) + frame[6:12] + bytes(2) + frame[14:]


def pcap(
    frames: Iterable[bytes],
    link: int = ETHERNET,
    order: str = "<",
    *,
    nano: bool = False,
    modified: bool = False,
    seconds: Sequence[int] = (),
) -> bytes:
    """Return a capture in libpcap's classic format; `seconds` are the times, else each is a second later.

    `modified` is the form that some distributions' libpcap once wrote, with 8 octets more for each packet.
    """
    magic = 0xA1B2CD34 if modified else 0xA1B23C4D if nano else 0xA1B2C3D4
    capture = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for at, frame in enumerate(frames):
        when = SECONDS + (seconds[at] if seconds else at)
        capture += struct.pack(f"{order}IIII", when, 500, len(frame), len(frame))
        capture += struct.pack(f"{order}IHBB", 2, 0x0800, 4, 0) if modified else b""
        capture += frame
    return capture


def pcapng(
    interfaces: Sequence[tuple[int, str]],
    frames: Iterable[tuple[int, bytes]],
    order: str = "<",
    *,
    simple: bool = False,
) -> bytes:
    """Return a pcapng capture of interfaces, by link type and name, and frames heard on them by number.

    The interfaces have snaplen 0, which is no bound. `simple` blocks tell neither time nor interface.
    """
    capture = _block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link, name in interfaces:
        option = struct.pack(f"{order}HH", 2, len(name)) + _padded(name.encode()) + bytes(4) if name else b""
        capture += _block(order, 1, struct.pack(f"{order}HHI", link, 0, 0) + option)
    for at, (interface, frame) in enumerate(frames):
        if simple:
            capture += _block(order, 3, struct.pack(f"{order}I", len(frame)) + _padded(frame))
            continue
        ticks = (SECONDS + at) * 1_000_000
        head = struct.pack(
            f"{order}IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
        )
        capture += _block(order, 6, head + _padded(frame))
    return capture


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def asked(message: bytes | bytearray, **how: object) -> bytes:
    """Return the one frame of a request."""
    (frame,) = ethernet.frames(message, **how)  # type: ignore[arg-type]
    return frame
