"""Options read in place: joined, overloaded, cut short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.wire import packet
from tests.unit.messages import message, option, request


def test_options_are_found_by_code() -> None:
    found = packet.options(request(arch=7))
    assert found[53] == b"\x01"
    assert packet.message_type(found) == 1
    assert packet.vendor_class(found) == b"PXEClient:Arch:00000:UNDI:002001"
    assert packet.architectures(found) == (7,)


def test_rule_14_split_options_are_joined() -> None:
    """RFC 3396, 5: the parts of an option that occurs several times are one value."""
    options = option(60, b"PXECl") + b"\0\0" + option(53, b"\1") + option(60, b"ient") + b"\xff"
    assert packet.vendor_class(packet.options(message(options=options))) == b"PXEClient"


@pytest.mark.parametrize(
    ("overload", "expected"),
    [(1, b"one-file"), (2, b"one-sname"), (3, b"one-file-sname")],
)
def test_rule_14_overloaded_fields_are_read_file_first(overload: int, expected: bytes) -> None:
    """RFC 2132, 9.3 and RFC 3396, 5: options, then file, then sname."""
    found = packet.options(
        message(
            options=option(52, bytes((overload,))) + option(60, b"one") + b"\xff",
            file=option(60, b"-file") + b"\xff",
            sname=option(60, b"-sname") + b"\xff",
        )
    )
    assert packet.vendor_class(found) == expected


def test_without_overload_the_file_field_is_a_name() -> None:
    assert packet.options(message(file=option(60, b"x") + b"\xff")) == {}


@pytest.mark.parametrize("options", [b"\x3c", b"\x3c\x05abc", b"\x35\x01\x01\x3c\xff"])
def test_rule_14_a_malformed_area_is_no_crash(options: bytes) -> None:
    broken = message(options=options, pad=0)
    with pytest.raises(packet.MalformedOptionsError):
        packet.options(broken)
    assert packet.readable_options(broken) == {}


def test_an_area_without_end_ends_at_its_last_octet() -> None:
    assert packet.options(message(options=option(53, b"\1"), pad=0)) == {53: b"\1"}


def test_bootp_has_no_options() -> None:
    assert packet.options(message(options=None)) == {}
    assert packet.options(message(options=None, pad=0)) == {}


def test_rule_15_architectures_are_a_list_of_16_bit_numbers() -> None:
    assert packet.architectures({93: b"\0\x07\0\x10"}) == (7, 16)
    assert packet.architectures({93: b"\0\x07\0"}) == (7,)
    assert packet.architectures({}) == ()


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [
        (b"PXEClient", True),
        (b"HTTPClient:Arch:00016", True),
        (b"MSFT 5.0", False),
        (b"pxeclient", False),
        (b"", False),
    ],
)
def test_rule_15_a_pxe_client_says_so_in_option_60(vendor: bytes, expected: bool) -> None:
    assert packet.is_pxe(vendor) is expected


@given(st.binary(max_size=700))
def test_no_octets_make_the_reader_raise(octets: bytes) -> None:
    found = packet.readable_options(bytes(message(pad=0))[:240] + octets)
    assert sum(map(len, found.values())) <= len(octets) + 192
    packet.readable_options(octets)
