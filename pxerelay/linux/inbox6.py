"""DHCPv6 datagrams from the kernel, a batch per system call."""

from __future__ import annotations

import socket
import struct
import time
from typing import NamedTuple

from pxerelay.linux import mmsg

BATCH = 256
"""Datagrams that one system call receives at most."""

_SLOT, _EXCESS = 2048, 65536
"""Octets of a datagram that lie together, more than one Ethernet frame brings, and those of the rest of it;
memory that none ever filled takes none."""

_NAME = struct.Struct("@HHI16sI")
"""struct sockaddr_in6 (ipv6(7)): family, port in network order, flow, address, scope."""

_CONTROLS = struct.Struct("@N8xllN8x16si4x")
"""Two control messages (cmsg(3)): when it came, a struct timespec (SO_TIMESTAMPNS); where it was sent to and
by which interface it came in, a struct in6_pktinfo (RFC 3542, 6.1)."""


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
    """Datagrams of one call where they lie: some of what is told of each in columns, all of one on demand.

    It is valid until the next call. `interfaces` are indexes.
    """

    __slots__ = ("_controls", "_inbox", "_now", "interfaces")

    def __init__(self, inbox: Inbox6, count: int, now: float) -> None:
        self._inbox, self._now = inbox, now
        self._controls = list(_CONTROLS.iter_unpack(inbox.controls[: count * _CONTROLS.size]))
        self.interfaces: list[int] = [index for *_, index in self._controls]

    def __len__(self) -> int:
        return len(self._controls)

    def sources(self) -> list[bytes]:
        """Return the 16 octets that each came from."""
        names = self._inbox.names[: len(self) * _NAME.size]
        return [source for _, _, _, source, _ in _NAME.iter_unpack(names)]

    def waited(self, at: int) -> float:
        """Return the seconds that one has waited to be read, less than 0 if the clock was set."""
        _, seconds, nanoseconds, *_ = self._controls[at]
        return float(self._now - seconds - nanoseconds / 1e9)

    @property
    def newest(self) -> int:
        """When the kernel took in the last one, in nanoseconds since 1970; 0 if there is none."""
        return max((self._stamp(at) for at in range(len(self))), default=0)

    def _stamp(self, at: int) -> int:
        _, seconds, nanoseconds, *_ = self._controls[at]
        return int(seconds * 10**9 + nanoseconds)

    def datagram(self, at: int) -> Datagram6:
        """Return all of one."""
        *_, destination, index = self._controls[at]
        _, port, _, source, _ = _NAME.unpack_from(self._inbox.names, at * _NAME.size)
        message = self._inbox.message(at)
        return Datagram6(message, source, socket.ntohs(port), index, destination, self._stamp(at))


class Inbox6:
    """Room for one batch, from sockets of `sockets6.open_udp`."""

    def __init__(self) -> None:
        self._data = mmsg.Buffer(BATCH * (_SLOT + _EXCESS))
        slots, rests = self._data.address, self._data.address + BATCH * _SLOT
        places = [((slots + at * _SLOT, _SLOT), (rests + at * _EXCESS, _EXCESS)) for at in range(BATCH)]
        self._arrivals = mmsg.Arrivals(places, _NAME.size, _CONTROLS.size)
        self.names = memoryview(self._arrivals.names.octets)
        self.controls = memoryview(self._arrivals.controls.octets)

    def receive(self, sock: socket.socket) -> Batch6:
        """Return what is waiting at a socket, at most `BATCH`; OSError if the socket fails."""
        return Batch6(self, self._arrivals.receive(sock), time.time())

    def message(self, at: int) -> bytes:
        """Return the octets of a datagram of the last call."""
        size = self._arrivals.lengths[at]
        octets, start = self._data.octets, at * _SLOT
        message = bytes(octets[start : start + min(size, _SLOT)])
        if size > _SLOT:
            start = BATCH * _SLOT + at * _EXCESS
            message += bytes(octets[start : start + size - _SLOT])
        return message
