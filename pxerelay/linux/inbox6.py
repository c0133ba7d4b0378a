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
    time with which the kernel marked the packet, in nanoseconds since 1970; `waited` are the seconds since
    then, less than 0 if the clock was set.
    """

    message: bytes
    source: bytes
    port: int
    interface: int
    destination: bytes
    stamp: int
    waited: float


class Inbox6:
    """Room for one batch, from sockets of `sockets6.open_udp`."""

    def __init__(self) -> None:
        self._data = mmsg.Buffer(BATCH * (_SLOT + _EXCESS))
        slots, rests = self._data.address, self._data.address + BATCH * _SLOT
        places = [((slots + at * _SLOT, _SLOT), (rests + at * _EXCESS, _EXCESS)) for at in range(BATCH)]
        self._arrivals = mmsg.Arrivals(places, _NAME.size, _CONTROLS.size)

    def receive(self, sock: socket.socket) -> list[Datagram6]:
        """Return what is waiting at a socket, at most `BATCH`; OSError if the socket fails."""
        count, now = self._arrivals.receive(sock), time.time()
        found = []
        names, controls = self._arrivals.names.octets, self._arrivals.controls.octets
        for at, size in enumerate(self._arrivals.lengths[:count].tolist()):
            _, port, _, source, _ = _NAME.unpack_from(names, at * _NAME.size)
            _, seconds, nanoseconds, _, destination, index = _CONTROLS.unpack_from(
                controls, at * _CONTROLS.size
            )
            stamp = seconds * 10**9 + nanoseconds
            message = self._message(at, size)
            found.append(
                Datagram6(message, source, socket.ntohs(port), index, destination, stamp, now - stamp / 1e9)
            )
        return found

    def _message(self, at: int, size: int) -> bytes:
        octets, start = self._data.octets, at * _SLOT
        message = bytes(octets[start : start + min(size, _SLOT)])
        if size > _SLOT:
            start = BATCH * _SLOT + at * _EXCESS
            message += bytes(octets[start : start + size - _SLOT])
        return message
