"""A client that asks again and again, each question timed until it is on the server's wire."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from typing import final

from tests.lab import Host
from tests.lab.frames import EVERYONE, Checksum, frames
from tests.lab.wire import inside
from tests.unit.messages import request

VICTIM = "02:00:00:ee:ee:01"
"""The client's hardware address."""

EVERY = 0.05
"""Seconds between two questions."""

_GIVES_UP = 4.0
"""Seconds after which firmware takes a question for lost (PXE 2.1, 2.2.3)."""

_XID = 0x7E000000
"""What xid begins with, so that nobody else's looks like one of ours."""

_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35
_TIMESPEC = struct.Struct("@ll")
_INSTRUCTION = struct.Struct("@HBBI")
_LOAD_WORD, _LOAD_HALF, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
"""Instructions of a filter (linux/bpf_common.h; the kernel's networking/filter.rst)."""

_CHADDR = 8 + 28
"""Where chaddr stands behind the UDP header, with which a UDP socket's filter begins."""


class AnyAsking(ABC):
    """Asks from a host's `eth0`, and looks at what arrives at another's port; by their kernels' clock.

    What a question is, and which socket hears it at the server, is another thing in each family.
    """

    def __init__(self, client: Host, server: Host) -> None:
        with inside(client):
            self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._out.bind(("eth0", 0))
        with inside(server):
            self._in = self._listening()
        self._in.settimeout(0.2)
        self.asked: dict[int, float] = {}
        self._arrived: dict[int, float] = {}
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look)

    @abstractmethod
    def _listening(self) -> socket.socket:
        """Return a socket in the server's namespace that tells when each question arrived."""

    @abstractmethod
    def _frame(self, number: int) -> bytes:
        """Return the frame of a question."""

    @abstractmethod
    def _number(self, octets: bytes) -> int | None:
        """Return the number of the question that was relayed in some octets, None if it is none of ours."""

    def __enter__(self) -> AnyAsking:  # noqa: PYI034  # typing.Self came with Python 3.11
        self._looking.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._looking.join()
        self._out.close()
        self._in.close()

    def until(self, end: float) -> None:
        """Ask until a monotonic time; `asked` has when, in seconds since 1970, by number."""
        while (now := time.monotonic()) < end:
            number = len(self.asked)
            frame = self._frame(number)
            self.asked[number] = time.time()
            self._out.send(frame)
            time.sleep(max(now + EVERY - time.monotonic(), 0.0))

    def took(self, number: int) -> float:
        """Return the seconds that a question took, infinity for one that is lost.

        Firmware takes one that has waited for too long for lost.
        """
        took = self._arrived.get(number, float("inf")) - self.asked[number]
        return took if took < _GIVES_UP else float("inf")

    def _look(self) -> None:
        while not self._ended.is_set():
            try:
                octets, ancillary, *_ = self._in.recvmsg(2048, 64)
            except TimeoutError:
                continue
            number = self._number(octets)
            if number is not None and ancillary:
                seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2][: _TIMESPEC.size])
                self._arrived.setdefault(number, seconds + nanoseconds / 1e9)


@final
class Asking(AnyAsking):
    """Asks by DHCPv4."""

    def _listening(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first, last = struct.unpack("!IH", bytes.fromhex(VICTIM.replace(":", "")))
        hear_only(sock, ((_CHADDR, first), (_CHADDR + 4, last)), last=_LOAD_HALF)
        sock.bind(("", 67))
        return sock

    def _frame(self, number: int) -> bytes:
        asking = request(chaddr=VICTIM)
        asking[4:8] = (_XID + number).to_bytes(4, "big")
        sender = bytes(asking[28:34])
        (frame,) = frames(bytes(asking), destination=EVERYONE, sender=sender, checksum=Checksum.NONE)
        return frame

    def _number(self, octets: bytes) -> int | None:
        xid = int.from_bytes(octets[4:8], "big")
        return xid - _XID if xid & 0xFF000000 == _XID else None


def hear_only(sock: socket.socket, words: tuple[tuple[int, int], tuple[int, int]], last: int = 0) -> None:
    """Have a UDP socket hear only what has two numbers behind the UDP header's begin, and tell when it came.

    Both are words, but for the second where `last` loads something else. A packet socket would see many
    messages that the kernel sent as one, by UDP_SEGMENT, as one.
    """
    (first_at, first), (second_at, second) = words
    code = (
        (_LOAD_WORD, 0, 0, first_at),
        (_JUMP_IF_EQUAL, 0, 3, first),
        (last or _LOAD_WORD, 0, 0, second_at),
        (_JUMP_IF_EQUAL, 0, 1, second),
        (_RETURN, 0, 0, 0xFFFF),
        (_RETURN, 0, 0, 0),
    )
    octets = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*one) for one in code))
    program = struct.pack("@HP", len(code), ctypes.addressof(octets))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
