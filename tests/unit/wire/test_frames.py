"""Ethernet, IP and UDP headers of link-layer replies, as they leave the machine."""

from __future__ import annotations

import struct
import sys

from hypothesis import given
from hypothesis import strategies as st

from pxerelay.wire import frames
from tests.lab.frames import internet_sum
from tests.unit.finished import OWN_HARDWARE, frames_of
from tests.unit.messages import ip, mac, reply

SOURCE, CLIENT = ip("10.10.10.1"), ip("10.10.10.100")
HARDWARE = mac("02:00:00:00:00:01")
addresses = st.binary(min_size=4, max_size=4)


@given(st.binary(max_size=1600))
def test_the_sum_is_that_of_rfc_1071(octets: bytes) -> None:
    assert frames.ones_complement_sum(octets) % 0xFFFF == internet_sum(octets) % 0xFFFF


@given(st.binary(min_size=1, max_size=1400), addresses, addresses)
def test_rule_21_the_udp_checksum_is_correct_and_never_zero(
    payload: bytes, source: bytes, destination: bytes
) -> None:
    (frame,) = frames_of(payload, source=source, destination=destination, identification=7)
    udp = frame[34:]
    assert struct.unpack("!HHH", udp[:6]) == (67, 68, len(payload) + 8)
    assert udp[6:8] != b"\0\0"
    assert internet_sum(source + destination + struct.pack("!HH", 17, len(udp)) + udp) == 0xFFFF
    assert udp[8:] == payload


@given(addresses, st.integers(0, 0xFFFF))
def test_rule_21_the_ip_header_is_ours_to_the_client(destination: bytes, identification: int) -> None:
    (frame,) = frames_of(
        reply(), source=SOURCE, destination=destination, hardware=HARDWARE, identification=identification
    )
    assert frame[:14] == HARDWARE + OWN_HARDWARE + b"\x08\x00"
    packet = frame[14:]
    assert internet_sum(packet[:20]) == 0xFFFF
    assert packet[0] == 0x45
    assert struct.unpack("!H", packet[2:4]) == (len(packet),)
    assert int.from_bytes(packet[4:6], sys.byteorder) == identification
    assert packet[8:10] == bytes((64, 17))
    assert packet[12:20] == SOURCE + destination


@given(st.integers(1, 4000), st.integers(68, 1500))
def test_rule_22_a_reply_larger_than_the_mtu_is_fragmented(size: int, mtu: int) -> None:
    payload = bytes(at % 251 for at in range(size))
    found = frames_of(
        payload, source=SOURCE, destination=CLIENT, mtu=mtu, hardware=HARDWARE, identification=9
    )
    whole = b""
    for at, frame in enumerate(found):
        assert frame[:14] == HARDWARE + OWN_HARDWARE + b"\x08\x00"
        packet = frame[14:]
        assert len(packet) <= mtu
        assert internet_sum(packet[:20]) == 0xFFFF
        assert packet[4:6] == found[0][18:20]
        assert packet[4:6] != b"\0\0"
        fragment = struct.unpack("!H", packet[6:8])[0]
        assert (fragment & 0x1FFF) * 8 == len(whole)
        assert bool(fragment & 0x2000) == (at < len(found) - 1)
        whole += packet[20:]
    assert whole[8:] == payload
    assert internet_sum(SOURCE + CLIENT + struct.pack("!HH", 17, len(whole)) + whole) == 0xFFFF


@given(st.binary(min_size=1, max_size=1600), addresses, st.integers(68, 1500))
def test_rule_41_without_an_ethernet_address_there_are_ip_packets_alone(
    payload: bytes, destination: bytes, mtu: int
) -> None:
    """They are just those that would be in the frames, with checksums that nobody has to finish."""
    bare, framed = (frames.Framing(SOURCE, hardware, mtu) for hardware in (b"", OWN_HARDWARE))
    assert (bare.has_frames, framed.has_frames) == (False, True)
    a_reply = frames.Reply(payload, int.from_bytes(destination, sys.byteorder), HARDWARE)
    packets = bare.packets(a_reply, 9)
    assert max(map(len, packets)) <= mtu
    assert packets == [frame[frames.ETHERNET.size :] for frame in framed.fragments(a_reply, 9)]
    assert len(packets) == 1 or len(payload) > mtu - 28
    udp = b"".join(packet[20:] for packet in packets)
    assert internet_sum(SOURCE + destination + struct.pack("!HH", 17, len(udp)) + udp) == 0xFFFF
    for packet in packets:
        assert packet[0] >> 4 == 4
        assert internet_sum(packet[:20]) == 0xFFFF
        assert packet[12:20] == SOURCE + destination
