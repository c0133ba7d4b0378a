"""Captured frames to DHCPv6 datagrams, whatever is around them."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pxerelay.wire import dissect6
from pxerelay.wire.dissect import Frame
from pxerelay.wire.dissect6 import Datagram6
from pxerelay.wire.layers import LINK_TYPES
from tests.unit import written
from tests.unit.messages6 import GROUP, boot, ip6

CLIENT, MAC = ip6("fe80::ff:fe00:1"), bytes.fromhex("020000000001")


def ip(
    payload: bytes,
    *,
    between: bytes = b"",
    first: int = 17,
    ports: tuple[int, int] = (546, 547),
    more: int = 0,
) -> bytes:
    udp = struct.pack("!HHHH", *ports, 8 + len(payload) + more, 0) + payload
    body = between + udp
    return struct.pack("!IHBB", 6 << 28, len(body), first, 255) + CLIENT + GROUP + body


def frame(packet: bytes) -> bytes:
    return bytes.fromhex("333300010002") + MAC + b"\x86\xdd" + packet


def read(octets: bytes, link: int = written.ETHERNET) -> Datagram6 | None:
    return dissect6.of_frame(Frame(7, 1.5, link, octets, "vlan10"))


def test_a_message_is_read_with_where_its_frame_came_from() -> None:
    assert read(frame(ip(boot()))) == Datagram6(7, 1.5, "vlan10", (), CLIENT, GROUP, 546, 547, boot(), MAC)


@pytest.mark.parametrize(
    ("link", "wrapped", "mac"),
    [
        (written.SLL, written.sll, MAC),
        (written.SLL2, written.sll2, MAC),
        (written.RAW, written.raw, None),
    ],
)
def test_other_links(link: int, wrapped: Callable[[bytes], bytes], mac: bytes | None) -> None:
    found = read(wrapped(frame(ip(boot()))), link)
    assert found
    assert (found.payload, found.mac) == (boot(), mac)


def test_tags_are_told() -> None:
    found = read(written.tagged(frame(ip(boot())), 100, 10))
    assert found
    assert (found.tags, found.mac) == ((100, 10), MAC)


@pytest.mark.parametrize(
    ("first", "between"),
    [
        (0, b"\x11\0" + bytes(6)),
        (60, b"\x11\x01" + bytes(14)),
        (0, b"\x3c\0" + bytes(6) + b"\x11\0" + bytes(6)),
    ],
)
def test_extension_headers_are_passed_over(first: int, between: bytes) -> None:
    found = read(frame(ip(boot(), first=first, between=between)))
    assert found
    assert found.payload == boot()


@pytest.mark.parametrize(
    "octets",
    [
        frame(ip(boot(), ports=(546, 67))),
        frame(ip(boot(), first=6)),
        frame(ip(boot(), more=1)),
        frame(ip(boot(), first=44, between=b"\x11\0" + bytes(6))),
        frame(ip(boot()))[:-1],
        frame(ip(boot()))[:50],
        frame(b"\x45" + ip(boot())[1:]),
        frame(ip(boot())).replace(b"\x86\xdd", b"\x08\x00", 1),
        b"",
    ],
)
def test_what_is_no_whole_message_is_none(octets: bytes) -> None:
    assert read(octets) is None


@given(some.sampled_from(sorted(LINK_TYPES)), some.binary(max_size=120))
def test_no_octets_make_it_raise(link: int, octets: bytes) -> None:
    read(octets, link)
    read(frame(ip(boot()))[: len(octets)] + octets, link)
