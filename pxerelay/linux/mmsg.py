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
import struct
from typing import Any

MMSGHDR = struct.Struct("@PIPNPNi0PI0P")
"""One message header; 0P makes the gaps that C makes (recvmmsg(2))."""

IOVEC = struct.Struct("@PN")
"""Where octets lie, and how many (readv(2))."""

LENGTH_AT, LENGTH_STRIDE = struct.calcsize("@PIPNPNi0P") // 4, MMSGHDR.size // 4
"""Where the octets moved stand in an array of headers that is seen as 32-bit numbers."""

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
        self.octets: Any = mmap.mmap(-1, size, _PRIVATE)  # typing knows no "bytearray or mmap"
        with contextlib.suppress(OSError, AttributeError):  # a kernel, or a C library, without them
            self.octets.madvise(mmap.MADV_NOHUGEPAGE)
        self._pin = (ctypes.c_char * size).from_buffer(self.octets)
        self.address = ctypes.addressof(self._pin)


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
