"""Asking the kernel for lists of what it has (netlink(7), RFC 3549), without waiting for it.

The octets of messages are not looked into, behind their headers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from pyroute2.netlink import NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR

_HEADER = struct.Struct("=IHHII")
"""Of a message: its octets, type, flags, sequence number, port (struct nlmsghdr; RFC 3549, 2.3.2)."""

_ALIGNMENT = 4
"""Messages start at multiples of so many octets (NLMSG_ALIGNTO; netlink(3))."""

_ERROR_NUMBER = struct.Struct("=i")
"""What follows in NLMSG_ERROR and NLMSG_DONE: a negative errno, or 0 (netlink(7); Linux' netlink_dump)."""

_PART = 65536
"""Octets to read at a time, twice of what Linux puts into one part of a list (its netlink_recvmsg)."""


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


class Lister:
    """A netlink socket that asks for one list, or one thing, after the other."""

    def __init__(self) -> None:
        self._socket = open_socket()
        self._socket.connect((0, 0))  # with the kernel: nobody else is heard
        self._port = self._socket.getsockname()[0]
        self._number = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    async def entries(self, kind: int, body: bytes, *, strict: bool) -> AsyncIterator[bytes]:
        """Ask for a list with a message of a type, and yield the messages that the list is made of.

        OSError if the kernel can't make it. With `strict`, DisturbedError if it marks the list as
        inconsistent (NLM_F_DUMP_INTR).
        """
        self._ask(kind, body, NLM_F_REQUEST | NLM_F_DUMP)
        while True:
            part = await asyncio.get_running_loop().sock_recv(self._socket, _PART)
            for message in messages(part):
                await asyncio.sleep(0)  # reading one takes a while: packets first
                if (message.number, message.port) != (self._number, self._port):
                    continue
                if strict and message.flags & NLM_F_DUMP_INTR:
                    raise DisturbedError
                if message.kind in (NLMSG_DONE, NLMSG_ERROR):
                    _pass_success(message)
                    return
                yield message.octets

    async def answer(self, kind: int, body: bytes) -> bytes:
        """Ask for one thing with a message of a type, and return the message that tells it.

        OSError with what the kernel has against it.
        """
        self._ask(kind, body, NLM_F_REQUEST)
        while True:
            part = await asyncio.get_running_loop().sock_recv(self._socket, _PART)
            for message in messages(part):
                if (message.number, message.port) != (self._number, self._port):
                    continue
                if message.kind == NLMSG_ERROR:
                    _pass_success(message)
                return message.octets

    def _ask(self, kind: int, body: bytes, flags: int) -> None:
        self._number += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, flags, self._number, self._port)
        self._socket.send(header + body)


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
