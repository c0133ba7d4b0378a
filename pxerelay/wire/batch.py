"""A batch of datagrams where they lie, seen a field at a time.

To look at one field of every message at once is many times faster in Python than to look at every field of
one message, so what is done to all messages alike is done by columns: lists with an entry for each datagram.

A `Room` is memory in slots, one for each datagram. Numbers in its columns are in the host's byte order, as
they are only compared; `number` makes such a number of octets, `to_bytes(size, sys.byteorder)` goes back.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from pxerelay.wire import packet
from pxerelay.wire.mac import MAC_OCTETS

SLOT = 2048
"""Octets of a datagram that lie in its slot: all of those that come in one Ethernet frame."""

EXCESS = 65536
"""Octets that a larger one may have beyond that; memory that none ever filled takes none."""

_START = 4
"""Where the first slot begins, so that chaddr and options stand at multiples of 8."""

NOWHERE = -1
"""The interface of a datagram that is to be ignored."""


def room_size(count: int) -> int:
    """Return the octets that a room for so many datagrams needs."""
    return _START + count * (SLOT + EXCESS) + 4


def number(octets: bytes) -> int:
    """Return the number that a column shows for these octets."""
    return int.from_bytes(octets, sys.byteorder)


class Room:
    """Slots in memory of `room_size` octets, and behind them all what does not fit into these.

    `places` tells for each datagram where its slot begins, and where the rest of it.
    """

    def __init__(self, octets: bytearray) -> None:
        whole = memoryview(octets)
        count = len(octets) // (SLOT + EXCESS)
        rests = _START + count * SLOT
        self.places = tuple((_START + at * SLOT, rests + at * EXCESS) for at in range(count))
        self._slots = [whole[start : start + SLOT] for start, _ in self.places]
        self._octets = whole
        self._words = whole.cast("I")
        self._quads = whole.cast("Q")

    def messages(self, sizes: Sequence[int]) -> list[memoryview]:
        """Return the first datagrams, of these lengths; one that is larger than a slot as a copy."""
        found = [slot[:size] for slot, size in zip(self._slots, sizes, strict=False)]
        if sizes and max(sizes) > SLOT:
            for at, size in enumerate(sizes):
                if size > SLOT:
                    _, rest = self.places[at]
                    found[at] = memoryview(bytearray(found[at]) + self._octets[rest : rest + size - SLOT])
        return found

    def octets(self, offset: int, count: int) -> list[int]:
        """Return the octet at an offset of the first `count` slots."""
        return _column(self._octets, offset, count)

    def words(self, offset: int, count: int) -> list[int]:
        """Return the 32-bit number at an offset, a multiple of 4."""
        return _column(self._words, offset, count)

    def quads(self, offset: int, count: int) -> list[int]:
        """Return the 64-bit number at an offset, 4 more than a multiple of 8."""
        return _column(self._quads, offset, count)


def _column(items: memoryview, offset: int, count: int) -> list[Any]:
    start, step = (_START + offset) // items.itemsize, SLOT // items.itemsize
    found: list[Any] = items[start : start + (count - 1) * step + 1 : step].tolist() if count else []
    return found


class Batch:
    """Datagrams in a room, in columns: the messages, their lengths, and how each of them arrived.

    `sources` are the senders' addresses as numbers, `indexes` the interfaces; `locals` are our addresses that
    they were delivered to and `destinations` those that they were sent to, which differ for broadcasts.
    """

    __slots__ = ("_room", "destinations", "indexes", "locals", "messages", "sizes", "sources")

    def __init__(
        self,
        room: Room,
        sizes: list[int],
        sources: list[int],
        indexes: list[int],
        locals_: list[int],
        destinations: list[int],
    ) -> None:
        self._room = room
        self.sizes, self.sources, self.indexes = sizes, sources, indexes
        self.locals, self.destinations = locals_, destinations
        self.messages = room.messages(sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def ignore(self, interfaces: AbstractSet[int]) -> None:
        """Ignore what arrived on these interfaces."""
        self.indexes = [NOWHERE if index in interfaces else index for index in self.indexes]

    def octets(self, offset: int) -> list[int]:
        """Return an octet of each message; of a message that does not reach so far, anything."""
        return self._room.octets(offset, len(self.sizes))

    def words(self, offset: int) -> list[int]:
        """Return 32 bits of each message as a number; of one that does not reach so far, anything."""
        return self._room.words(offset, len(self.sizes))

    def quads(self, offset: int) -> list[int]:
        """Return 64 bits of each message as a number; of one that does not reach so far, anything."""
        return self._room.quads(offset, len(self.sizes))

    def clients(self) -> list[int]:
        """Return the number of each client that has a hardware address of 6 octets; for others, anything."""
        return [chaddr & _ADDRESS for chaddr in self.quads(packet.CHADDR_START)]

    def arrival(self, at: int) -> Arrival:
        """Return all of one datagram."""
        return Arrival(
            self.messages[at],
            self.indexes[at],
            self.sources[at].to_bytes(4, sys.byteorder),
            self.locals[at] == self.destinations[at],
        )


class Arrival(NamedTuple):
    """A message where it lies, the interface it came in on, its sender's 4 octets, whether it was unicast."""

    message: memoryview
    interface: int
    source: bytes
    unicast: bool


_ADDRESS = number(b"\xff" * MAC_OCTETS + bytes(8 - MAC_OCTETS))


def client_number(message: packet.Message) -> int:
    """Return what tells a client from others as a number: `packet.client_octets`.

    That of 6 octets is the one in the column of `Batch.clients`; others are negative.
    """
    octets = packet.client_octets(message)
    if len(octets) == MAC_OCTETS == message[packet.HLEN]:
        return number(octets.ljust(8, b"\0"))
    return -1 - number(octets)
