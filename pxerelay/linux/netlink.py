"""Asking the kernel for lists of what it has (netlink(7), RFC 3549), without waiting for it.

What asks the kernel of links waits in it while somebody else changes one (its rtnl_lock), a tenth of a second
and more when many change. No socket option helps against that, so asking is left to a thread: packets go on.
The octets of messages are not looked into, behind their headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

_REQUEST, _DUMP, _DUMP_INTERRUPTED = 0x1, 0x300, 0x10
"""Flags: a request, for a list; the list may be inconsistent (NLM_F_, linux/netlink.h)."""

_ERROR, _DONE = 2, 3
"""Types of messages: an errno, or 0; the end of a list (NLMSG_, linux/netlink.h)."""

SOL_NETLINK, _GET_STRICT_CHECK = 270, 12
"""Not in Python's socket module; linux/netlink.h."""

_HEADER = struct.Struct("=IHHII")
"""Of a message: its octets, type, flags, sequence number, port (struct nlmsghdr; RFC 3549, 2.3.2)."""

_ALIGNMENT = 4
"""Messages start at multiples of so many octets (NLMSG_ALIGNTO; netlink(3))."""

_ERROR_NUMBER = struct.Struct("=i")
"""What follows in NLMSG_ERROR and NLMSG_DONE: a negative errno, or 0 (netlink(7); Linux' netlink_dump)."""

_PART = 65536
"""Octets to read at a time, twice of what Linux puts into one part of a list (its netlink_recvmsg)."""

_PARTS = 4
"""Parts of a list that are read before somebody looks at them."""

_LONGEST = struct.pack("@ll", 10, 0)
"""Seconds, and microseconds, that a part may take (SO_RCVTIMEO, socket(7)); the kernel has it at once."""

_AT_ONCE = 32
"""Messages of a list that are read before packets have their turn: less than half a millisecond's work."""


class DisturbedError(Exception):
    """Something changed while it was being listed, so the list may lack what was there all the time."""


class Message(NamedTuple):
    """A message with the fields of its header, which `octets` has too."""

    kind: int
    flags: int
    number: int
    port: int
    octets: bytes


def open_socket(groups: int = 0) -> socket.socket:
    """Return a socket that never blocks, for links and addresses; it hears of changes to these groups."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    opened = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    opened.bind((0, groups))
    return opened


def request(kind: int, body: bytes) -> bytes:
    """Return the message that asks for a list; nobody waits for it, what it has comes as events do."""
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _DUMP, 0, 0) + body


class Lister:
    """A netlink socket that asks for one list, or one thing, after the other.

    If it `is_strict` the kernel lists only what a request's body names, a link's addresses say (since Linux
    5.0); else it lists all.
    """

    def __init__(self) -> None:
        self._socket = open_socket()
        try:
            self._socket.setsockopt(SOL_NETLINK, _GET_STRICT_CHECK, 1)
        except OSError:
            self.is_strict = False
        else:
            self.is_strict = True
        self._socket.setblocking(True)  # in the thread that reads
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LONGEST)
        self._socket.connect((0, 0))  # with the kernel: nobody else is heard
        self._port = self._socket.getsockname()[0]
        self._number = 0
        self._thread = ThreadPoolExecutor(1, "netlink")

    def close(self) -> None:
        """Close the socket, and let the thread end that reads from it."""
        self._thread.shutdown(wait=False)
        self._socket.close()

    async def entries(self, kind: int, body: bytes, *, strict: bool) -> AsyncIterator[bytes]:
        """Ask for a list with a message of a type, and yield the messages that the list is made of.

        OSError if the kernel can't make it. With `strict`, DisturbedError if it marks the list as
        inconsistent (NLM_F_DUMP_INTR).
        """
        request = self._request(kind, body, _REQUEST | _DUMP)
        while True:
            for part in await self._asked(request):
                for at, message in enumerate(messages(part)):
                    if at % _AT_ONCE == 0:
                        await asyncio.sleep(0)  # packets first
                    if (message.number, message.port) != (self._number, self._port):
                        continue
                    if strict and message.flags & _DUMP_INTERRUPTED:
                        raise DisturbedError
                    if message.kind in (_DONE, _ERROR):
                        _pass_success(message)
                        return
                    yield message.octets
            request = b""

    async def answer(self, kind: int, body: bytes) -> bytes:
        """Ask for one thing with a message of a type, and return the message that tells it.

        OSError with what the kernel has against it.
        """
        request = self._request(kind, body, _REQUEST)
        while True:
            for part in await self._asked(request):
                for message in messages(part):
                    if (message.number, message.port) != (self._number, self._port):
                        continue
                    if message.kind == _ERROR:
                        _pass_success(message)
                    return message.octets
            request = b""

    def _request(self, kind: int, body: bytes, flags: int) -> bytes:
        self._number += 1
        return _HEADER.pack(_HEADER.size + len(body), kind, flags, self._number, self._port) + body

    async def _asked(self, request: bytes) -> list[bytes]:
        """Have a thread send a request, if there is one, and return the parts that it reads."""
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._exchange, request)
        try:
            return await asyncio.shield(work)
        finally:
            if not work.done():
                await asyncio.wait((work,))  # for the socket is not to be closed before

    def _exchange(self, request: bytes) -> list[bytes]:
        if request:
            self._socket.send(request)
        parts = [self._socket.recv(_PART)]
        with contextlib.suppress(BlockingIOError):  # there are no more now
            while len(parts) < _PARTS:
                parts.append(self._socket.recv(_PART, socket.MSG_DONTWAIT))
        return parts


def messages(part: bytes) -> Iterator[Message]:
    """Yield the messages in what was read at a time; ValueError if one is not all there."""
    start = 0
    while start < len(part):
        rest = len(part) - start
        if rest < _HEADER.size:
            raise ValueError(f"{rest} octets are no netlink message")
        length, kind, flags, number, port = _HEADER.unpack_from(part, start)
        if not _HEADER.size <= length <= rest:
            raise ValueError(f"a netlink message says that it has {length} octets, and {rest} are there")
        yield Message(kind, flags, number, port, part[start : start + length])
        start += -(-length // _ALIGNMENT) * _ALIGNMENT


def _pass_success(last: Message) -> None:
    """Raise the error that a list ends with, if it does."""
    (number,) = _ERROR_NUMBER.unpack_from(last.octets, _HEADER.size)
    if number:
        raise OSError(-number, os.strerror(-number))
