"""Netlink messages as they are told apart in what was read at a time."""

from __future__ import annotations

import struct

import pytest

from pxerelay.linux.netlink import Message, messages


def octets(length: int, kind: int, rest: bytes = b"") -> bytes:
    """Return a message that says so of itself."""
    return struct.pack("=IHHII", length, kind, 2, 7, 4711) + rest


def test_messages_are_told_apart_and_start_at_multiples_of_four() -> None:
    first, second = octets(17, 16, b"a"), octets(20, 3, b"bcde")
    assert list(messages(first + b"\0\0\0" + second)) == [
        Message(16, 2, 7, 4711, first),
        Message(3, 2, 7, 4711, second),
    ]


def test_the_last_one_needs_no_padding() -> None:
    assert [message.octets for message in messages(octets(17, 16, b"a"))] == [octets(17, 16, b"a")]


@pytest.mark.parametrize("length", [0, 15, 21, 1 << 31])
def test_a_message_that_is_not_all_there_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match=f"says that it has {length} octets, and 20 are there"):
        list(messages(octets(length, 16, b"abcd")))


@pytest.mark.parametrize("cut", range(1, 16))
def test_so_is_a_header_that_is_not_all_there(cut: int) -> None:
    with pytest.raises(ValueError, match=f"{cut} octets are no netlink message"):
        list(messages(octets(16, 16)[:cut]))
