"""Datagrams from the kernel, a batch per system call."""

from __future__ import annotations

import errno
import socket
import struct

from pxerelay.linux import mmsg
from pxerelay.wire.batch import EXCESS, SLOT, Batch, Room, room_size

BATCH = 256
"""Datagrams that one system call receives at most."""

_NAME = struct.Struct("@4x4s8x")
"""The sender's address in a struct sockaddr_in (ip(7))."""

_CONTROL = struct.Struct("@N8xi4s4s4x")
"""A control message (cmsg(3)): its length, level and type, then struct in_pktinfo (ip(7)): the interface's
index, the local address, the destination in the packet."""

_IOVECS = struct.Struct("@PNPN")
"""Where the two parts of a datagram go, and how long they may be (readv(2))."""

_WORD = 4


class Inbox:
    """Room for one batch, received from UDP sockets that have IP_PKTINFO set (`sockets.open_udp`)."""

    def __init__(self) -> None:
        data = mmsg.Buffer(room_size(BATCH))
        self._room = Room(data.octets)
        names = mmsg.Buffer(BATCH * _NAME.size)
        controls = mmsg.Buffer(BATCH * _CONTROL.size)
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
                *(controls.address + at * _CONTROL.size, _CONTROL.size),
                *(0, 0),
            )
        self._fresh = bytes(self._headers.octets)
        self._used = 0
        self._lengths = memoryview(self._headers.octets).cast("I")[mmsg.LENGTH_AT :: mmsg.LENGTH_STRIDE]
        self._sources = memoryview(names.octets).cast("I")[1 :: _NAME.size // _WORD]
        info = struct.calcsize("@N8x") // _WORD
        arrivals, stride = memoryview(controls.octets), _CONTROL.size // _WORD
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
        )
