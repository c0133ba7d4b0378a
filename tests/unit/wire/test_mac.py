"""Spellings of addresses and patterns, and what is said of those that are none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.wire.mac import MacError, Pattern, format_mac, parse_mac, parse_pattern, rule_kind

FULL = (1 << 48) - 1


@pytest.mark.parametrize(
    "text",
    ["00:11:22:aa:bb:cc", "00-11-22-AA-BB-CC", "0011.22aa.bbcc", "00:11:22:AA:bb:Cc"],
)
def test_every_spelling_of_an_address_is_one_value(text: str) -> None:
    assert parse_mac(text) == bytes.fromhex("001122aabbcc")
    assert rule_kind(text, parse_pattern(text)) == "mac"


@pytest.mark.parametrize(
    ("text", "mask", "value", "kind"),
    [
        ("00:80:64", 0xFFFFFF000000, 0x008064000000, "oui"),
        ("0080.64", 0xFFFFFF000000, 0x008064000000, "oui"),
        ("70:b3:d5:1", 0xFFFFFFF00000, 0x70B3D5100000, "oui"),
        ("70-B3-D5-12-3", 0xFFFFFFFFF000, 0x70B3D5123000, "oui"),
        ("70b3.d512.3", 0xFFFFFFFFF000, 0x70B3D5123000, "oui"),
        ("00:80:64:*", 0xFFFFFF000000, 0x008064000000, "wildcard"),
        ("52:54:00:12:3?:*", 0xFFFFFFFFF000, 0x525400123000, "wildcard"),
        ("?2:*", 0x0F0000000000, 0x020000000000, "wildcard"),
        ("52:5*", 0xFFF000000000, 0x525000000000, "wildcard"),
        ("00:11:22:33:44:5?", 0xFFFFFFFFFFF0, 0x001122334450, "wildcard"),
        ("5254.0012.3???", 0xFFFFFFFFF000, 0x525400123000, "wildcard"),
        ("*", 0, 0, "wildcard"),
    ],
)
def test_a_pattern_fixes_exactly_the_digits_it_spells(text: str, mask: int, value: int, kind: str) -> None:
    pattern = parse_pattern(text)
    assert pattern == Pattern(mask, value)
    assert rule_kind(text, pattern) == kind
    assert pattern.fixed_digits == mask.bit_count() // 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty text"),
        ("001122334455", "write 00:11:22:33:44:55"),
        ("0:11:22:33:44:55", "write 00:11:22:33:44:55"),
        ("00:11-22:33:44:55", "write 00:11:22:33:44:55"),
        ("00:11:22:33:44", "write 00:11:22:33:44:*"),
        ("00:11:22:33:44:5", "write 00:11:22:33:44:5*"),
        ("00:80:6?", "write 00:80:6?:*"),
        ("00:11:22:33:44:5g", "'g' is no hex digit"),
        ("00:11:22:33:44:55:66", "14 hex digits"),
        ("00:*:22:33:44:55", "* stands for the rest"),
        ("+1:11:22:33:44:55", "'+' is no hex digit"),
        ("٣٣:11:22:33:44:55", "is no hex digit"),
        ("thin client", "is no hex digit"),
    ],
)
def test_what_is_no_mac_is_told_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(MacError, match=re.escape(says)):
        parse_pattern(text)


def test_a_pattern_is_no_address() -> None:
    with pytest.raises(MacError, match="not one address"):
        parse_mac("00:80:64")


patterns = st.builds(
    lambda mask, value: Pattern(mask, value & mask),
    st.lists(st.booleans(), min_size=12, max_size=12).map(
        lambda fixed: int("".join("f" if one else "0" for one in fixed), 16)
    ),
    st.integers(0, FULL) | st.text("01", min_size=12, max_size=12).map(lambda digits: int(digits, 16)),
)
"""Some have few different digits, so that one begins like another."""


@given(patterns)
def test_the_canonical_spelling_means_the_same_pattern(pattern: Pattern) -> None:
    assert parse_pattern(str(pattern)) == pattern
    assert parse_pattern(str(pattern).upper()) == pattern
    assert parse_pattern(str(pattern).replace(":", "-")) == pattern


@given(st.binary(min_size=6, max_size=6))
def test_an_address_survives_spelling(octets: bytes) -> None:
    assert parse_mac(format_mac(octets)) == octets
    dotted = octets.hex()
    assert parse_mac(f"{dotted[:4]}.{dotted[4:8]}.{dotted[8:]}") == octets


@given(patterns, patterns)
def test_patterns_overlap_if_an_address_matches_both(one: Pattern, other: Pattern) -> None:
    witness = (one.value | other.value & ~one.mask).to_bytes(6, "big")
    assert one.overlaps(other) == (one.matches(witness) and other.matches(witness))


@given(st.text(alphabet="0123456789abcdefABCDEF?*:-.g ", max_size=20))
def test_any_text_is_a_pattern_or_a_mac_error(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except MacError:
        return
    assert pattern.value & ~pattern.mask == 0


@given(patterns, patterns, st.binary(min_size=6, max_size=6))
def test_what_patterns_have_in_common_is_what_both_match(one: Pattern, other: Pattern, mac: bytes) -> None:
    if one.overlaps(other):
        assert one.common(other).matches(mac) == (one.matches(mac) and other.matches(mac))
        assert one.common(other).matches(one.common(other).chaddr)


@given(st.binary(max_size=6), st.binary(min_size=6, max_size=6))
def test_a_pattern_of_octets_matches_what_begins_with_them(octets: bytes, mac: bytes) -> None:
    pattern = Pattern.of(octets)
    assert pattern.matches(octets + mac[len(octets) :])
    assert pattern.matches(mac) == mac.startswith(octets)
    assert pattern.exact == (len(octets) == 6)
