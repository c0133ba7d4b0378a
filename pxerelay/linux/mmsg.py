"""Many datagrams a system call: recvmmsg(2) and sendmmsg(2), which Python's socket module has not.

The message headers of a batch lie in flat buffers that Python reads and writes with `struct`, many times
faster than it could field by field through ctypes. A `struct mmsghdr` is a `struct msghdr` (name, its
length, iovecs, their count, control, its length, flags) and the number of octets moved.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

MMSGHDR = struct.Struct("@PIPNPNi0PI0P")
"""One message header; 0P makes the gaps that C makes (recvmmsg(2))."""

IOVEC = struct.Struct("@PN")
"""Where octets lie, and how many (readv(2))."""

LENGTH_AT, LENGTH_STRIDE = struct.calcsize("@PIPNPNi0P") // 4, MMSGHDR.size // 4
"""Where the octets moved stand in an array of headers that is seen as 32-bit numbers."""

WAIT_FOR_ONE = 0x10000
"""Wait for the first datagram, and take of others what is there (MSG_WAITFORONE, recvmmsg(2))."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.recvmmsg.argtypes = (*(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p),)
_libc.sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Buffer:
    """Octets that Python and the kernel share; `address` is where they lie, for the life of the object.

    They are zero, and pages that nobody ever wrote to take no memory (mmap(2)): a bytearray would be filled
    with zeros, page by page. Huge pages would undo that, 2 MB for the first octet.
    """

    def __init__(self, size: int) -> None:
        size = max(size, 1)
        self.octets: Any = mmap.mmap(-1, size, _PRIVATE)  # typing knows no "bytearray or mmap"
        with contextlib.suppress(OSError, AttributeError):  # a kernel, or a C library, without them
            self.octets.madvise(mmap.MADV_NOHUGEPAGE)
        self._pin = (ctypes.c_char * size).from_buffer(self.octets)
        self.address = ctypes.addressof(self._pin)


class Arrivals:
    """Message headers for one recvmmsg: where datagrams go, and room for what is told of each.

    `places` has the parts of each datagram: addresses and lengths. `names` have a socket address each,
    `controls` all control messages that the socket's options ask for. They, and `lengths`, are those of the
    last call.
    """

    def __init__(
        self, places: Sequence[Sequence[tuple[int, int]]], name_size: int, control_size: int
    ) -> None:
        count = len(places)
        parts = sum(map(len, places))
        self.names, self.controls = Buffer(count * name_size), Buffer(count * control_size)
        self._iovecs = Buffer(parts * IOVEC.size)
        self._headers = Buffer(count * MMSGHDR.size)
        at_part = 0
        for at, here in enumerate(places):
            begin = self._iovecs.address + at_part * IOVEC.size
            for part in here:
                IOVEC.pack_into(self._iovecs.octets, at_part * IOVEC.size, *part)
                at_part += 1
            MMSGHDR.pack_into(
                self._headers.octets,
                at * MMSGHDR.size,
                *(self.names.address + at * name_size, name_size),
                *(begin, len(here)),
                *(self.controls.address + at * control_size, control_size),
                *(0, 0),
            )
        self._fresh = bytes(self._headers.octets)
        self._count = count
        self._used = 0
        self.lengths = memoryview(self._headers.octets).cast("I")[LENGTH_AT::LENGTH_STRIDE]

    def receive(self, sock: socket.socket, flags: int = socket.MSG_DONTWAIT) -> int:
        """Receive what is waiting at a socket, and return how many; OSError if the socket fails.

        With the flag `WAIT_FOR_ONE` in place of MSG_DONTWAIT it waits until there is something, as long as
        the socket's SO_RCVTIMEO says, and then it is BlockingIOError; a signal may end it before.
        """
        used = self._used * MMSGHDR.size  # the kernel left in them what it found
        self._headers.octets[:used] = self._fresh[:used]
        self._used = 0
        try:
            self._used = receive(sock.fileno(), self._headers.address, self._count, flags)
        except OSError as error:
            if error.errno != errno.EAGAIN or flags != socket.MSG_DONTWAIT:
                raise
        return self._used


def receive(descriptor: int, headers: int, count: int, flags: int) -> int:
    """Receive up to `count` datagrams into the headers at an address; OSError if the socket fails."""
    return _checked(_libc.recvmmsg(descriptor, headers, count, flags, None))


def send(descriptor: int, headers: int, count: int, flags: int) -> int:
    """Send datagrams until one fails, and return how many went; OSError if the first one failed."""
    return _checked(_libc.sendmmsg(descriptor, headers, count, flags))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        if code == errno.EINTR:
            return 0
        raise OSError(code, os.strerror(code))
    return result
