"""What is around an IPv4 packet: each layer by its octets, and nothing else than packets or names."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pxerelay.wire import layers
from pxerelay.wire.dissect import Datagram, Frame, datagrams
from pxerelay.wire.layers import LINK_TYPES, Other, Packet
from tests.unit import written
from tests.unit.messages import request
from tests.unit.written import ETHERNET, asked, tagged

MESSAGE = bytes(request())
FRAME = asked(MESSAGE)
IP = FRAME[14:]
ADDRESSES = FRAME[:12]


def udp(port: int, payload: bytes) -> bytes:
    """Return the IP packet of a datagram between two hosts."""
    return written.raw(asked(payload, source="192.0.2.1", destination="192.0.2.2", ports=(40000, port)))


def ip(protocol: int, body: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0)
    return head + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + body


def of(kind: int, body: bytes) -> bytes:
    """Return an Ethernet frame."""
    return ADDRESSES + struct.pack("!H", kind) + body


def heard(frame: bytes, link: int = ETHERNET) -> Datagram | Other:
    (found,) = datagrams([Frame(1, 0.0, link, frame, "eth0")])
    return found


SNAP = ADDRESSES + struct.pack("!H", 8 + len(IP)) + b"\xaa\xaa\x03\0\0\0\x08\0" + IP
PPP = struct.pack("!BBHHH", 0x11, 0, 1, 2 + len(IP), 0x0021) + IP
LABELS = struct.pack("!II", 100 << 12 | 64, 200 << 12 | 0x100 | 64)
ERSPAN_3 = struct.pack("!HHI", 0x1000, 0x22EB, 1)

WRAPPED = {
    "pppoe": of(0x8864, PPP),
    "mpls": of(0x8847, LABELS + IP),
    "pseudowire with a control word": of(0x8847, LABELS + bytes(4) + FRAME),
    "pseudowire without one": of(0x8847, LABELS + FRAME),
    "pseudowire without one to an address of zeros": of(0x8847, LABELS + bytes(6) + FRAME[6:]),
    "vxlan": of(0x0800, udp(4789, b"\x08" + bytes(7) + FRAME)),
    "vxlan as Linux sends it": of(0x0800, udp(8472, b"\x08" + bytes(7) + FRAME)),
    "geneve": of(0x0800, udp(6081, b"\x01\0\x65\x58" + bytes(4) + bytes(4) + FRAME)),
    "gre": of(0x0800, ip(47, b"\0\0\x08\0" + IP)),
    "gre with all fields": of(0x0800, ip(47, b"\xb0\0\x08\0" + bytes(12) + IP)),
    "gretap": of(0x0800, ip(47, b"\0\0\x65\x58" + FRAME)),
    "pptp": of(0x0800, ip(47, b"\x30\x81\x88\x0b" + bytes(12) + b"\xff\x03\0\x21" + IP)),
    "erspan 1": of(0x0800, ip(47, b"\0\0\x88\xbe" + FRAME)),
    "erspan 2": of(0x0800, ip(47, b"\x10\0\x88\xbe" + bytes(12) + FRAME)),
    "erspan 3": of(0x0800, ip(47, ERSPAN_3 + bytes(12) + FRAME)),
    "erspan 3 with more": of(0x0800, ip(47, ERSPAN_3 + bytes(11) + b"\x01" + bytes(8) + FRAME)),
    "ip in ip": of(0x0800, ip(4, IP)),
    "vxlan in gre in mpls": of(
        0x8848, LABELS + ip(47, b"\0\0\x08\0" + udp(4789, b"\x08" + bytes(7) + FRAME))
    ),
}


@pytest.mark.parametrize("name", sorted(WRAPPED))
def test_tunnels_are_opened_and_have_no_interface_of_a_client(name: str) -> None:
    found = heard(WRAPPED[name])
    assert isinstance(found, Datagram), found
    assert (found.payload, found.port, found.tags, found.interface) == (MESSAGE, 67, (), None)


@pytest.mark.parametrize("frame", [FRAME, SNAP, ADDRESSES + SNAP[12:].replace(b"\0\0\0", b"\0\0\xf8", 1)])
def test_frames_by_type_and_by_length(frame: bytes) -> None:
    for tags in ((), (10,), (100, 10)):
        found = heard(tagged(frame, *tags))
        assert isinstance(found, Datagram)
        assert (found.payload, found.tags, found.interface) == (MESSAGE, tags, "eth0")


def test_tags_are_those_of_the_frame_that_the_client_sent() -> None:
    inside = tagged(FRAME, 10)
    for frame in (of(0x0800, udp(4789, b"\x08" + bytes(7) + inside)), of(0x8847, LABELS + bytes(4) + inside)):
        found = heard(tagged(frame, 999))
        assert isinstance(found, Datagram)
        assert found.tags == (10,)
    found = heard(tagged(of(0x8864, PPP), 30))
    assert isinstance(found, Datagram)
    assert found.tags == (30,)


@pytest.mark.parametrize(
    ("link", "before"),
    [
        (0, b"\2\0\0\0"),
        (0, b"\0\0\0\2"),
        (108, b"\0\0\0\2"),
        (9, b"\0\x21"),
        (9, b"\x21"),
        (50, b"\xff\3\0\x21"),
        (12, b""),
        (14, b""),
        (101, b""),
        (228, b""),
    ],
)
def test_links_without_addresses(link: int, before: bytes) -> None:
    found = heard(before + IP, link)
    assert isinstance(found, Datagram)
    assert (found.payload, found.interface) == (MESSAGE, "eth0")


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (of(0x0806, b""), "ARP"),
        (of(0x86DD, b""), "IPv6"),
        (of(0x1234, b""), "EtherType 0x1234"),
        (of(38, b"\x42\x42\x03" + bytes(35)), "STP"),
        (of(38, b"\xe0\xe0\x03" + bytes(35)), "LLC"),
        (of(38, b"\xaa\xaa\x03\0\0\x0c\x20\0" + bytes(30)), "CDP"),
        (of(38, b"\xaa\xaa\x03\0\0\0\0\x26" + bytes(30)), "SNAP"),
        (of(0x8864, PPP[:6] + b"\xc0\x21"), "PPP"),
        (of(0x0800, ip(6, b"")), "TCP"),
        (of(0x0800, ip(200, b"")), "IP protocol 200"),
        (of(0x0800, ip(47, b"\x40\0\x08\0" + IP)), "GRE with routing"),
        (of(0x0800, ip(17, b"\0\x44\0\x43\0\4\0\0")), "damaged UDP"),
        (of(0x0800, b"\x65" + IP[1:]), "damaged IPv4"),
        (of(0x0800, b"\x41" + IP[1:]), "damaged IPv4"),
        (FRAME[:40], "cut short"),
        (FRAME[:30], "cut short"),
        (FRAME[:13], "cut short"),
        (of(0x8100, b"\0"), "cut short"),
        (of(0x8847, b"\0\0\0\x40"), "cut short"),
        (of(0x0800, ip(47, b"\0")), "cut short"),
        (tagged(FRAME, *range(1, 41)), "too many headers"),
    ],
)
def test_others_have_a_name(frame: bytes, name: str) -> None:
    assert heard(frame) == Other(name)


def test_links_that_are_not_read_have_a_name() -> None:
    assert [layers.of_link(link, FRAME) for link in (105, 258, 147)] == [
        Other("802.11"),
        Other("Apple pktap"),
        Other("link type 147"),
    ]
    assert layers.of_link(0, b"\x1e\0\0\0" + IP) == Other("IPv6")
    assert layers.of_link(0, b"\x07\0\0\0" + IP) == Other("address family 7")
    assert layers.of_link(229, b"\x60" + bytes(39)) == Other("IPv6")


def test_tunnels_in_each_other_are_opened_to_a_depth() -> None:
    frame = IP
    for _ in range(20):
        frame = ip(4, frame)
    assert heard(of(0x0800, frame)) == Other("too many tunnels")


def test_a_packet_that_is_cut_short_is_told_with_the_octets_it_had() -> None:
    for name, frame in WRAPPED.items():
        found = heard(frame[: len(frame) - 200])
        assert isinstance(found, Datagram), name
        assert (len(found.payload), found.size) == (len(MESSAGE) - 200, len(MESSAGE))


PIECES = some.sampled_from(
    [
        *WRAPPED.values(),
        SNAP,
        FRAME,
        IP,
        PPP,
        LABELS,
        *(struct.pack("!H", kind) for kind in (0x8100, 0x88A8, 0x8847, 0x8864, 0x6558, 0x880B, 0x88BE)),
        *(bytes([octet]) for octet in (0, 1, 4, 8, 17, 47, 0x45, 255)),
    ]
)


@given(
    some.sampled_from(sorted(LINK_TYPES | {105, 65535})),
    some.lists(some.one_of(PIECES, some.binary(max_size=12)), max_size=6),
    some.integers(0, 600),
)
def test_any_octets_are_a_packet_or_have_a_name(link: int, pieces: list[bytes], size: int) -> None:
    frame = b"".join(pieces)[:size]
    assert isinstance(layers.of_link(link, frame), (Packet, Other))
    found = heard(frame, link)
    assert isinstance(found, Other) or len(found.payload) <= found.size


@given(
    some.sampled_from(sorted(WRAPPED)),
    some.lists(some.tuples(some.integers(0, 200), some.integers(0, 255)), max_size=4),
)
def test_damage_in_any_header_is_a_packet_or_has_a_name(name: str, changes: list[tuple[int, int]]) -> None:
    frame = bytearray(WRAPPED[name])
    for at, octet in changes:
        frame[at] = octet
    assert isinstance(heard(bytes(frame)), (Datagram, Other))
