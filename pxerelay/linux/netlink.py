"""Asking the kernel for lists of what it has (netlink(7), RFC 3549), without waiting for it.

What asks the kernel of links waits in it while somebody else changes one (its rtnl_lock), a tenth of a second
and more when many change. No socket option helps against that, so asking is left to a thread: packets go on.
What a list's next octets are is asked while those before are looked at: the kernel and Python each take half
of the time of a long one, and both at once if there are two processors.

The octets of messages are not looked into, behind their headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, ParamSpec, TypeVar

from pxerelay.linux import mmsg

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

_ENDS = frozenset({_ERROR, _DONE})
"""The last message of a list is one of these."""

_ERROR_NUMBER = struct.Struct("=i")
"""What follows in NLMSG_ERROR and NLMSG_DONE: a negative errno, or 0 (netlink(7); Linux' netlink_dump)."""

_PART = 65536
"""Octets to read at a time, twice of what Linux puts into one part of a list (its netlink_recvmsg)."""

_PARTS = 16
"""Parts of a list that are read by one system call, some hundred messages, before somebody looks at them."""

_LONGEST = struct.pack("@ll", 10, 0)
"""Seconds, and microseconds, that a part may take (SO_RCVTIMEO, socket(7)); the kernel has it at once."""

_AT_ONCE = 32
"""Messages of a list that are read before packets have their turn: less than half a millisecond's work."""

_AHEAD = 2
"""How often it reads beyond what somebody looks at."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


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
        self._room = mmsg.Buffer(_PARTS * _PART)
        places = [((self._room.address + at * _PART, _PART),) for at in range(_PARTS)]
        self._arrivals = mmsg.Arrivals(places, 0, 0)
        self._thread = ThreadPoolExecutor(1, "netlink")
        self._work: Future[Any] | None = None

    def close(self) -> None:
        """Close the socket, once nobody reads from it, and let the thread end that did."""
        self._thread.shutdown(wait=False)
        if self._work is None:
            self._socket.close()
        else:
            self._work.add_done_callback(lambda _: self._socket.close())

    async def entries(self, kind: int, body: bytes, *, strict: bool) -> AsyncGenerator[bytes, None]:
        """Ask for a list with a message of a type, and yield the messages that the list is made of.

        OSError if the kernel can't make it. With `strict`, DisturbedError if it marks the list as
        inconsistent (NLM_F_DUMP_INTR).
        """
        course = _Course()
        reading = self._begin(self._read_list, self._request(kind, body, _REQUEST | _DUMP), course)
        try:
            while parts := await course.parts.get():
                for part in parts:
                    for at, message in enumerate(messages(part)):
                        if at % _AT_ONCE == 0:
                            await asyncio.sleep(0)  # packets first
                        if (message.number, message.port) != (self._number, self._port):
                            continue
                        if strict and message.flags & _DUMP_INTERRUPTED:
                            raise DisturbedError
                        if message.kind in _ENDS:
                            _pass_success(message)
                            return
                        yield message.octets
                course.room.release()
            await reading  # why there is no more
        finally:
            course.give_up()
            await _over(reading)

    async def answer(self, kind: int, body: bytes) -> bytes:
        """Ask for one thing with a message of a type, and return the message that tells it.

        OSError with what the kernel has against it.
        """
        reading = self._begin(self._exchange, self._request(kind, body, _REQUEST))
        try:
            while True:
                for part in await asyncio.shield(reading):
                    for message in messages(part):
                        if (message.number, message.port) != (self._number, self._port):
                            continue
                        if message.kind == _ERROR:
                            _pass_success(message)
                        return message.octets
                reading = self._begin(self._exchange, b"")
        finally:
            await _over(reading)

    def _request(self, kind: int, body: bytes, flags: int) -> bytes:
        self._number += 1
        return _HEADER.pack(_HEADER.size + len(body), kind, flags, self._number, self._port) + body

    def _begin(self, what: Callable[_P, _T], *values: _P.args, **named: _P.kwargs) -> asyncio.Future[_T]:
        """Have the thread do something."""
        work = self._thread.submit(what, *values, **named)
        self._work = work
        return asyncio.wrap_future(work)

    def _read_list(self, request: bytes, course: _Course) -> None:
        """Send a request, and read the list until it ends or nobody wants it any more."""
        try:
            while course.is_wanted:
                parts = self._exchange(request)
                course.hand_over(parts)
                if self._is_last(parts[-1]):
                    break
                course.room.acquire()
                request = b""
        finally:
            course.hand_over([])

    def _exchange(self, request: bytes) -> list[bytes]:
        """Send a request, if there is one, and read what the kernel has, at least one part."""
        if request:
            self._socket.send(request)
        while not (count := self._arrivals.receive(self._socket, mmsg.WAIT_FOR_ONE)):
            pass  # a signal came
        lengths = self._arrivals.lengths[:count].tolist()
        octets = self._room.octets
        return [octets[at * _PART : at * _PART + length] for at, length in enumerate(lengths)]

    def _is_last(self, part: bytes) -> bool:
        """Whether a list ends in a part."""
        mine = self._number, self._port
        return any(one.kind in _ENDS and (one.number, one.port) == mine for one in messages(part))


class _Course:
    """What a thread reads of a list, some parts ahead of who looks at them; nothing at its end.

    The thread waits for `room`, which who looks at parts gives back. So it has read something whenever it
    gets Python's lock, and reads again while the other goes on: whoever waits for that lock beside a thread
    that is busy waits 5 ms (sys.setswitchinterval).
    """

    def __init__(self) -> None:
        self.parts = asyncio.Queue[list[bytes]]()
        self.room = threading.Semaphore(_AHEAD)
        self.is_wanted = True
        self._loop = asyncio.get_running_loop()

    def hand_over(self, parts: list[bytes]) -> None:
        """Have parts looked at; called by the thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody wants them
            self._loop.call_soon_threadsafe(self.parts.put_nowait, parts)

    def give_up(self) -> None:
        """Have the thread read no more."""
        self.is_wanted = False
        self.room.release()


async def _over(reading: asyncio.Future[Any]) -> None:
    """Wait until nobody reads any more; what was read then, or why it failed, is of no interest."""
    if not reading.done():
        await asyncio.wait((reading,))
    if not reading.cancelled():
        reading.exception()


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
