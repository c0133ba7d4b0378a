"""A DHCPv6 client that asks again and again, each question timed until it is on the server's wire."""

from __future__ import annotations

import socket
import struct
import threading
import time
from ipaddress import IPv6Address
from typing import final

from tests.benchmark.asking import EVERY, TIMESPEC, answered_in_time, take_only
from tests.lab import Host
from tests.lab.frames6 import frames6, link_local
from tests.lab.wire import inside
from tests.unit.messages6 import boot, option

VICTIM6 = bytes.fromhex("020000eeee01")
"""The client's hardware address."""

_SO_TIMESTAMPNS = 35
_NUMBER = 61000
"""The code of an option that has a question's number, with a word in front that nobody else says."""
_WORD = b"asked number "

_PEER_INTERFACE = 8 + 18 + 8
"""Where the lower half of peer-address stands behind the UDP header, with which a socket's filter begins."""


@final
class Asking6:
    """Asks from a host's `eth0`, and looks at what arrives at another's port 547; by their kernels' clock."""

    def __init__(self, client: Host, server: Host) -> None:
        with inside(client):
            self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._out.bind(("eth0", 0))
        with inside(server):
            self._in = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            own = IPv6Address(link_local(VICTIM6)).packed[8:]
            first, last = struct.unpack("!II", own)
            take_only(self._in, ((_PEER_INTERFACE, first), (_PEER_INTERFACE + 4, last)))
            self._in.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._in.bind(("", 547))
        self._in.settimeout(0.2)
        self.asked: dict[int, float] = {}
        self._arrived: dict[int, float] = {}
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look)

    def __enter__(self) -> Asking6:
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
            asking = boot(extra=option(_NUMBER, _WORD + number.to_bytes(4, "big")))
            (frame,) = frames6(asking, source=link_local(VICTIM6), sender=VICTIM6)
            self.asked[number] = time.time()
            self._out.send(frame)
            time.sleep(max(now + EVERY - time.monotonic(), 0.0))

    def took(self, number: int) -> float:
        """Return the seconds that a question took, infinity for one that is lost."""
        return answered_in_time(self._arrived.get(number, float("inf")) - self.asked[number])

    def _look(self) -> None:
        while not self._ended.is_set():
            try:
                octets, ancillary, *_ = self._in.recvmsg(2048, 64)
            except TimeoutError:
                continue
            at = octets.find(_WORD)
            if at >= 0 and ancillary:
                start = at + len(_WORD)
                seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2][: TIMESPEC.size])
                number = int.from_bytes(octets[start : start + 4], "big")
                self._arrived.setdefault(number, seconds + nanoseconds / 1e9)
