"""Datagrams from the kernel, a batch per system call."""

from __future__ import annotations

import errno
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

_IOVECS = struct.Struct("@PNPN")
"""Where the two parts of a datagram go, and how long they may be (readv(2))."""

_WORD, _LONG = 4, struct.calcsize("@l")


class Inbox:
    """Room for one batch, from sockets of `sockets.open_udp`: these tell when, where and to whom it came."""

    def __init__(self) -> None:
        data = mmsg.Buffer(room_size(BATCH))
        self._room = Room(data.octets)
        names = mmsg.Buffer(BATCH * _NAME.size)
        controls = mmsg.Buffer(BATCH * _CONTROL_SIZE)
        iovecs = mmsg.Buffer(BATCH * _IOVECS.size)
        self._headers = mmsg.Buffer(BATCH * mmsg.MMSGHDR.size)
        self._kept = data, names, controls, iovecs
        for at, (slot, rest) in enumerate(self._room.places):
            parts = data.address + slot, SLOT, data.address + rest, EXCESS
            _IOVECS.pack_into(iovecs.octets, at * _IOVECS.size, *parts)
            mmsg.MMSGHDR.pack_into(
                self._headers.octets,
                at * mmsg.MMSGHDR.size,
                *(names.address + at * _NAME.size, _NAME.size),
                *(iovecs.address + at * _IOVECS.size, 2),
                *(controls.address + at * _CONTROL_SIZE, _CONTROL_SIZE),
                *(0, 0),
            )
        self._fresh = bytes(self._headers.octets)
        self._used = 0
        self._lengths = memoryview(self._headers.octets).cast("I")[mmsg.LENGTH_AT :: mmsg.LENGTH_STRIDE]
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
        used = self._used * mmsg.MMSGHDR.size  # the kernel left in them what it found
        self._headers.octets[:used] = self._fresh[:used]
        self._used = 0
        try:
            count = self._used = mmsg.receive(
                sock.fileno(), self._headers.address, BATCH, socket.MSG_DONTWAIT
            )
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            count = 0
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
