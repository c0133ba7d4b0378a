"""A file's octets from its beginning to its end, and what can be wrong with them."""

from __future__ import annotations

from typing import Protocol


class ShortError(Exception):
    """The file ends within what it says that it has."""


class DamagedError(Exception):
    """The file has what its format has not; the message says what."""


class Readable(Protocol):
    """What octets are read from."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most so many octets, none at the end."""
        ...


MOST = 1 << 18
"""Octets of a packet or block that are kept. No link of ours has larger packets; libpcap writes none."""

_PORTION = 1 << 20
"""Octets that are read at a time: a damaged length may say that there are thousands of millions."""


class Octets:
    """Reads a file; room is only made for what is there, and kept."""

    def __init__(self, file: Readable) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """Return the next octets, of more than `MOST` the first ones; ShortError if there are fewer."""
        found = bytearray()
        left = size
        while left:
            more = self._file.read(min(left, _PORTION))
            if not more:
                raise ShortError
            left -= len(more)
            found += more[: MOST - len(found)]
        return bytes(found)

    def begin(self, size: int) -> bytes:
        """Return the next octets, none at the end of the file; ShortError if there are fewer."""
        first = self._file.read(1)
        return first + self.read(size - 1) if first else b""
