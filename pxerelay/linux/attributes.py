"""Attributes of netlink messages: each a length, a type and a value (netlink(7)).

The length counts the 4 octets of these two numbers too. Each attribute is padded to a multiple of 4 octets.
Only those that are asked for are taken, others are passed over, and one that says that it is longer than what
is there is an error. Numbers are in the host's order.

A list of thousands of links is thousands of messages with the same forty attributes in the same places. So
where attributes stand is remembered: of octets with the same headers all values are taken at once.
"""

from __future__ import annotations

import struct
from collections.abc import Set as AbstractSet
from typing import NamedTuple

_HEADER = struct.Struct("=HH")
_TYPE = 0x3FFF
"""What of an attribute's type is the type; two bits say how its value is made (NLA_TYPE_MASK)."""

_FEW = 128
"""Octets up to which it is as fast to look at one header after the other as at all at once."""

_MOST = 64
"""Layouts that are remembered; names of different lengths make different ones."""


class _Layout(NamedTuple):
    """Where attributes stand: what reads their headers, and what these are; what reads some values."""

    headers: struct.Struct
    expected: tuple[int, ...]
    values: struct.Struct
    kinds: tuple[int, ...]


_layouts: dict[tuple[int, int, bytes, AbstractSet[int]], _Layout] = {}


def read(octets: bytes, start: int, wanted: frozenset[int]) -> dict[int, bytes]:
    """Return the values of some types of attributes, those that stand in octets from a place on.

    ValueError if they are not all there.
    """
    if len(octets) - start <= _FEW:
        return dict(each(octets, start, wanted))
    key = len(octets), start, octets[start : start + _HEADER.size], wanted
    layout = _layouts.get(key)
    if layout is not None and layout.headers.unpack_from(octets, start) == layout.expected:
        return dict(zip(layout.kinds, layout.values.unpack_from(octets, start), strict=True))
    found = each(octets, start, wanted)
    if layout is None:
        _remember(key, octets)
    return dict(found)


def each(octets: bytes, start: int, wanted: frozenset[int]) -> list[tuple[int, bytes]]:
    """Return types and values as `read` does, also where a type comes again."""
    found, end, unpack = [], len(octets), _HEADER.unpack_from
    while start + 4 <= end:
        length, kind = unpack(octets, start)
        if length < 4 or start + length > end:
            raise ValueError(f"an attribute says that it has {length} octets, and {end - start} are there")
        if kind & _TYPE in wanted:
            found.append((kind & _TYPE, octets[start + 4 : start + length]))
        start += length + 3 & ~3
    return found


def one(kind: int, value: bytes) -> bytes:
    """Return an attribute whose value has a multiple of 4 octets."""
    return _HEADER.pack(_HEADER.size + len(value), kind) + value


def _remember(key: tuple[int, int, bytes, AbstractSet[int]], octets: bytes) -> None:
    """Remember where the attributes of octets stand, which are all there."""
    end, start, _, wanted = key
    headers, values = "=", "="
    expected, kinds = [], []
    while start + 4 <= end:
        length, kind = _HEADER.unpack_from(octets, start)
        size = min(length + 3 & ~3, end - start)
        headers += f"HH{size - 4}x"
        expected += [length, kind]
        if kind & _TYPE in wanted:
            values += f"4x{length - 4}s{size - length}x"
            kinds.append(kind & _TYPE)
        else:
            values += f"{size}x"
        start += size
    if len(_layouts) >= _MOST:
        _layouts.clear()
    _layouts[key] = _Layout(struct.Struct(headers), tuple(expected), struct.Struct(values), tuple(kinds))
