"""`replay` and `explain --capture` on what captures there are: each is read, or what it is is said."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from pxerelay.cli import main
from pxerelay.tools.simulate import captures, pcapng
from pxerelay.tools.simulate.captures import CaptureError
from pxerelay.tools.simulate.octets import MOST
from tests.unit import written
from tests.unit.messages import reply, request
from tests.unit.messages6 import boot, ip6
from tests.unit.tools.simulate.conftest import OTHER, THIN, Told, on_vlan, replay
from tests.unit.written import ETHERNET, SECONDS, asked, tagged

FRAME = asked(request(chaddr=THIN))
LOOPBACK = b"\2\0\0\0" + FRAME[14:]


def explain(capsys: pytest.CaptureFixture[str], capture: Path, config: Path, *more: str) -> Told:
    code = main(["explain", "--capture", str(capture), "--config", str(config), *more])
    return Told(code, *capsys.readouterr())


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    return written._block(order, kind, body)


SECTION = written.pcapng([], [])


def test_a_loopback_interface_in_pcapng_is_link_type_0(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a Mac's lo0: the type is 0, and is none the less one."""
    interfaces = [(0, "lo0"), (ETHERNET, "vlan10")]
    capture.write_bytes(written.pcapng(interfaces, [(0, LOOPBACK), (1, FRAME)]))
    told = replay(capsys, capture, config, "--interface", "vlan20")
    assert (told.code, [one["mac"] for one in told.packets]) == (0, [THIN, THIN])
    capture.write_bytes(written.pcap([LOOPBACK], 0))
    assert replay(capsys, capture, config, "--interface", "vlan20").code == 0


@pytest.mark.parametrize("order", "<>")
def test_simple_blocks_of_an_interface_that_keeps_all(order: str, capture: Path) -> None:
    """Snaplen 0 is no bound, and does not make all packets empty."""
    capture.write_bytes(written.pcapng([(ETHERNET, "vlan10")], [(0, FRAME)] * 2, order, simple=True))
    found = list(captures.frames(capture))
    assert [(one.octets, one.interface, one.number) for one in found] == [
        (FRAME, "vlan10", 1),
        (FRAME, "vlan10", 2),
    ]


def test_simple_blocks_are_as_long_as_snaplen_at_most(capture: Path) -> None:
    interface = block(1, struct.pack("<HHI", ETHERNET, 0, 60))
    simple = block(3, struct.pack("<I", len(FRAME)) + FRAME[:60])
    capture.write_bytes(SECTION + interface + simple)
    assert [one.octets for one in captures.frames(capture)] == [FRAME[:60]]


@pytest.mark.parametrize("order", "<>")
def test_the_modified_form_of_pcap(order: str, capture: Path) -> None:
    capture.write_bytes(written.pcap([FRAME, tagged(FRAME, 10)], order=order, modified=True))
    found = list(captures.frames(capture))
    assert [one.octets for one in found] == [FRAME, tagged(FRAME, 10)]
    assert [one.time for one in found] == pytest.approx([SECONDS + 5e-4, SECONDS + 1 + 5e-4], abs=1e-6)


@pytest.mark.parametrize("order", "<>")
def test_link_types_that_tell_of_checksums(order: str, capture: Path) -> None:
    link = ETHERNET | 1 << 26 | 2 << 28
    capture.write_bytes(written.pcap([FRAME + bytes(4)], link, order))
    (found,) = captures.frames(capture)
    assert found.link == ETHERNET


def test_each_section_has_its_own_interfaces_and_byte_order(capture: Path) -> None:
    first = written.pcapng([(ETHERNET, "vlan10"), (0, "lo0")], [(1, LOOPBACK)])
    second = written.pcapng([(ETHERNET, "vlan20")], [(0, FRAME)], ">")
    capture.write_bytes(first + second)
    found = [(one.number, one.link, one.interface) for one in captures.frames(capture)]
    assert found == [(1, 0, "lo0"), (2, ETHERNET, "vlan20")]


def test_times_by_resolution_and_offset(capture: Path) -> None:
    ticks = SECONDS << 20
    options = struct.pack("<HHB3x", 9, 1, 0x80 | 20) + struct.pack("<HHq", 14, 8, -3600) + bytes(4)
    interface = block(1, struct.pack("<HHI", ETHERNET, 0, 0) + options)
    head = struct.pack("<IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, 0, 0)
    obsolete = struct.pack("<HHIIII", 0, 0, ticks >> 32, ticks & 0xFFFFFFFF, 0, 0)
    capture.write_bytes(SECTION + interface + block(6, head) + block(2, obsolete))
    assert [one.time for one in captures.frames(capture)] == [SECONDS - 3600.0] * 2


def test_blocks_that_are_not_known_and_options_that_do_not_fit_are_passed_over(capture: Path) -> None:
    interface = block(1, struct.pack("<HHI", ETHERNET, 0, 0) + struct.pack("<HH", 2, 4000) + b"vlan")
    name = block(1, struct.pack("<HHI", ETHERNET, 0, 0) + struct.pack("<HH4s", 2, 4, b"a\x1bb\0"))
    long = block(1, struct.pack("<HHI", ETHERNET, 0, 0) + struct.pack("<HH", 2, 400) + b"vlan" * 100)
    whole = SECTION + block(0x0BAD, b"what?..!") + interface + name + long
    packets = b"".join(
        block(6, struct.pack("<IIIII", at, 0, 0, len(FRAME), len(FRAME)) + written._padded(FRAME))
        for at in (0, 1, 2)
    )
    capture.write_bytes(whole + packets)
    assert [(one.interface, one.octets) for one in captures.frames(capture)] == [(None, FRAME)] * 3


def fault_of(capture: Path, octets: bytes) -> str:
    capture.write_bytes(octets)
    with pytest.raises(CaptureError) as caught:
        list(captures.frames(capture))
    return str(caught.value)


def test_damage_is_said_with_the_packet_before_it(capture: Path) -> None:
    good = written.pcapng([(ETHERNET, "")], [(0, FRAME)])
    of_nothing = struct.pack("<IIIII", 7, 0, 0, 0, 0)
    too_long = struct.pack("<IIIII", 0, 0, 0, 100, 100) + bytes(8)
    for octets, why in (
        (good + block(6, of_nothing), "1: a packet of interface 7, where there are 1"),
        (good + block(6, too_long), "1: a packet of 100 octets in a block that has 8 for it"),
        (good + block(6, b"1234"), "1: a block has 4 octets where 20 are due"),
        (good + struct.pack("<II", 5, 9), "1: a block of 9 octets"),
        (good + struct.pack("<III", 5, 12, 16), "1: a block of 12 octets at whose end stands 16"),
        (good + pcapng.MAGIC + bytes(8), "1: a section with no byte order magic"),
        (SECTION + block(3, bytes(4)), "0: a packet of interface 0, where there are 0"),
        (SECTION.replace(b"\1\0\0\0\xff", b"\2\0\0\0\xff"), "0: a section in version 2 of the format"),
        (written.pcap([FRAME, bytes(MOST + 1)]), f"1: a packet of {MOST + 1} octets"),
    ):
        assert fault_of(capture, octets) == f"{capture} is damaged behind packet {why}"


@pytest.mark.parametrize(
    ("begin", "why"),
    [
        (b"snoop\0\0\0", "it is a capture of Solaris's snoop; `editcap IN OUT`"),
        (b"GMBU\0\2", "it is a capture of Microsoft's Network Monitor; `editcap IN OUT`"),
        (b"\xac\x01\0\x1c", "it is a capture of an Ixia"),
        (b"\x28\xb5\x2f\xfd", "it is packed by zstd; unpack it first"),
        (b"PK\x03\x04", "it is a ZIP file; unpack it first"),
        (b"\x7fELF", "it is no capture in pcap or pcapng format"),
        (b"\xa1\xb2", "it is no capture in pcap or pcapng format"),
        (b"\x1f\x8b\x08\0", "it is no capture in pcap or pcapng format"),
    ],
)
def test_files_of_other_formats_say_what_they_are(begin: bytes, why: str, capture: Path) -> None:
    assert why in fault_of(capture, begin)


def test_frames_of_other_links_beside_ours_are_counted(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interfaces = [(ETHERNET, "vlan10"), (258, "pktap"), (147, "")]
    capture.write_bytes(written.pcapng(interfaces, [(0, FRAME), (1, FRAME), (1, FRAME), (2, FRAME)]))
    told = replay(capsys, capture, config)
    assert (told.code, len(told.packets), told.summary["others"]) == (0, 1, 3)
    assert told.summary["other_kinds"] == {"Apple pktap": 2, "link type 147": 1}
    told = replay(capsys, capture, config, json=False)
    assert told.out.endswith("  others             2 Apple pktap, 1 link type 147\n")


def cut(frame: bytes, octets: int) -> bytes:
    """Return a frame of which only so many octets of the DHCP message are there."""
    return frame[: frame.index(b"\1\1\6") + octets]


def test_a_packet_cut_short_still_has_its_mac_and_its_rule(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(written.pcap([cut(on_vlan(10, THIN), 54), cut(on_vlan(20), 54), on_vlan(10)[:60]]))
    told = replay(capsys, capture, config)
    assert told.code == 2
    assert [(one["mac"], one["interface"], one["rule"], one["verdict"]) for one in told.packets] == [
        (THIN, "vlan10", THIN, "undecided"),
        (OTHER, "vlan20", None, "undecided"),
        ("(no address)", None, None, "undecided"),
    ]
    told = replay(capsys, capture, config, json=False)
    assert f"{THIN} on vlan10: message undecided: the capture has 54 of its 300 octets; " in told.out
    assert f"tcpdump -s 0 keeps all, rule {THIN} ({config}:" in told.out


def test_a_packet_cut_short_is_placed_by_its_addresses(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes past the relay does so whatever its options say; what they begin with is read."""
    passing = asked(reply(giaddr="0.0.0.0"), source="10.20.0.10", ports=(67, 68))[:120]
    offered = asked(reply(), source="10.20.0.10", destination="10.10.10.1", ports=(67, 67))[: 42 + 250]
    odd = bytearray(cut(FRAME, 40))
    odd[42 + 2] = 16
    capture.write_bytes(written.pcap([passing, offered, bytes(odd)]))
    told = replay(capsys, capture, config, "--giaddr", "vlan10=10.10.10.1", "--interface", "vlan10")
    assert [(one["verdict"], one["message"], one["mac"] == "(no address)") for one in told.packets] == [
        ("not for the relay", "message", False),
        ("undecided", "OFFER", False),
        ("undecided", "message", True),
    ]


def test_explain_takes_clients_of_packets_cut_short(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(written.pcap([cut(on_vlan(10, THIN), 54), cut(on_vlan(20), 54), on_vlan(20)]))
    told = explain(capsys, capture, config)
    assert told.code == 2
    assert told.err == (
        f"{THIN}: the capture has 54 of the 300 octets of its requests, so it is taken for a PXEClient; "
        "tcpdump -s 0 keeps all\n"
    )
    assert f"{THIN} -> altiris" in told.out
    assert told.out.count(f"{OTHER} on vlan20 (") == 1
    assert explain(capsys, capture, config, OTHER).code == 0
    assert f"no request of it in {capture}" in explain(capsys, capture, config, "02:00:00:00:00:77").err


def test_a_list_counts_lines_as_grep_does(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"{THIN} # one\u2028two\x0bthree\r\nnothing\n")
    code = main(["explain", "--file", str(path), "--interface", "vlan10", "--config", str(config)])
    assert (code, f"{path}:2: 'nothing' is no MAC" in capsys.readouterr().err) == (2, True)


SOLICIT = b"\x33\x33\0\1\0\2\2\0\0\0\0\1\x86\xdd" + b"\x60\0\0\0" + (8 + len(boot())).to_bytes(2, "big")
SOLICIT += b"\x11\xff" + ip6("fe80::ff:fe00:1") + ip6("ff02::1:2")
SOLICIT += struct.pack("!HHHH", 546, 547, 8 + len(boot()), 0) + boot()

WHOLES = [
    written.pcapng([(ETHERNET, "vlan10")], [(0, SOLICIT), (0, tagged(SOLICIT, 10)), (0, FRAME)]),
    written.pcap([FRAME, on_vlan(10), cut(FRAME, 60), asked(reply(), ports=(67, 67))]),
    written.pcap([FRAME, LOOPBACK], modified=True, order=">"),
    written.pcapng([(0, "lo0"), (ETHERNET, "vlan10")], [(0, LOOPBACK), (1, FRAME), (1, on_vlan(20))]),
    written.pcapng([(ETHERNET, "vlan10")], [(0, FRAME)], simple=True),
    written.pcap([FRAME]) + written.pcapng([(113, "any")], [(0, written.sll(on_vlan(10)))]),
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    some.sampled_from(WHOLES),
    some.lists(
        some.tuples(some.integers(0, 2000), some.binary(min_size=1, max_size=4), some.booleans()), max_size=6
    ),
    some.integers(0, 3000),
    some.sampled_from([[], ["--packet"], ["--format", "json"]]),
)
def test_no_capture_ends_in_a_traceback(
    config: Path,
    capture: Path,
    capsys: pytest.CaptureFixture[str],
    whole: bytes,
    changes: list[tuple[int, bytes, bool]],
    size: int,
    more: list[str],
) -> None:
    octets = bytearray(whole)
    for at, new, is_put_in in changes:
        at %= len(octets) + 1
        octets[at : at if is_put_in else at + len(new)] = new
    capture.write_bytes(octets[:size])
    path = str(capture)
    for command in (
        ["replay", path],
        ["replay", path, "--against", str(config)],
        ["explain", "--capture", path],
    ):
        options = [one for one in more if command[0] == "explain" or one != "--packet"]
        code = main([*command, *options, "--config", str(config), "--interface", "vlan10"])
        told = capsys.readouterr()
        assert code in (0, 2), told
        assert bool(told.err) is (code == 2), told
