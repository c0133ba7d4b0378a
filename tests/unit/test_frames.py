"""IP and UDP headers of link-layer replies."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from pxerelay import frames
from tests.lab.frames import internet_sum
from tests.unit.messages import ip, reply

SOURCE, CLIENT = ip("10.10.10.1"), ip("10.10.10.100")


@given(st.binary(max_size=1600))
def test_the_sum_is_that_of_rfc_1071(octets: bytes) -> None:
    assert frames.ones_complement_sum(octets) % 0xFFFF == internet_sum(octets) % 0xFFFF


@given(st.binary(min_size=1, max_size=1400))
def test_rule_21_the_udp_checksum_is_correct_and_never_zero(payload: bytes) -> None:
    (packet,) = frames.reply_packets(payload, SOURCE, CLIENT, 1500, 7)
    udp = packet[20:]
    assert struct.unpack("!HHH", udp[:6]) == (67, 68, len(payload) + 8)
    assert udp[6:8] != b"\0\0"
    assert internet_sum(SOURCE + CLIENT + struct.pack("!HH", 17, len(udp)) + udp) == 0xFFFF
    assert udp[8:] == payload


def test_rule_21_the_ip_header_is_ours_to_the_client() -> None:
    (packet,) = frames.reply_packets(reply(), SOURCE, CLIENT, 1500, 0x1ABCD)
    assert internet_sum(packet[:20]) == 0xFFFF
    assert packet[0] == 0x45
    assert struct.unpack("!H", packet[2:4])[0] == len(packet)
    assert packet[4:6] == b"\xab\xcd"
    assert packet[8:10] == bytes((64, 17))
    assert packet[12:20] == SOURCE + CLIENT


@given(st.integers(1, 4000), st.integers(68, 1500))
def test_rule_22_a_reply_larger_than_the_mtu_is_fragmented(size: int, mtu: int) -> None:
    payload = bytes(at % 251 for at in range(size))
    packets = frames.reply_packets(payload, SOURCE, CLIENT, mtu, 9)
    whole = b""
    for at, packet in enumerate(packets):
        assert len(packet) <= mtu
        assert internet_sum(packet[:20]) == 0xFFFF
        fragment = struct.unpack("!H", packet[6:8])[0]
        assert (fragment & 0x1FFF) * 8 == len(whole)
        assert bool(fragment & 0x2000) == (at < len(packets) - 1)
        whole += packet[20:]
    assert whole[8:] == payload
    assert internet_sum(SOURCE + CLIENT + struct.pack("!HH", 17, len(whole)) + whole) == 0xFFFF
