"""Clients of many VLANs, as a router's helper sends their requests on, and what became of each request.

What leaves the router has the VLAN's address as its source, as routers do it, so that equal-cost paths spread
VLANs over relays. The clients themselves are not there: only what the router sends and hears is.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.lab import dhcp6
from tests.lab.frames6 import link_local
from tests.lab.network import Host
from tests.lab.wire import inside
from tests.unit.messages import DISCOVER, REQUEST, option, request

LINGER = 3.0
"""Seconds after the last request that an answer may take."""

_CLIENTS = 16
"""Of each VLAN; they ask in turn, so that none asks too often for a relay (`max_requests`)."""

_XID, _FLAGS, _YIADDR, _CHADDR = slice(4, 8), slice(10, 12), slice(16, 20), slice(28, 34)
_BROADCAST = b"\x80\0"
_TYPE, _SERVER_ID, _WANTED = 53, 54, 50
_SO_RCVBUFFORCE, _BUFFER = 33, 4 << 20


@dataclass
class Asked:
    """One request: when it was sent, by monotonic time, and the answer, if there was one."""

    mac: bytes
    vlan: int
    sent: float
    answer: bytes | None = None
    answered: float | None = None


@dataclass(frozen=True)
class Loss:
    """What came of the requests of a while. `gap`: seconds from the first to the last that had no answer."""

    sent: int
    lost: int
    gap: float
    slowest: float


def loss(asked: Sequence[Asked]) -> Loss:
    """Sum up what became of requests."""
    lost = [one.sent for one in asked if one.answered is None]
    took = [one.answered - one.sent for one in asked if one.answered is not None]
    gap = max(lost) - min(lost) if lost else 0.0
    return Loss(len(asked), len(lost), round(gap, 2), round(max(took, default=0.0), 2))


class Helper(ABC):
    """What a router's helper of one family does on its VLANs; `target` is the relays' shared address."""

    family: socket.AddressFamily
    port: int

    def __init__(self, router: Host, vlans: Sequence[str], target: str) -> None:
        self._vlans, self._target = vlans, target
        self._numbers = 0
        self._waiting: dict[bytes, Asked] = {}
        self._sockets: list[socket.socket] = []
        with inside(router):
            for address in vlans:
                one = socket.socket(self.family, socket.SOCK_DGRAM)
                one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
                one.bind((address, self.port))
                one.setblocking(False)
                self._sockets.append(one)
        self._poll = select.epoll()
        self._by_number = {one.fileno(): one for one in self._sockets}
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)

    def close(self) -> None:
        """Close the sockets."""
        self._poll.close()
        for one in self._sockets:
            one.close()

    def client(self, number: int) -> tuple[int, bytes]:
        """Return the VLAN and the MAC of a client; numbers go from VLAN to VLAN."""
        vlan, place = number % len(self._vlans), number // len(self._vlans) % _CLIENTS
        return vlan, bytes((2, 0, 0, 0x64, vlan, place))

    def ask(self, number: int, after: bytes | None = None) -> Asked:
        """Send a client's first message, or the one that follows what a server has answered `after` it."""
        vlan, mac = self.client(number)
        self._numbers += 1
        xid = self._numbers.to_bytes(3, "big")
        asked = self._waiting[xid] = Asked(mac, vlan, time.monotonic())
        octets = self._message(mac, self._vlans[vlan], xid, after)
        with contextlib.suppress(OSError):  # no route: it is lost
            self._sockets[vlan].sendto(octets, (self._target, self.port))
        return asked

    def hear(self, seconds: float) -> None:
        """Take answers for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left):
                self._take(self._by_number[number])

    def _take(self, one: socket.socket) -> None:
        while True:
            try:
                octets = one.recv(65535)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error is told once
                continue
            asked = self._waiting.get(self._answered(octets))
            if asked and asked.answered is None:
                asked.answer, asked.answered = octets, time.monotonic()

    def steadily(self, rate: float, until: Callable[[], bool], first: int = 0) -> list[Asked]:
        """Have clients ask so many times a second, from the client of number `first` on, until it is over."""
        start, asked = time.monotonic(), list[Asked]()
        while not until():
            due = start + len(asked) / rate
            self.hear(due - time.monotonic())
            asked.append(self.ask(first + len(asked)))
        return asked

    @abstractmethod
    def _message(self, mac: bytes, vlan: str, xid: bytes, after: bytes | None) -> bytes:
        """Return what the helper of a VLAN sends of a client; `xid` is of three octets."""

    @abstractmethod
    def _answered(self, octets: bytes) -> bytes:
        """Return the three octets that tell which request this is the answer to."""


class Helper4(Helper):
    """`ip helper-address`: giaddr is the VLAN's address."""

    family, port = socket.AF_INET, 67

    def _message(self, mac: bytes, vlan: str, xid: bytes, after: bytes | None) -> bytes:
        kind, extra = DISCOVER, b""
        if after is not None:
            kind = REQUEST
            extra = option(_WANTED, after[_YIADDR]) + option(_SERVER_ID, options(after)[_SERVER_ID])
        octets = request(kind, chaddr=mac.hex(":"), giaddr=vlan, hops=1, extra=extra)
        octets[_XID], octets[_FLAGS] = b"\0" + xid, _BROADCAST
        return bytes(octets)

    def _answered(self, octets: bytes) -> bytes:
        return octets[_XID][1:]


class Helper6(Helper):
    """A router's DHCPv6 relay, which tells the client's MAC in its link-local address."""

    family, port = socket.AF_INET6, 547

    def _message(self, mac: bytes, vlan: str, xid: bytes, after: bytes | None) -> bytes:
        duid = dhcp6.duid_ll(mac)
        octets = dhcp6.solicit(duid, xid=int.from_bytes(xid, "big"))
        if after is not None:
            told = dhcp6.innermost(after)
            again = [(code, value) for code, value in dhcp6.read(octets).options if code != dhcp6.IA_NA]
            chosen = [(code, told.one(code) or b"") for code in (dhcp6.SERVER_ID, dhcp6.IA_NA)]
            octets = dhcp6.message(dhcp6.REQUEST, *again, *chosen, xid=int.from_bytes(xid, "big"))
        return dhcp6.relayed(dhcp6.RELAY_FORW, octets, link=vlan, peer=link_local(mac))

    def _answered(self, octets: bytes) -> bytes:
        return dhcp6.innermost(octets).xid


@contextlib.contextmanager
def asking(helpers: Sequence[Helper], rate: float) -> Iterator[dict[int, list[Asked]]]:
    """Have each helper's clients ask so many times a second during a block.

    What is yielded has what was asked by the helper's place in the row, once the block is over.
    """
    over = threading.Event()
    asked: dict[int, list[Asked]] = {}

    def ask(place: int) -> None:
        asked[place] = helpers[place].steadily(rate, over.is_set)
        helpers[place].hear(LINGER)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(helpers))]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        over.set()
        for thread in threads:
            thread.join()


def options(message: bytes) -> dict[int, bytes]:
    """Return the options of a DHCPv4 message."""
    found, at = {}, 240
    while at < len(message) and message[at] != 255:
        if message[at] == 0:
            at += 1
            continue
        size = message[at + 1]
        found[message[at]] = message[at + 2 : at + 2 + size]
        at += 2 + size
    return found
