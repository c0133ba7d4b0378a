"""Attributes of netlink messages, also where it is remembered where they stand."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from pxerelay.linux import attributes

WANTED = frozenset({1, 3, 5})
KINDS = some.sampled_from([1, 2, 3, 3 | 0x8000, 4, 5 | 0x4000])
MANY = some.lists(some.tuples(KINDS, some.binary(max_size=21)), min_size=12, max_size=30)


def packed(found: list[tuple[int, bytes]]) -> bytes:
    return b"".join(
        struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4) for kind, value in found
    )


def outcome(read: object, octets: bytes, start: int) -> object:
    """Return what is read, or the error."""
    assert callable(read)
    try:
        return dict(read(octets, start, WANTED))
    except ValueError as error:
        return str(error)


@given(MANY, some.integers(0, 8), some.lists(some.tuples(some.integers(0, 900), some.integers(0, 255))), MANY)
@example([(3, b"\1\2\3\4\5")] * 30, 0, [(0, 5)], [(3, b"")] * 12)
def test_what_is_read_from_remembered_places_is_what_a_walk_finds(
    first: list[tuple[int, bytes]],
    start: int,
    changes: list[tuple[int, int]],
    second: list[tuple[int, bytes]],
) -> None:
    """Octets that look much the same, and differ anywhere: in values, in headers, at the end."""
    octets = bytearray(bytes(start) + packed(first))
    other = bytes(start) + packed(second)
    versions = [bytes(octets), bytes(octets), other]
    for at, value in changes:
        octets[at % len(octets)] = value
        versions.append(bytes(octets))
    for version in (*versions, bytes(octets)[:-1], bytes(octets)[:-3], *versions):
        assert outcome(attributes.read, version, start) == outcome(attributes.each, version, start)


def test_of_a_type_that_comes_again_all_values_are_there() -> None:
    octets = packed([(3, b"ab"), (2, b"x"), (3 | 0x8000, b"cd")])
    assert attributes.each(octets, 0, WANTED) == [(3, b"ab"), (3, b"cd")]
    assert attributes.read(octets, 0, WANTED) == {3: b"cd"}


def test_places_are_forgotten_when_there_are_too_many() -> None:
    for size in range(200):
        octets = packed([(1, bytes(200)), (3, bytes(size)), (4, b"")])
        assert attributes.read(octets, 0, WANTED) == {1: bytes(200), 3: bytes(size)}
        assert attributes.read(octets, 0, WANTED) == {1: bytes(200), 3: bytes(size)}


@pytest.mark.parametrize("length", [0, 3, 213, 0xFFFF])
def test_an_attribute_that_is_not_all_there_is_an_error_among_many_too(length: int) -> None:
    octets = packed([(2, bytes(200)), (3, b"ab")])
    assert attributes.read(octets, 0, WANTED) == {3: b"ab"}
    with pytest.raises(ValueError, match=f"says that it has {length} octets"):
        attributes.read(struct.pack("=H", length) + octets[2:], 0, WANTED)
