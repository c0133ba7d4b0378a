"""DHCPv6 datagrams from the kernel, a batch per system call."""

from __future__ import annotations

import socket
import struct
import time

from pxerelay.linux import mmsg
from pxerelay.wire.batch import EXCESS, SLOT
from pxerelay.wire.batch6 import Batch6, Room6, room_size

BATCH = 256
"""Datagrams that one system call receives at most."""

_NAME = struct.Struct("@2xHI16sI")
"""struct sockaddr_in6 (ipv6(7)): family, port in network order, flow, address, scope."""

_SOURCE = struct.Struct("@8x16s4x")
"""The address in it."""

_CONTROLS = struct.Struct("@N8xllN8x16si4x")
"""Two control messages (cmsg(3)): when it came, a struct timespec (SO_TIMESTAMPNS); where it was sent to and
by which interface it came in, a struct in6_pktinfo (RFC 3542, 6.1)."""

_TOLD = struct.Struct("@16xll16x16si4x")
"""What they say: seconds, nanoseconds, destination, interface."""


class Inbox6:
    """Room for one batch, from sockets of `sockets6.open_udp`."""

    def __init__(self) -> None:
        data = mmsg.Buffer(room_size(BATCH))
        self._room = Room6(data.octets)
        self._kept = data
        places = [
            ((data.address + slot, SLOT), (data.address + rest, EXCESS)) for slot, rest in self._room.places
        ]
        self._arrivals = mmsg.Arrivals(places, _NAME.size, _CONTROLS.size)
        self._lengths = self._arrivals.lengths
        self._names = memoryview(self._arrivals.names.octets)
        self._ports = self._names.cast("H")[1 :: _NAME.size // 2]
        self._controls = memoryview(self._arrivals.controls.octets)

    def receive(self, sock: socket.socket) -> Batch6:
        """Return what is waiting at a socket, valid until the next call; OSError if the socket fails."""
        count = self._arrivals.receive(sock)
        told = list(_TOLD.iter_unpack(self._controls[: count * _TOLD.size]))
        return Batch6(
            self._room,
            self._lengths[:count].tolist(),
            [source for (source,) in _SOURCE.iter_unpack(self._names[: count * _SOURCE.size])],
            self._ports[:count].tolist(),
            [index for _, _, _, index in told],
            [destination for _, _, destination, _ in told],
            [seconds * 10**9 + nanoseconds for seconds, nanoseconds, _, _ in told],
            time.time(),
        )
