"""A batch of datagrams where they lie, seen a field at a time.

To look at one field of every message at once is many times faster in Python than to look at every field of
one message, so what is done to all messages alike is done by columns: lists with an entry for each datagram.

A `Room` is memory in slots, one for each datagram. Numbers in its columns are in the host's byte order, as
they are only compared; `number` makes such a number of octets, `to_bytes(size, sys.byteorder)` goes back.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Sequence
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

_ADDRESS = struct.Struct(f"{packet.CHADDR_START}x{MAC_OCTETS}s{SLOT - packet.CHADDR_START - MAC_OCTETS}x")
"""A slot, of which the client's hardware address is taken."""

Asker = bytes | tuple[int, int, bytes]
"""What a client is told apart by where it is heard: its key; behind routers the router's source address and
giaddr, as numbers, and its key."""

NOWHERE = -1
"""The interface of a datagram that is to be ignored."""


def room_size(count: int) -> int:
    """Return the octets that a room for so many datagrams needs."""
    return _START + count * (SLOT + EXCESS) + 4


def number(octets: bytes) -> int:
    """Return the number that a column shows for these octets."""
    return int.from_bytes(octets, sys.byteorder)


def numbers(addresses: Iterable[bytes]) -> frozenset[int]:
    """Return the numbers that a column shows for addresses of 4 octets."""
    return frozenset(memoryview(b"".join(addresses)).cast("I"))


_SERVER_PORT = number(packet.SERVER_PORT.to_bytes(2, "big"))


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
        self._area = whole[_START : _START + count * SLOT]
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

    def addresses(self, count: int) -> list[bytes]:
        """Return the first 6 octets of chaddr of the first `count` slots."""
        return [chaddr for (chaddr,) in _ADDRESS.iter_unpack(self._area[: count * SLOT])]

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
    `ports` are the senders' ports, as numbers too. `waited` returns for how many seconds the one at a
    position has waited to be read.
    """

    __slots__ = (
        "_clients",
        "_room",
        "destinations",
        "ignored",
        "indexes",
        "locals",
        "messages",
        "ports",
        "sizes",
        "sources",
        "waited",
    )

    def __init__(
        self,
        room: Room,
        sizes: list[int],
        sources: list[int],
        indexes: list[int],
        locals_: list[int],
        destinations: list[int],
        ports: list[int] | None = None,
        waited: Callable[[int], float] = lambda _: 0.0,
    ) -> None:
        self._room = room
        self.sizes, self.sources, self.indexes = sizes, sources, indexes
        self.locals, self.destinations = locals_, destinations
        self.messages = room.messages(sizes)
        self.ports = [_SERVER_PORT] * len(sizes) if ports is None else ports
        self.waited = waited
        self.ignored: tuple[int, ...] = ()
        self._clients: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    def ignore(self, interfaces: AbstractSet[int]) -> None:
        """Ignore what arrived on these interfaces; `ignored` has the positions."""
        self.ignored = tuple(at for at, index in enumerate(self.indexes) if index in interfaces)
        for at in self.ignored:
            self.indexes[at] = NOWHERE

    def places(self, clients: AbstractSet[int]) -> list[int]:
        """Return a number for where each came from: its interface, or its sender where no client is heard.

        `clients` are the interfaces that clients are heard on; behind others are routers and servers.
        """
        return [
            index if index in clients else ~source
            for index, source in zip(self.indexes, self.sources, strict=True)
        ]

    def octets(self, offset: int) -> list[int]:
        """Return an octet of each message; of a message that does not reach so far, anything."""
        return self._room.octets(offset, len(self.sizes))

    def words(self, offset: int) -> list[int]:
        """Return 32 bits of each message as a number; of one that does not reach so far, anything."""
        return self._room.words(offset, len(self.sizes))

    def quads(self, offset: int) -> list[int]:
        """Return 64 bits of each message as a number; of one that does not reach so far, anything."""
        return self._room.quads(offset, len(self.sizes))

    def clients(self) -> list[bytes]:
        """Return the hardware address of each client that has one of 6 octets; for others, anything."""
        if self._clients is None:
            self._clients = self._room.addresses(len(self.sizes))
        return self._clients

    def arrival(self, at: int) -> Arrival:
        """Return all of one datagram."""
        return Arrival(
            self.messages[at],
            self.indexes[at],
            self.sources[at].to_bytes(4, sys.byteorder),
            self.locals[at] == self.destinations[at],
        )

    def port(self, at: int) -> int:
        """Return the port that one was sent from."""
        return int.from_bytes(self.ports[at].to_bytes(2, sys.byteorder), "big")

    def asker(self, at: int, client: bytes) -> tuple[int, Asker]:
        """Return where a request was heard, and what its client is told apart by there.

        `client` is its key (`Facts.client_key`). The place is the index of the interface, or `~index` for one
        that a router relayed, whose giaddr and source address tell its clients apart too.
        """
        index = self.indexes[at]
        giaddr = number(bytes(self.messages[at][packet.GIADDR]))
        return (~index, (self.sources[at], giaddr, client)) if giaddr else (index, client)

    def askers(self, place: int, positions: Sequence[int]) -> list[Asker]:
        """Return what clients are told apart by at a place where Ethernet clients' requests were heard.

        giaddr of those that no router relayed is perhaps patched already.
        """
        clients = self.clients()
        if place >= 0:
            return [clients[at] for at in positions]
        sources, giaddrs = self.sources, self.words(packet.GIADDR.start)
        return [(sources[at], giaddrs[at], clients[at]) for at in positions]


class Arrival(NamedTuple):
    """A message where it lies, the interface it came in on, its sender's 4 octets, whether it was unicast."""

    message: memoryview
    interface: int
    source: bytes
    unicast: bool
