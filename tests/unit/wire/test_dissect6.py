"""Captured frames to DHCPv6 datagrams, whatever is around them."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pxerelay.wire.dissect import Datagram, Frame, datagrams, datagrams_of_both
from pxerelay.wire.dissect6 import Datagram6
from pxerelay.wire.layers import LINK_TYPES, Other
from tests.unit import written
from tests.unit.messages import request
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
    (found,) = datagrams_of_both([Frame(7, 1.5, link, octets, "vlan10")])
    return found if isinstance(found, Datagram6) and found.is_whole else None


def test_a_message_is_read_with_where_its_frame_came_from() -> None:
    assert read(frame(ip(boot()))) == Datagram6(
        7, 1.5, "vlan10", (), CLIENT, GROUP, 546, 547, boot(), len(boot()), MAC
    )


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
        frame(ip(boot(), first=6)),
        frame(ip(boot(), more=1)),
        frame(ip(boot(), first=44, between=b"\x11\0\0\1" + bytes(4))),
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


def every(*frames: bytes, link: int = written.ETHERNET) -> list[Datagram6 | str]:
    """Return the DHCPv6 datagram that each frame brings, or what else it is called."""
    numbered = (Frame(at, at / 10, link, octets, "vlan10") for at, octets in enumerate(frames, 1))
    found = datagrams_of_both(numbered)
    return [one.name if isinstance(one, Other) else one for one in found if not isinstance(one, Datagram)]


def fragments(
    packet: bytes, size: int, *, unfragmentable: bytes = b"", identification: int = 7
) -> list[bytes]:
    """Return the packets that a host makes of one (RFC 8200, 4.5); `size` is a multiple of 8."""
    head, kind, body = packet[:40], packet[6], packet[40:]
    parts = []
    for start in range(0, len(body), size):
        part = body[start : start + size]
        more = start + size < len(body)
        header = struct.pack("!BBHI", kind, 0, start | more, identification)
        whole = unfragmentable + header + part
        first = 0 if unfragmentable else 44
        parts.append(head[:4] + struct.pack("!HB", len(whole), first) + head[7:] + whole)
    return parts


LARGE = boot() + bytes.fromhex("00110320") + bytes(800)
"""A message with an option 17 that makes it large."""


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_fragments_are_put_together_in_any_order(order: tuple[int, ...]) -> None:
    parts = fragments(ip(LARGE), 320)
    found = every(*(frame(parts[at]) for at in order))
    assert found[:2] == ["fragment", "fragment"]
    assert isinstance(found[2], Datagram6)
    assert (found[2].payload, found[2].mac, found[2].number) == (LARGE, MAC, 3)


def test_headers_in_front_of_fragments_and_behind_them() -> None:
    """Hop-by-hop options stand in front of each fragment, destination options in what they make."""
    whole = ip(LARGE, first=60, between=b"\x11\0" + bytes(6))
    parts = fragments(whole, 400, unfragmentable=b"\x2c\0" + bytes(6))
    found = every(*map(frame, parts))[-1]
    assert isinstance(found, Datagram6)
    assert found.payload == LARGE


def test_fragments_of_two_packets_are_kept_apart() -> None:
    one, other = fragments(ip(LARGE), 400), fragments(ip(LARGE), 400, identification=8)
    mixed = [frame(part) for pair in zip(one, other, strict=True) for part in pair]
    assert sum(isinstance(found, Datagram6) for found in every(*mixed)) == 2


def test_a_fragment_that_is_whole_is_one() -> None:
    """Some hosts put a fragment header in front of what is no fragment (RFC 6946)."""
    atomic = ip(boot(), first=44, between=b"\x11\0\0\0" + bytes(4))
    assert isinstance(every(frame(atomic))[0], Datagram6)


ROUTING = b"\x11\x02\x04\0" + bytes(20)
AUTHENTICATION = b"\x11\x04" + bytes(22)


@pytest.mark.parametrize(("first", "between"), [(43, ROUTING), (51, AUTHENTICATION)])
def test_routing_and_authentication_headers(first: int, between: bytes) -> None:
    found = read(frame(ip(boot(), first=first, between=between)))
    assert found
    assert found.payload == boot()


def outer4(kind: int, inside: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inside), 1, 0, 64, kind, 0)
    return frame(head + bytes((192, 0, 2, 1, 192, 0, 2, 2)) + inside).replace(b"\x86\xdd", b"\x08\0", 1)


def outer6(kind: int, inside: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(inside), kind, 64) + CLIENT + GROUP + inside


def udp_to(port: int, inside: bytes) -> bytes:
    return struct.pack("!HHHH", 1234, port, 8 + len(inside), 0) + inside


GRE6, GRE_FRAME, VXLAN = b"\0\0\x86\xdd", b"\0\0\x65\x58", b"\x08" + bytes(7)
TUNNELS: dict[str, tuple[bytes, bytes | None]] = {
    "6in4": (outer4(41, ip(boot())), None),
    "gre": (outer4(47, GRE6 + ip(boot())), None),
    "gretap": (outer4(47, GRE_FRAME + frame(ip(boot()))), MAC),
    "vxlan": (outer4(17, udp_to(4789, VXLAN + frame(ip(boot())))), MAC),
    "vxlan over IPv6": (frame(ip(VXLAN + frame(ip(boot())), ports=(1234, 4789))), MAC),
    "gre over IPv6": (frame(outer6(47, GRE6 + ip(boot()))), None),
    "mpls": (frame(b"\0\1\1\x40" + ip(boot())).replace(b"\x86\xdd", b"\x88\x47", 1), None),
    "pppoe": (frame(b"\x11\0\0\7\0\0\0\x57" + ip(boot())).replace(b"\x86\xdd", b"\x88\x64", 1), None),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels_and_whose_frame_is_inside(name: str) -> None:
    octets, mac = TUNNELS[name]
    found = read(octets)
    assert found
    assert (found.payload, found.mac, found.interface) == (boot(), mac, None)


def test_a_packet_heard_on_two_interfaces_of_one_host_counts_once() -> None:
    octets = written.sll2(frame(ip(boot())))
    twice = [Frame(at, 1.0 + at / 1000, written.SLL2, octets, None) for at in (1, 2)]
    first, second = datagrams_of_both(twice)
    assert isinstance(first, Datagram6)
    assert second == Other("heard twice")


def test_what_is_no_udp_is_counted_under_its_name() -> None:
    assert every(frame(ip(boot(), first=58)), frame(ip(boot(), first=59)), frame(ip(boot())[:20])) == [
        "ICMPv6",
        "IP protocol 59",
        "cut short",
    ]


def test_dhcpv4_goes_on_to_be_read_beside_it() -> None:
    both = list(
        datagrams_of_both(
            [
                Frame(1, 0.0, written.ETHERNET, written.asked(request()), None),
                Frame(2, 0.0, written.ETHERNET, frame(ip(boot())), None),
            ]
        )
    )
    assert [type(one) for one in both] == [Datagram, Datagram6]
    four = list(datagrams([Frame(1, 0.0, written.ETHERNET, frame(ip(boot())), None)]))
    assert four == [Other("IPv6")]
