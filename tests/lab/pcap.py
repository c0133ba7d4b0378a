"""Captures: libpcap's classic file format with Ethernet frames, as tcpdump -w writes it."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.lab.frames import Datagram, datagrams
from tests.lab.frames6 import datagrams6

_MAGIC = 0xA1B2C3D4
_NANOSECONDS_MAGIC = 0xA1B23C4D
_ETHERNET = 1
_HEADER_SIZE, _RECORD_SIZE = 24, 16


def frames(capture: bytes) -> Iterator[bytes]:
    """Return the frames of a capture in either byte order; ValueError if one was cut short."""
    order = next((order for order in "<>" if capture[:4] in _magics(order)), None)
    if order is None:
        raise ValueError("no capture in libpcap's classic format")
    (link,) = struct.unpack_from(f"{order}I", capture, 20)
    if link != _ETHERNET:
        raise ValueError(f"link type {link} is not Ethernet")
    position = _HEADER_SIZE
    while position < len(capture):
        _, _, kept, size = struct.unpack_from(f"{order}IIII", capture, position)
        start = position + _RECORD_SIZE
        position = start + kept
        if kept != size or position > len(capture):
            raise ValueError("a frame was cut short")
        yield capture[start:position]


def read(path: Path) -> list[Datagram]:
    """Return the UDP datagrams over IPv4 of a capture."""
    return list(datagrams(frames(path.read_bytes())))


def read6(path: Path) -> list[Datagram]:
    """Return the UDP datagrams over IPv6 of a capture."""
    return list(datagrams6(frames(path.read_bytes())))


def written(found: Iterable[bytes], order: str = "<") -> bytes:
    """Return a capture of frames, in the byte order given."""
    capture = struct.pack(f"{order}IHHiIII", _MAGIC, 2, 4, 0, 0, 65535, _ETHERNET)
    for frame in found:
        capture += struct.pack(f"{order}IIII", 0, 0, len(frame), len(frame)) + frame
    return capture


def _magics(order: str) -> tuple[bytes, ...]:
    return tuple(struct.pack(f"{order}I", magic) for magic in (_MAGIC, _NANOSECONDS_MAGIC))
