"""Exact addresses and their choices, a million of them in 12 megabytes.

Two arrays, sorted by address. Where to look is told by a third one: addresses are sorted by their last
octets first, which differ most, and the array says for the first bits of these where they begin. What is left
is a bisection among a handful, so that a lookup among a million takes as long as one among ten. And there are
no million objects: the table goes from the loading process to the daemon, and out of memory again, as three
pieces that take no time, so that a reload never holds up a packet.
"""

from __future__ import annotations

import copy
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from pxerelay.wire.mac import MAC_OCTETS

Value = TypeVar("Value")

_NUMBER = "Q"
_PADDING = bytes(array(_NUMBER).itemsize - MAC_OCTETS)
_BITS = 8 * MAC_OCTETS
_FEW = 4
"""Addresses, more or less, that share a beginning in the third array."""

_MOST_PREFIX_BITS = 18


class MacTable(Generic[Value]):
    """Values by Ethernet address, 6 octets. Built once, then only read."""

    __slots__ = ("_addresses", "_shift", "_starts", "_values", "_which")

    def __init__(self, values: Mapping[bytes, Value]) -> None:
        addresses = sorted(values, key=_last_octet_first)
        self._addresses = array(_NUMBER, b"".join(address + _PADDING for address in addresses))
        if sys.byteorder == "big":
            self._addresses.byteswap()
        distinct = {id(value): value for value in values.values()}  # by identity: hashing a value is slow
        numbers = {identity: number for number, identity in enumerate(distinct)}
        self._which = array("I", (numbers[id(values[address])] for address in addresses))
        self._values: tuple[Value | None, ...] = tuple(distinct.values())
        prefix_bits = min((len(addresses) // _FEW).bit_length(), _MOST_PREFIX_BITS)
        self._shift = _BITS - prefix_bits
        beginnings = (prefix << self._shift for prefix in range((1 << prefix_bits) + 1))
        self._starts = array("I", (bisect_left(self._addresses, number) for number in beginnings))

    def __len__(self) -> int:
        return len(self._addresses)

    def items(self) -> Iterator[tuple[bytes, Value]]:
        """Yield each address with its value, sorted by the addresses' last octets."""
        for number, which in zip(self._addresses, self._which, strict=True):
            value = self._values[which]
            if value is not None:
                yield number.to_bytes(MAC_OCTETS, "little"), value

    def without(self, gone: Callable[[Value], bool]) -> MacTable[Value]:
        """Return a table that lacks the addresses with some values, and shares everything with this one."""
        table = copy.copy(self)
        table._values = tuple(None if value is None or gone(value) else value for value in self._values)
        return table

    def get(self, address: bytes) -> Value | None:
        """Return the value of an address, None if it has none."""
        number = int.from_bytes(address, "little")
        prefix = number >> self._shift
        end = self._starts[prefix + 1]
        at = bisect_left(self._addresses, number, self._starts[prefix], end)
        if at < end and self._addresses[at] == number:
            return self._values[self._which[at]]
        return None


def _last_octet_first(address: bytes) -> bytes:
    return address[::-1]
