"""Options read in place: joined, overloaded, cut short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from tests.unit.messages import message, option, request


def test_options_are_found_by_code() -> None:
    found = Facts(request(arch=7)).options
    assert found[53] == b"\x01"
    assert packet.message_type(found) == 1
    assert packet.vendor_class(found) == b"PXEClient:Arch:00000:UNDI:002001"
    assert packet.architectures(found) == (7,)


def test_rule_14_split_options_are_joined() -> None:
    """RFC 3396, 5: the parts of an option that occurs several times are one value."""
    options = option(60, b"PXECl") + b"\0\0" + option(53, b"\1") + option(60, b"ient") + b"\xff"
    assert packet.vendor_class(Facts(message(options=options)).options) == b"PXEClient"


@pytest.mark.parametrize(
    ("overload", "expected"),
    [(1, b"one-file"), (2, b"one-sname"), (3, b"one-file-sname")],
)
def test_rule_14_overloaded_fields_are_read_file_first(overload: int, expected: bytes) -> None:
    """RFC 2132, 9.3 and RFC 3396, 5: options, then file, then sname."""
    found = Facts(
        message(
            options=option(52, bytes((overload,))) + option(60, b"one") + b"\xff",
            file=option(60, b"-file") + b"\xff",
            sname=option(60, b"-sname") + b"\xff",
        )
    ).options
    assert packet.vendor_class(found) == expected


def test_without_overload_the_file_field_is_a_name() -> None:
    assert Facts(message(file=option(60, b"x") + b"\xff")).options == {}


@pytest.mark.parametrize("options", [b"\x3c", b"\x3c\x05abc", b"\x35\x01\x01\x3c\xff"])
def test_rule_14_a_malformed_area_is_no_crash(options: bytes) -> None:
    broken = message(options=options, pad=0)
    assert Facts(broken).damaged
    assert Facts(broken).options == {}


def test_an_area_without_end_ends_at_its_last_octet() -> None:
    assert Facts(message(options=option(53, b"\1"), pad=0)).options == {53: b"\1"}


def test_bootp_has_no_options() -> None:
    assert Facts(message(options=None)).options == {}
    assert Facts(message(options=None, pad=0)).options == {}


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
    found = Facts(bytes(message(pad=0))[:240] + octets).options
    assert sum(map(len, found.values())) <= len(octets) + 192
    assert isinstance(Facts(octets).options, dict)
