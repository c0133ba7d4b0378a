"""What the kernel's messages of links, addresses, routes and neighbours say, octet by octet."""

from __future__ import annotations

import struct
from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pxerelay.linux import rtnetlink
from pxerelay.linux.rtnetlink import AddressInfo, LinkInfo, NeighbourInfo, RouteInfo

HEADER = bytes(16)


def attribute(kind: int, value: bytes) -> bytes:
    padding = bytes(-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + value + padding


def number(value: int) -> bytes:
    return struct.pack("=I", value)


NESTED = 0x8000
"""NLA_F_NESTED, which the kernel sets on some attributes and on others not."""

VLAN = (
    HEADER
    + struct.pack("=BxHiII", 0, 1, 7, 0x11043, 0)
    + attribute(3, b"vlan10\0")
    + attribute(4, number(1400))
    + attribute(5, number(2))
    + attribute(10, number(9))
    + attribute(1, b"\2\0\0\0\0\1")
    + attribute(18, attribute(1, b"vlan\0") + attribute(2, attribute(1, struct.pack("=H", 10))))
    + attribute(52 | NESTED, attribute(53, b"clients10\0") + attribute(53, b"enp0s3.10\0"))
    + attribute(1000, b"what nobody knows")
)


def test_a_link_is_read() -> None:
    assert rtnetlink.link(VLAN) == LinkInfo(
        7, "vlan10", 0x11043, 1, 1400, b"\2\0\0\0\0\1", 2, 9, "vlan", ("clients10", "enp0s3.10")
    )


def test_a_link_that_says_little_has_nothing() -> None:
    message = HEADER + struct.pack("=BxHiII", 0, 65534, 3, 0, 0) + attribute(3, b"tun0\0")
    assert rtnetlink.link(message) == LinkInfo(3, "tun0", 0, 65534, 0, b"", 0, 0, "", ())


def test_a_name_that_is_no_utf_8_is_spelled() -> None:
    message = HEADER + struct.pack("=BxHiII", 0, 1, 3, 0, 0) + attribute(3, b"vl\xffan\0")
    assert rtnetlink.link(message).name == "vl\\xffan"


def address(*attributes: bytes, family: int = 2, flags: int = 0x80, scope: int = 0) -> bytes:
    return HEADER + struct.pack("=BBBBI", family, 24, flags, scope, 7) + b"".join(attributes)


def test_an_address_is_read_with_its_scope() -> None:
    own = attribute(2, b"\x0a\x0a\x0a\1")
    assert rtnetlink.address(address(own, scope=253)) == AddressInfo(
        7, IPv4Address("10.10.10.1"), 24, 253, False
    )
    assert rtnetlink.address(address(own, flags=0x81)) == AddressInfo(
        7, IPv4Address("10.10.10.1"), 24, rtnetlink.SCOPE_GLOBAL, True
    )


def test_of_a_link_to_one_other_host_the_local_address_is_ours() -> None:
    other, own = attribute(1, b"\x0a\0\0\2"), attribute(2, b"\x0a\0\0\1")
    for message in (address(other, own), address(own, other)):
        found = rtnetlink.address(message)
        assert found is not None
        assert found.address == IPv4Address("10.0.0.1")


def test_addresses_of_other_families_are_none() -> None:
    assert rtnetlink.address(address(attribute(1, bytes(16)), family=10)) is None


def test_a_route_is_read() -> None:
    message = (
        HEADER
        + struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 254, 0, 0, 1, 0x200)
        + attribute(1, b"\x0a\x14\0\x0a")
        + attribute(4, number(5))
        + attribute(7, b"\x0a\x0a\x0a\1")
        + attribute(5, b"\x0a\x0a\x0a\xfe")
    )
    assert rtnetlink.route(message) == RouteInfo(1, 5, IPv4Address("10.10.10.254"), IPv4Address("10.10.10.1"))


def test_a_neighbour_is_read() -> None:
    message = HEADER + struct.pack("=BxxxiHBB", 2, 5, 0x20, 0, 1) + attribute(1, b"\x0a\x14\0\x0a")
    assert rtnetlink.neighbour(message) == NeighbourInfo(5, IPv4Address("10.20.0.10"), rtnetlink.FAILED)


@pytest.mark.parametrize(("kind", "index"), [(16, 7), (17, 7), (20, 7), (21, 7), (24, None), (2, None)])
def test_a_change_tells_which_link_it_is_about(kind: int, index: int | None) -> None:
    assert rtnetlink.changed_index(kind, HEADER + struct.pack("=IIII", 1, 7, 0, 0)) == index


@given(some.binary(max_size=64))
def test_whatever_octets_there_are_they_are_read_or_are_an_error(octets: bytes) -> None:
    for read in (rtnetlink.link, rtnetlink.address, rtnetlink.route, rtnetlink.neighbour):
        for start in (HEADER, HEADER + bytes(8), HEADER + bytes(12), HEADER + bytes(16)):
            with suppress(ValueError):
                read(start + octets)


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_an_attribute_that_is_not_all_there_is_an_error(length: int) -> None:
    message = HEADER + bytes(16) + struct.pack("=HH", length, 3) + b"ab\0\0"
    with pytest.raises(ValueError, match=f"says that it has {length} octets, and 8 are there"):
        rtnetlink.link(message)


def test_questions_are_as_the_kernel_wants_them() -> None:
    assert rtnetlink.ask_link(7) == bytes(4) + number(7) + bytes(8) + attribute(29, number(8))
    assert rtnetlink.ask_links() == bytes(16) + attribute(29, number(8))
    assert rtnetlink.ask_addresses(7) == b"\2\0\0\0" + number(7)
    assert rtnetlink.ask_neighbours() == b"\2" + bytes(11)
    ask = rtnetlink.ask_route(IPv4Address("10.20.0.10"), IPv4Address("10.10.10.1"), by=4)
    assert ask == b"\2\x20\x20" + bytes(9) + (
        attribute(1, b"\x0a\x14\0\x0a") + attribute(2, b"\x0a\x0a\x0a\1") + attribute(4, number(4))
    )
    ask = rtnetlink.ask_route(IPv4Address("10.20.0.10"), arriving_on=4)
    assert ask == b"\2\x20\0" + bytes(9) + attribute(1, b"\x0a\x14\0\x0a") + attribute(3, number(4))
