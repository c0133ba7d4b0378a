"""Frames as they leave the machine."""

from __future__ import annotations

from pxerelay.wire.batch import number
from pxerelay.wire.frames import HEADERS_SIZE, Framing, Reply

OWN_HARDWARE = bytes.fromhex("0200000000fe")


def frames_of(
    message: bytes | bytearray | memoryview,
    *,
    source: bytes,
    destination: bytes,
    hardware: bytes = b"\xff" * 6,
    mtu: int = 1500,
    identification: int = 1,
) -> list[bytes]:
    """Return the Ethernet frames of a reply."""
    framing = Framing(source, OWN_HARDWARE, mtu)
    one = Reply(message, number(destination), hardware)
    if len(message) > framing.largest:
        return framing.fragments(one, identification)
    room = bytearray(b"\xaa" * (HEADERS_SIZE + len(message) + 150))
    ((start, end),) = framing.write(room, 20, [one], identification)
    assert room[:start] + room[end:] == b"\xaa" * 150, "nothing is written beside it"
    return [bytes(room[start:end])]
