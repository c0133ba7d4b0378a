"""A batch of DHCPv6 datagrams where they lie, in columns; `batch` has DHCPv4's.

A `Room6` is memory in slots, one for each datagram. A slot begins with room for what the relay says of a
message (`relayed6`), so that a RELAY-FORW is made without moving the message:

    room in front(192)  the message(2048)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pxerelay.wire.batch import EXCESS, NOWHERE, SLOT, number
from pxerelay.wire.packet6 import SERVER_PORT, TYPE

IN_FRONT = 192
"""Octets of room in front of each message."""

_STRIDE = IN_FRONT + SLOT

FROM_SERVER_PORT = number(SERVER_PORT.to_bytes(2, "big"))
"""How the column of ports shows port 547."""


def room_size(count: int) -> int:
    """Return the octets that a room for so many datagrams needs."""
    return count * (_STRIDE + EXCESS)


class Room6:
    """Slots in memory of `room_size` octets, and behind them all what does not fit into these.

    `places` tells for each datagram where its message begins, and where what does not fit into the slot;
    `starts` has the first of these. `whole` is all of it.
    """

    def __init__(self, octets: bytearray) -> None:
        self.octets = octets
        count = len(octets) // (_STRIDE + EXCESS)
        rests = count * _STRIDE
        self.places = tuple((at * _STRIDE + IN_FRONT, rests + at * EXCESS) for at in range(count))
        self.starts = [start for start, _ in self.places]
        whole = memoryview(octets)
        self.whole = whole
        self._slots = [whole[start : start + SLOT] for start, _ in self.places]
        self._types = whole[IN_FRONT + TYPE : rests : _STRIDE] if count else whole[:0]

    def messages(self, sizes: Sequence[int]) -> list[memoryview]:
        """Return the first datagrams, of these lengths; one that is larger than a slot as a copy."""
        found = [slot[:size] for slot, size in zip(self._slots, sizes, strict=False)]
        if sizes and max(sizes) > SLOT:
            for at, size in enumerate(sizes):
                if size > SLOT:
                    _, rest = self.places[at]
                    found[at] = memoryview(bytes(found[at]) + self.whole[rest : rest + size - SLOT])
        return found

    def types(self, count: int) -> list[int]:
        """Return the first octet of the first `count` slots."""
        return self._types[:count].tolist()


class Datagram6(NamedTuple):
    """A DHCPv6 message and how it arrived.

    `source` and `destination` have 16 octets, `port` is the sender's, `interface` an index. `stamp` is the
    time with which the kernel marked the packet, in nanoseconds since 1970.
    """

    message: bytes
    source: bytes
    port: int
    interface: int
    destination: bytes
    stamp: int


class Batch6:
    """Datagrams in a room, in columns: the messages, their lengths, and how each of them arrived.

    It is valid until the next one is received. `origins` and `destinations` have 16 octets each, `interfaces`
    are indexes, `ports` the senders' as numbers that `FROM_SERVER_PORT` is one of, `stamps` the times with
    which the kernel marked them, in nanoseconds since 1970. `now` is the time at which they were read, in
    seconds. `macs` are the Ethernet addresses that they came from, as far as somebody has found out.
    """

    __slots__ = (
        "_now",
        "destinations",
        "ignored",
        "interfaces",
        "macs",
        "messages",
        "origins",
        "ports",
        "room",
        "sizes",
        "stamps",
    )

    def __init__(
        self,
        room: Room6,
        sizes: list[int],
        origins: list[bytes],
        ports: list[int],
        interfaces: list[int],
        destinations: list[bytes],
        stamps: list[int],
        now: float,
    ) -> None:
        self.room, self.sizes, self.messages = room, sizes, room.messages(sizes)
        self.origins, self.ports, self.interfaces = origins, ports, interfaces
        self.destinations, self.stamps, self._now = destinations, stamps, now
        self.macs: list[bytes | None] = [None] * len(sizes)
        self.ignored: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.sizes)

    def ignore(self, interfaces: AbstractSet[int]) -> None:
        """Ignore what arrived on these interfaces; `ignored` has the positions."""
        self.ignored = tuple(at for at, index in enumerate(self.interfaces) if index in interfaces)
        for at in self.ignored:
            self.interfaces[at] = NOWHERE

    def sources(self) -> Sequence[bytes]:
        """Return the 16 octets that each came from."""
        return self.origins

    def waited(self, at: int) -> float:
        """Return the seconds that one has waited to be read, less than 0 if the clock was set."""
        return self._now - self.stamps[at] / 1e9

    @property
    def newest(self) -> int:
        """When the kernel took in the last one, in nanoseconds since 1970; 0 if there is none."""
        return max(self.stamps, default=0)

    def types(self) -> list[int]:
        """Return the type of each message; of one without an octet, anything."""
        return self.room.types(len(self.sizes))

    def port(self, at: int) -> int:
        """Return the port that one was sent from."""
        return int.from_bytes(self.ports[at].to_bytes(2, sys.byteorder), "big")

    def datagram(self, at: int) -> Datagram6:
        """Return a copy of one."""
        return Datagram6(
            bytes(self.messages[at]),
            self.origins[at],
            self.port(at),
            self.interfaces[at],
            self.destinations[at],
            self.stamps[at],
        )
