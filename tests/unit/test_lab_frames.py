"""What the other tests read the wire with: frames and captures there and back."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import pcap
from tests.lab.frames import Checksum, Datagram, Joiner, datagrams, frames

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
