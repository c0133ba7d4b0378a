"""Captures in libpcap's classic format (draft-ietf-opsawg-pcap).

A file has a header of 24 octets (its magic number first, the link type last), a packet one of 16: seconds,
micro- or nanoseconds, octets kept, octets on the wire. The byte order is that of the host that wrote it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from pxerelay.tools.simulate.octets import MOST, DamagedError, Octets
from pxerelay.wire.dissect import Frame


class _Form(NamedTuple):
    """A byte order, how many parts a second has, and how many octets more a packet's header has."""

    order: str
    parts: float
    more: int = 0


_FORMS = {
    magic.to_bytes(4, "big" if order == ">" else "little"): _Form(order, parts, more)
    for magic, parts, more in ((0xA1B2C3D4, 1e6, 0), (0xA1B23C4D, 1e9, 0), (0xA1B2CD34, 1e6, 8))
    for order in "<>"
}
"""What the magic number says. The third is of a libpcap that some distributions shipped about the year 2000
("modified", as Wireshark calls it): its packets have an interface's index, a protocol and a kind besides."""

MAGICS = frozenset(_FORMS)
"""What such files begin with."""

_LINK = 0x03FFFFFF
"""The link type; above it stands whether frames end in a checksum, and how long that is."""


def link_and_frames(magic: bytes, octets: Octets) -> tuple[int, Iterator[Frame]]:
    """Return the link type and the packets of a file, whose magic number has been read."""
    form = _FORMS[magic]
    (link,) = struct.unpack_from(f"{form.order}I", octets.read(20), 16)
    return link & _LINK, _frames(form, link & _LINK, octets)


def _frames(form: _Form, link: int, octets: Octets) -> Iterator[Frame]:
    number = 0
    while header := octets.begin(16 + form.more):
        seconds, parts, kept, _ = struct.unpack_from(f"{form.order}IIII", header)
        frame = octets.read(kept)
        if kept > MOST:
            raise DamagedError(f"a packet of {kept} octets")
        number += 1
        yield Frame(number, seconds + parts / form.parts, link, frame)
