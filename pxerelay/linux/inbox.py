"""Datagrams from the kernel, a batch per system call."""

from __future__ import annotations

import socket
import struct
import time

from pxerelay.linux import mmsg
from pxerelay.wire.batch import EXCESS, SLOT, Batch, Room, room_size

BATCH = 256
"""Datagrams that one system call receives at most."""

_NAME = struct.Struct("@4x4s8x")
"""The sender's address in a struct sockaddr_in (ip(7)): family, port, address."""

_STAMP = struct.Struct("@N8xll")
"""A control message (cmsg(3)): its length, level and type, then when the datagram came, a struct timespec
(SO_TIMESTAMPNS, the kernel's networking/timestamping.rst). It comes before the next one."""

_INFO = struct.Struct("@N8xi4s4s4x")
"""Another: struct in_pktinfo (ip(7)): the interface's index, the local address, the packet's destination."""

_CONTROL_SIZE = _STAMP.size + _INFO.size

_WORD, _LONG = 4, struct.calcsize("@l")


class Inbox:
    """Room for one batch, from sockets of `sockets.open_udp`: these tell when, where and to whom it came."""

    def __init__(self) -> None:
        data = mmsg.Buffer(room_size(BATCH))
        self._room = Room(data.octets)
        self._kept = data
        places = [
            ((data.address + slot, SLOT), (data.address + rest, EXCESS)) for slot, rest in self._room.places
        ]
        self._arrivals = mmsg.Arrivals(places, _NAME.size, _CONTROL_SIZE)
        names, controls = self._arrivals.names, self._arrivals.controls
        self._lengths = self._arrivals.lengths
        self._ports = memoryview(names.octets).cast("H")[1 :: _NAME.size // 2]
        self._sources = memoryview(names.octets).cast("I")[1 :: _NAME.size // _WORD]
        head = struct.calcsize("@N8x")
        info = (_STAMP.size + head) // _WORD
        arrivals, stride = memoryview(controls.octets), _CONTROL_SIZE // _WORD
        seconds, of_second = (
            memoryview(controls.octets).cast("l")[at :: _CONTROL_SIZE // _LONG]
            for at in (head // _LONG, head // _LONG + 1)
        )
        self._seconds, self._nanoseconds = seconds, of_second
        self._indexes = arrivals.cast("i")[info::stride]
        self._locals = arrivals.cast("I")[info + 1 :: stride]
        self._destinations = arrivals.cast("I")[info + 2 :: stride]

    def receive(self, sock: socket.socket) -> Batch:
        """Return what is waiting at a socket, valid until the next call; OSError if the socket fails."""
        count = self._arrivals.receive(sock)
        return Batch(
            self._room,
            self._lengths[:count].tolist(),
            self._sources[:count].tolist(),
            self._indexes[:count].tolist(),
            self._locals[:count].tolist(),
            self._destinations[:count].tolist(),
            self._ports[:count].tolist(),
            self._waited,
        )

    def _waited(self, at: int) -> float:
        """Return how many seconds the datagram at a position has waited; less than 0 if the clock was set."""
        return time.time() - self._seconds[at] - self._nanoseconds[at] / 1e9
