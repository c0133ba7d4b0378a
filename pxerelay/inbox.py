"""Datagrams from the kernel, a batch per system call."""

from __future__ import annotations

import errno
import socket
import struct

from pxerelay import mmsg
from pxerelay.packet import Datagram

BATCH = 256
"""Datagrams that one system call receives at most."""

_SLOT = 65536 + 64
"""Octets for one datagram: UDP carries less than 65536, the rest staggers the slots over the cache.

Memory of a slot that no datagram ever filled is never touched, and so takes none.
"""

_NAME = struct.Struct("@4x4s8x")
"""The sender's address in a struct sockaddr_in (ip(7))."""

_CONTROL = struct.Struct("@N8xi4s4s4x")
"""A control message (cmsg(3)): its length, level and type, then struct in_pktinfo (ip(7)): the interface's
index, the local address, the destination in the packet."""


class Inbox:
    """Room for one batch, received from UDP sockets that have IP_PKTINFO set (`sockets.open_udp`)."""

    def __init__(self) -> None:
        self._data = mmsg.Buffer(BATCH * _SLOT)
        self._names = mmsg.Buffer(BATCH * _NAME.size)
        self._controls = mmsg.Buffer(BATCH * _CONTROL.size)
        self._iovecs = mmsg.Buffer(BATCH * mmsg.IOVEC.size)
        self._headers = mmsg.Buffer(BATCH * mmsg.MMSGHDR.size)
        for at in range(BATCH):
            slot = self._data.address + at * _SLOT
            mmsg.IOVEC.pack_into(self._iovecs.octets, at * mmsg.IOVEC.size, slot, _SLOT)
            mmsg.MMSGHDR.pack_into(
                self._headers.octets,
                at * mmsg.MMSGHDR.size,
                *(self._names.address + at * _NAME.size, _NAME.size),
                *(self._iovecs.address + at * mmsg.IOVEC.size, 1),
                *(self._controls.address + at * _CONTROL.size, _CONTROL.size),
                *(0, 0),
            )
        self._fresh = bytes(self._headers.octets)
        view = memoryview(self._data.octets)
        self._slots = [view[at * _SLOT : (at + 1) * _SLOT] for at in range(BATCH)]
        self._lengths = memoryview(self._headers.octets).cast("I")[mmsg.LENGTH_AT :: mmsg.LENGTH_STRIDE]
        self._name_octets = memoryview(self._names.octets)
        self._control_octets = memoryview(self._controls.octets)

    def receive(self, sock: socket.socket) -> list[Datagram]:
        """Return what is waiting at a socket, valid until the next call; OSError if the socket fails."""
        self._headers.octets[:] = self._fresh
        try:
            count = mmsg.receive(sock.fileno(), self._headers.address, BATCH, socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return []
            raise
        names = _NAME.iter_unpack(self._name_octets[: count * _NAME.size])
        controls = _CONTROL.iter_unpack(self._control_octets[: count * _CONTROL.size])
        lengths = self._lengths[:count].tolist()
        messages = [slot[:length] for slot, length in zip(self._slots, lengths, strict=False)]
        return list(zip(messages, names, controls, strict=True))
