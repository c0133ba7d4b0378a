"""Messages field by field, and what the relay changes in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.tools.simulate import decode
from tests.lab import pcap
from tests.lab.command import REPOSITORY
from tests.unit.configs import LEASELESS, VLAN10, relay
from tests.unit.messages import ip, message, option, reply, request

CAPTURES = sorted((REPOSITORY / "tests" / "captures").glob("*.pcap"))


def told(octets: bytes | bytearray) -> dict[str, str]:
    return {field.name: field.text for field in decode.fields(octets)}


def test_a_request_in_words() -> None:
    found = told(
        request(extra=option(55, bytes((1, 3, 6))) + option(50, ip("10.0.0.9")) + option(57, b"\5\xc0"))
    )
    assert found["op"] == "1 request"
    assert found["htype"] == "1 Ethernet"
    assert found["xid"] == "0x12345678"
    assert found["chaddr"] == "02:00:00:00:00:01"
    assert found["option 53 message type"] == "DISCOVER"
    assert found["option 55 parameter request list"] == "1 3 6"
    assert found["option 50 requested address"] == "10.0.0.9"
    assert found["option 57 maximum message size"] == "1472"
    assert found["option 60 vendor class"] == '"PXEClient:Arch:00000:UNDI:002001"'
    assert found["option 93 client architecture"] == "0 x86 BIOS"


def test_a_reply_with_names_and_unknown_options() -> None:
    found = told(reply(file=b"altiris/bstrap.0", flags=0x8000, extra=option(224, b"\1\2")))
    assert (found["op"], found["file"], found["flags"]) == (
        "2 reply",
        '"altiris/bstrap.0"',
        "0x8000 broadcast",
    )
    assert (found["yiaddr"], found["option 224"]) == ("10.10.10.100", "01:02")


def test_options_in_file_and_sname_are_told_with_their_place() -> None:
    overloaded = message(
        options=option(52, b"\3") + b"\xff", file=option(67, b"boot") + b"\xff", sname=b"\x0c\x50x"
    )
    found = told(overloaded)
    assert found["file: option 67 boot file name"] == '"boot"'
    assert found["sname: malformed"] == "option 12 runs past the end of its area"


def test_what_the_relay_changes_is_marked() -> None:
    before = request()
    after = bytearray(before)
    relay().decide(after, VLAN10, bytes(4))
    shown, gone = decode.compared(before, after)
    assert {one.field.name: (one.field.text, one.was) for one in shown if one.was} == {
        "hops": ("1", "0"),
        "giaddr": ("10.10.10.1", "0.0.0.0"),
    }
    assert not gone
    assert not any(one.new for one in shown)
    marked = [line for line in decode.hexdump(before, after).splitlines() if line.startswith("*")]
    assert [line[2:6] for line in marked] == ["0000", "0010"]
    assert "* giaddr" in decode.as_text(before, after)


def test_option_82_is_new_with_all_that_it_holds() -> None:
    one = relay(
        f'{LEASELESS}option82: {{circuit_id: "{{interface}}", remote_id: here, link_selection: true, '
        'server_override: true, relay_id: "00:01"}\n'
    )
    before = request()
    decision = one.decide(after := bytearray(before), VLAN10, bytes(4))
    whole = getattr(decision, "message", None)
    assert whole is not None
    assert after
    shown, gone = decode.compared(before, whole)
    assert [(field.name, field.text) for field, _, new in shown if new] == [
        ("option 82 relay agent information", "33 octets"),
        ("option 82.1 circuit id", '"vlan10"'),
        ("option 82.2 remote id", '"here"'),
        ("option 82.5 link selection", "10.10.10.1"),
        ("option 82.11 server identifier override", "10.10.10.1"),
        ("option 82.12 relay id", "00:01"),
        ("option 82.10 flags", "00"),
    ]
    assert not gone
    _, gone = decode.compared(whole, before)
    assert gone[0].name == "option 82 relay agent information"
    assert "- option 82.1 circuit id" in decode.as_text(whole, before)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_recordings_have_no_octet_untold(path: Path) -> None:
    for datagram in pcap.read(path):
        assert_complete(datagram.payload)
        assert not any("malformed" in field.name for field in decode.fields(datagram.payload))


def assert_complete(octets: bytes) -> None:
    """Fields cover all octets from the first to the last; those in file, sname and 82 lie in others."""
    position = 0
    for field in decode.fields(octets):
        if "82." in field.name or field.name.startswith(("file:", "sname:")):
            continue
        assert field.start == position, field
        position = field.end
    assert position == len(octets)


@given(st.binary(max_size=400), st.binary(max_size=300))
def test_any_octets_are_told_whole(first: bytes, options: bytes) -> None:
    for octets in (first, bytes(message(options=options))):
        assert_complete(octets)
        assert decode.as_text(octets, octets).count("\n* ") == 0
    decode.as_text(first, message(options=options))
    decode.hexdump(first, message(options=options))


def test_a_dump_has_all_octets_but_rows_of_zeros() -> None:
    octets = bytes(range(40)) + bytes(64) + b"end"
    rows = decode.hexdump(octets, octets).splitlines()
    assert rows[0] == "  0000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................"
    assert rows[-2] == "  ..."
    assert rows[-1].startswith("  0060  00 00 00 00 00 00 00 00 65 6e 64 ")
