"""What the other tests read the wire with: frames and captures there and back."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import dhcp6, pcap
from tests.lab.frames import Checksum, Datagram, Joiner, datagrams, frames
from tests.lab.frames6 import datagrams6, frames6, link_local

ALL = "ff:ff:ff:ff:ff:ff"


@given(st.binary(max_size=5000), st.sampled_from(Checksum), st.randoms(use_true_random=False))
def test_a_datagram_in_frames_of_any_order_is_that_datagram(
    payload: bytes, checksum: Checksum, chance: object
) -> None:
    made = frames(payload, source="10.20.0.10", destination="10.10.10.1", ports=(67, 67), checksum=checksum)
    assert len(made) == -(-(len(payload) + 8) // 1480)
    chance.shuffle(made)  # type: ignore[attr-defined]
    (found,) = datagrams(made)
    assert found == Datagram(ALL, "10.20.0.10", "10.10.10.1", (67, 67), checksum, payload)


@pytest.mark.parametrize("order", "<>")
def test_a_capture_is_read_in_either_byte_order(order: str) -> None:
    made = [*frames(b"one"), *frames(b"two" * 1000), b"\0" * 60]
    assert list(pcap.frames(pcap.written(made, order))) == made
    assert [found.payload for found in datagrams(made)] == [b"one", b"two" * 1000]


def test_what_is_no_whole_capture_of_ethernet_is_refused() -> None:
    whole = pcap.written(frames(b"one"))
    with pytest.raises(ValueError, match="no capture"):
        list(pcap.frames(b"PK" + whole))
    with pytest.raises(ValueError, match="not Ethernet"):
        list(pcap.frames(whole[:20] + struct.pack("<I", 101) + whole[24:]))
    with pytest.raises(ValueError, match="cut short"):
        list(pcap.frames(whole[:-1]))


def test_a_damaged_header_is_an_error_and_an_unfinished_checksum_is_none() -> None:
    (whole,) = frames(b"octets", checksum=Checksum.BAD)
    with pytest.raises(ValueError, match="damaged IPv4"):
        Joiner().take(whole[:22] + b"\0" + whole[23:])
    offloaded = Joiner().take(whole, offloaded=True)
    assert offloaded
    assert offloaded.checksum is Checksum.GOOD


@given(
    st.binary(max_size=5000),
    st.sampled_from(Checksum),
    st.sampled_from([1280, 1500]),
    st.randoms(use_true_random=False),
)
def test_a_datagram_over_ipv6_in_frames_of_any_order_is_that_datagram(
    payload: bytes, checksum: Checksum, mtu: int, chance: object
) -> None:
    sender = bytes.fromhex("020000100001")
    made = frames6(payload, source=link_local(sender), sender=sender, checksum=checksum, hop_limit=7, mtu=mtu)
    assert all(len(frame) <= 14 + mtu for frame in made)
    chance.shuffle(made)  # type: ignore[attr-defined]
    (found,) = datagrams6(made)
    assert found == Datagram(
        "33:33:00:01:00:02", "fe80::ff:fe10:1", "ff02::1:2", (546, 547), checksum, payload
    )
    assert (found.sender, found.hop_limit) == ("02:00:00:10:00:01", 7)
    assert list(datagrams(made)) == [], "the one for IPv4 takes them for nothing"


def test_extension_headers_before_a_datagram_over_ipv6_are_passed_over() -> None:
    (frame,) = frames6(b"octets", source="fe80::1")
    options = bytes([60, 0, 5, 2, 0, 0, 1, 0]) + bytes([17, 1, 1, 12, *bytes(12)])
    length = (len(frame) - 54 + len(options)).to_bytes(2, "big")
    (found,) = datagrams6([frame[:18] + length + b"\0" + frame[21:54] + options + frame[54:]])
    assert (found.payload, found.checksum) == (b"octets", Checksum.GOOD)


def test_one_station_over_ipv6_needs_its_ethernet_address() -> None:
    with pytest.raises(ValueError, match="say its Ethernet address"):
        frames6(b"octets", source="fe80::1", destination="fe80::2")


def test_a_damaged_header_of_ipv6_is_an_error() -> None:
    (whole,) = frames6(b"octets", source="fe80::1")
    for damaged in (whole[:14] + b"\x40" + whole[15:], whole[:-1], whole[:58] + b"\0\0" + whole[60:]):
        with pytest.raises(ValueError, match="damaged"):
            list(datagrams6([damaged]))


def test_a_message_of_dhcpv6_is_read_as_it_was_made() -> None:
    inside = dhcp6.solicit(dhcp6.duid_ll(bytes(6)), arch=7)
    read = dhcp6.read(inside)
    assert (read.kind, read.xid, read.one(dhcp6.CLIENT_ARCH)) == (dhcp6.SOLICIT, b"\x12\x34\x56", b"\0\7")
    inner = dhcp6.relayed(dhcp6.RELAY_FORW, inside, link="2001:db8::1", peer="fe80::1")
    outer = dhcp6.relayed(dhcp6.RELAY_FORW, inner, (dhcp6.INTERFACE_ID, b"x"), peer="2001:db8::9", hops=1)
    assert dhcp6.innermost(outer) == read
    reply = dhcp6.read_relayed(dhcp6.answer(outer, b"\2abc"))
    assert (reply.kind, reply.hops, reply.peer) == (dhcp6.RELAY_REPL, 1, "2001:db8::9")
    assert reply.one(dhcp6.INTERFACE_ID) == b"x"
    assert dhcp6.read_relayed(reply.inside).link == "2001:db8::1"
    assert dhcp6.innermost(dhcp6.answer(outer, b"\2abc")).xid == b"abc"
    with pytest.raises(ValueError, match="cut off"):
        dhcp6.read(inside[:-1])
