"""Frames as they leave the machine: made by pxerelay, finished as the kernel or a device does."""

from __future__ import annotations

import struct

from pxerelay.wire.batch import number
from pxerelay.wire.frames import HEADERS_SIZE, TASK, Framing, Reply
from tests.lab.frames import internet_sum

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
        return list(map(finished, framing.fragments(one, identification)))
    room = bytearray(b"\xaa" * (HEADERS_SIZE + len(message) + 150))
    ((start, end),) = framing.write(room, 20, [one], identification)
    assert room[:start] + room[end:] == b"\xaa" * 150, "nothing is written beside it"
    return [finished(bytes(room[start:end]))]


def finished(octets: bytes) -> bytes:
    """Do what a virtio_net_hdr asks for, and return the frame behind it (packet(7), PACKET_VNET_HDR)."""
    flags, segmented, _, _, start, offset = TASK.unpack_from(octets)
    frame = bytearray(octets[TASK.size :])
    assert not segmented
    if flags == 1:
        total = 0xFFFF - internet_sum(bytes(frame[start:]))
        frame[start + offset : start + offset + 2] = struct.pack("!H", total or 0xFFFF)
    else:
        assert not flags
    return bytes(frame)
