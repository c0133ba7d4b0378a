"""Captures to datagrams: formats, link layers, tags, fragments, and what is damaged."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pxerelay.tools.simulate import captures
from pxerelay.tools.simulate.captures import CaptureError
from pxerelay.wire.dissect import Datagram, datagrams
from tests.lab import frames as ethernet
from tests.lab import pcap as lab_pcap
from tests.lab.command import REPOSITORY
from tests.unit import written
from tests.unit.messages import request
from tests.unit.written import ETHERNET, RAW, SECONDS, SLL, SLL2, asked, tagged

FOLDER = REPOSITORY / "tests" / "captures"
MESSAGE = bytes(request())
FRAME = asked(MESSAGE)


def read(path: Path, capture: bytes) -> list[Datagram | None]:
    """Return the datagrams of a capture, None for each frame that brings none."""
    path.write_bytes(capture)
    return [one if isinstance(one, Datagram) else None for one in datagrams(captures.frames(path))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capture"


@pytest.mark.parametrize("recording", sorted(FOLDER.glob("*.pcap")), ids=lambda one: one.stem)
def test_recordings_are_read_as_the_lab_reads_them(recording: Path) -> None:
    found = [one for one in datagrams(captures.frames(recording)) if isinstance(one, Datagram)]
    expected = [
        (one.source, one.destination, one.source_port, one.port, one.payload)
        for one in lab_pcap.read(recording)
    ]
    assert [
        (*map(dotted, (one.source, one.destination)), one.source_port, one.port, one.payload) for one in found
    ] == expected
    assert all(one.is_whole for one in found)
    assert [one.number for one in found] == list(range(1, len(found) + 1))


def dotted(address: bytes) -> str:
    return ".".join(map(str, address))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tags", [(), (10,), (100, 10)])
@pytest.mark.parametrize(
    ("link", "turned"),
    [(ETHERNET, bytes), (SLL, written.sll), (SLL2, written.sll2)],
    ids=["ethernet", "sll", "sll2"],
)
def test_link_types_and_tags(
    path: Path, link: int, turned: Callable[[bytes], bytes], tags: tuple[int, ...], order: str
) -> None:
    frame = turned(tagged(FRAME, *tags))
    for capture in (written.pcap([frame], link, order), written.pcapng([(link, "")], [(0, frame)], order)):
        (found,) = read(path, capture)
        assert found is not None
        assert (found.tags, found.payload, found.port) == (tags, MESSAGE, 67)
        assert int(found.time) == SECONDS


def test_any_interface_hears_a_vlan_twice(path: Path) -> None:
    tagged_, plain = (written.sll2(frame) for frame in (tagged(FRAME, 10), FRAME))
    first, second, third = read(path, written.pcap([tagged_, plain, plain], SLL2, seconds=(0, 0, 1)))
    assert first is not None
    assert first.tags == (10,)
    assert second is None
    assert third is not None
    assert None not in read(path, written.pcap([FRAME, FRAME], seconds=(0, 0)))


def test_raw_ip_and_nanoseconds_and_gzip(path: Path) -> None:
    capture = written.pcap([written.raw(FRAME)], RAW, nano=True)
    for octets in (capture, gzip.compress(capture)):
        (found,) = read(path, octets)
        assert found is not None
        assert found.payload == MESSAGE
        assert found.time == pytest.approx(SECONDS + 5e-7, abs=3e-7)


def test_a_priority_tag_is_no_vlan_and_its_priority_no_part_of_one(path: Path) -> None:
    first, second = read(path, written.pcap([tagged(FRAME, 0xE000), tagged(FRAME, 0xE00A, kind=0x88A8)]))
    assert first is not None
    assert second is not None
    assert (first.tags, second.tags) == ((), (10,))


def test_pcapng_tells_the_interface_of_each_packet_with_its_own_link_type(path: Path) -> None:
    capture = written.pcapng(
        [(ETHERNET, "vlan10"), (RAW, "tun0"), (189, "usb")], [(1, written.raw(FRAME)), (0, FRAME), (2, FRAME)]
    )
    first, second, third = read(path, capture)
    assert first is not None
    assert second is not None
    assert third is None
    assert [(one.interface, one.payload) for one in (first, second)] == [
        ("tun0", MESSAGE),
        ("vlan10", MESSAGE),
    ]


def test_fragments_are_joined_in_any_order_and_lost_ones_are_no_packet(path: Path) -> None:
    large = MESSAGE.ljust(4000, b"\0")
    parts = ethernet.frames(large)
    assert len(parts) == 3
    for order in ([0, 1, 2], [2, 0, 1], [1, 1, 2, 0]):
        found = read(path, written.pcap([parts[at] for at in order]))
        assert [one.payload for one in found if one] == [large]
        assert found[-1] is not None
    assert read(path, written.pcap([parts[0], parts[2]])) == [None, None]


def test_what_the_capture_has_cut_is_told_apart(path: Path) -> None:
    (found,) = read(path, written.pcap([FRAME[:96]]))
    assert found is not None
    assert (found.is_whole, found.size, len(found.payload)) == (False, len(MESSAGE), 96 - 42)


def counted(path: Path) -> tuple[int, str]:
    """Return how many frames of a capture can be read, and why not more."""
    found = 0
    try:
        for _ in datagrams(captures.frames(path)):
            found += 1
    except CaptureError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_capture_that_ends_anywhere_is_read_up_to_there(path: Path, form: str) -> None:
    frame = FRAME[:80]

    def make(count: int) -> bytes:
        if form == "pcap":
            return written.pcap([frame] * count)
        return written.pcapng([(ETHERNET, "")], [(0, frame)] * count)

    wholes = {len(make(count)): count for count in range(4)}
    three = make(3)
    if form == "pcapng":
        wholes[len(written.pcapng([], []))] = 0
    for size in range(len(three) + 1):
        path.write_bytes(three[:size])
        found, fault = counted(path)
        assert (fault == "") is (size in wholes), f"{size}: {fault}"
        assert found == max((count for whole, count in wholes.items() if whole <= size), default=0)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_octets_are_an_error_or_packets_and_nothing_else(path: Path, data: st.DataObject) -> None:
    capture = bytearray(
        data.draw(
            st.sampled_from(
                [
                    written.pcap([FRAME, tagged(FRAME, 10)]),
                    written.pcapng([(ETHERNET, "vlan10")], [(0, FRAME), (0, FRAME)]),
                    written.pcap([written.sll2(FRAME)], SLL2),
                    gzip.compress(written.pcap([FRAME])),
                ]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 8))):
        capture[data.draw(st.integers(0, len(capture) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(capture)
    _, fault = counted(path)
    assert not fault or str(path) in fault


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=200), magic=st.sampled_from(["pcap", "pcapng", ""]))
def test_random_octets_are_an_error_or_packets(path: Path, octets: bytes, magic: str) -> None:
    start = {"pcap": written.pcap([]), "pcapng": written.pcapng([(ETHERNET, "")], []), "": b""}[magic]
    path.write_bytes(start + octets)
    _, fault = counted(path)
    assert not fault or str(path) in fault


def test_no_capture_and_no_file(path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        list(captures.frames(path))
    for octets in (b"", b"rules:\n", b"\x1f\x8b", written.pcap([], 189)):
        path.write_bytes(octets)
        with pytest.raises(CaptureError, match=r"no capture|link type 189"):
            list(captures.frames(path))
    with pytest.raises(CaptureError, match="Is a directory"):
        list(captures.frames(path.parent))


def test_a_length_of_gigabytes_takes_no_room(path: Path) -> None:
    capture = bytearray(written.pcap([FRAME, FRAME]))
    capture[24 + 8 : 24 + 12] = b"\xff\xff\xff\x7f"
    with pytest.raises(CaptureError, match="cut short"):
        read(path, bytes(capture))
