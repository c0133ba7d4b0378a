"""Captures in pcapng (draft-ietf-opsawg-pcapng): sections of blocks, each with its type and length.

A section has a byte order and interfaces of its own; an interface has a link type, a scale of time and
perhaps a name. Blocks of other types are passed over, as the format wants it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pxerelay.tools.simulate.octets import DamagedError, Octets
from pxerelay.wire.dissect import Frame

MAGIC = b"\x0a\x0d\x0d\x0a"
"""The type of a section header, which a file begins with; it reads alike in either byte order."""

_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
"""Byte orders by how a section's byte order magic reads."""

_INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED = 1, 2, 3, 6
"""Types of blocks that matter here."""

_SHORTEST_BLOCK, _SHORTEST_SECTION = 12, 28

_NAME, _RESOLUTION, _OFFSET = 2, 9, 14
"""Options of an interface: its name, the parts of a second that times count, and seconds to be added."""


_LONGEST_NAME = 128
"""Characters of an interface's name; Linux's alternative ones have 127 at most (ip-link(8))."""


class _Interface(NamedTuple):
    """Where packets were heard. `snaplen` is how many octets of one are kept, 0 for all."""

    link: int
    snaplen: int
    name: str | None = None
    parts: int = 10**6
    offset: int = 0


@dataclass
class _Section:
    order: str = "<"
    interfaces: list[_Interface] = field(default_factory=list)

    def unpack(self, form: str, octets: bytes) -> tuple[int, ...]:
        """Read what a block begins with; DamagedError if it has less."""
        size = struct.calcsize(f"{self.order}{form}")
        if len(octets) < size:
            raise DamagedError(f"a block has {len(octets)} octets where {size} are due")
        return struct.unpack_from(f"{self.order}{form}", octets)

    def interface(self, number: int) -> _Interface:
        """Return an interface; DamagedError if the section has told of none of that number."""
        if number >= len(self.interfaces):
            raise DamagedError(f"a packet of interface {number}, where there are {len(self.interfaces)}")
        return self.interfaces[number]


def frames(octets: Octets) -> Iterator[Frame]:
    """Yield the packets of a file, of which the first four octets, `MAGIC`, have been read."""
    section, number = _section(octets), 0
    while kind := octets.begin(4):
        if kind == MAGIC:
            section = _section(octets)
            continue
        (code,) = section.unpack("I", kind)
        body = _body(section, octets)
        if code == _INTERFACE:
            section.interfaces.append(_interface(section, body))
        elif code in (_ENHANCED, _OBSOLETE, _SIMPLE):
            number += 1
            yield _packet(section, code, body, number)


def _section(octets: Octets) -> _Section:
    head = octets.read(8)
    order = _ORDERS.get(head[4:])
    if order is None:
        raise DamagedError("a section with no byte order magic")
    section = _Section(order)
    (length,) = section.unpack("I", head)
    if length < _SHORTEST_SECTION or length % 4:
        raise DamagedError(f"a section header of {length} octets")
    major, _ = section.unpack("HH", octets.read(length - 16))
    if major != 1:
        raise DamagedError(f"a section in version {major} of the format")
    _check_end(section, length, octets)
    return section


def _body(section: _Section, octets: Octets) -> bytes:
    (length,) = section.unpack("I", octets.read(4))
    if length < _SHORTEST_BLOCK or length % 4:
        raise DamagedError(f"a block of {length} octets")
    body = octets.read(length - _SHORTEST_BLOCK)
    _check_end(section, length, octets)
    return body


def _check_end(section: _Section, length: int, octets: Octets) -> None:
    """Read the length that stands behind a block, too."""
    (again,) = section.unpack("I", octets.read(4))
    if again != length:
        raise DamagedError(f"a block of {length} octets at whose end stands {again}")


def _interface(section: _Section, body: bytes) -> _Interface:
    link, _, snaplen = section.unpack("HHI", body)
    found = _Interface(link, snaplen)
    for code, value in _options(section, body[8:]):
        if code == _NAME:
            text = value.decode("utf-8", "replace").rstrip("\0")
            if 0 < len(text) <= _LONGEST_NAME and text.isprintable():
                found = found._replace(name=text)
        elif code == _RESOLUTION and len(value) == 1:
            found = found._replace(parts=(2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F))
        elif code == _OFFSET and len(value) == 8:
            found = found._replace(offset=struct.unpack(f"{section.order}q", value)[0])
    return found


def _options(section: _Section, octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield options by code, up to their end or to one that does not fit."""
    at = 0
    while at + 4 <= len(octets):
        code, length = section.unpack("HH", octets[at : at + 4])
        value = octets[at + 4 : at + 4 + length]
        if not code or len(value) < length:
            return
        yield code, value
        at += 4 + length + -length % 4


def _packet(section: _Section, code: int, body: bytes, number: int) -> Frame:
    """Return the packet of a block; one that is simple is of the first interface and has no time."""
    if code == _SIMPLE:
        (size,) = section.unpack("I", body)
        interface = section.interface(0)
        kept = min(size, interface.snaplen or size)
        return Frame(number, 0.0, interface.link, body[4 : 4 + kept], interface.name)
    if code == _ENHANCED:
        which, high, low, kept, _ = section.unpack("5I", body)
    else:
        which, _, high, low, kept, _ = section.unpack("HH4I", body)
    interface = section.interface(which)
    if kept > len(body) - 20:
        raise DamagedError(f"a packet of {kept} octets in a block that has {len(body) - 20} for it")
    time = (high << 32 | low) / interface.parts + interface.offset
    return Frame(number, time, interface.link, body[20 : 20 + kept], interface.name)
