"""Clients that ask as network boot firmware does, many on one wire, and how long each waits for an answer."""

import heapq
import select
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from tests.lab.wire import Station

TRIES = (0.0, 4.0, 12.0, 28.0)
"""Seconds after which firmware sends its DISCOVERs (PXE 2.1, 2.2.3: it waits for 4, 8 and 16 seconds)."""

_COOKIE = bytes((99, 130, 83, 99))
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
_HEADER = struct.Struct("!BBBB4sHH16x")


def _option(code: int, value: bytes) -> bytes:
    return bytes((code, len(value))) + value


def _options(payload: bytes) -> dict[int, bytes]:
    found, at = {}, 240
    while at < len(payload) and payload[at] != 255:
        if payload[at] == 0:
            at += 1
            continue
        size = payload[at + 1]
        found[payload[at]] = payload[at + 2 : at + 2 + size]
        at += 2 + size
    return found


@dataclass
class Client:
    """One machine: its number, when it was switched on, and what it heard, in seconds after that.

    `offers` has who offered what when; `confirmed` is when and by whom its choice was.
    """

    number: int
    began: float
    offers: list[tuple[str, float]] = field(default_factory=list)
    chosen: bytes = b""
    address: bytes = b""
    confirmed: tuple[str, float] | None = None

    @property
    def mac(self) -> bytes:
        """Its Ethernet address."""
        return b"\x02\x00\x00\x01" + self.number.to_bytes(2, "big")

    @property
    def waited(self) -> float | None:
        """Seconds to the first offer; None if there was none."""
        return self.offers[0][1] if self.offers else None

    def message(self, kind: int) -> bytes:
        """Return a DISCOVER, or a REQUEST of what was chosen."""
        octets = _option(53, bytes((kind,))) + _option(60, b"PXEClient:Arch:00000:UNDI:002001")
        octets += _option(93, b"\0\0") + _option(55, bytes((1, 3, 43, 54, 60, 66, 67)))
        if kind == _REQUEST:
            octets += _option(54, self.chosen) + _option(50, self.address)
        head = _HEADER.pack(1, 1, 6, 0, b"\x50\x58" + self.number.to_bytes(2, "big"), 0, 0x8000)
        names = self.mac.ljust(16, b"\0") + bytes(192)
        return (head + names + _COOKIE + octets + b"\xff").ljust(300, b"\0")


class Crowd:
    """All clients of one station. `requests` says whether they also take what is offered."""

    def __init__(self, station: Station, *, requests: bool = False) -> None:
        self._station = station
        self._requests = requests
        self._due: list[tuple[float, int, Client]] = []
        self._pushed = 0
        self.clients: dict[int, Client] = {}

    def begin(self, number: int, at: float | None = None) -> Client:
        """Switch a client on, now or at a monotonic time; the one of this number that was on is off."""
        began = time.monotonic() if at is None else at
        client = self.clients[number] = Client(number, began)
        for seconds in TRIES:
            self._pushed += 1
            heapq.heappush(self._due, (began + seconds, self._pushed, client))
        return client

    def stream(self, first: int, every: float, seconds: float) -> list[Client]:
        """Switch clients on one after the other from now on, the first of this number."""
        now = time.monotonic()
        return [self.begin(first + at, now + at * every) for at in range(round(seconds / every))]

    def ask_again(self, client: Client, kind: str) -> None:
        """Have a client send one more message of its boot."""
        self._send(client, {"DISCOVER": _DISCOVER, "REQUEST": _REQUEST}[kind])

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in self._passing(time.monotonic() + seconds):
            pass

    def _passing(self, end: float) -> Iterator[None]:
        while (now := time.monotonic()) < end:
            while self._due and self._due[0][0] <= now:
                _, _, client = heapq.heappop(self._due)
                if self.clients[client.number] is client and not client.offers:
                    self._send(client, _DISCOVER)
            following = min(end, self._due[0][0]) if self._due else end
            if select.select([self._station.fileno()], [], [], max(following - time.monotonic(), 0))[0]:
                for datagram in self._station.arrivals():
                    if datagram.port == 68:
                        self._take(datagram.payload)
            yield

    def _send(self, client: Client, kind: int) -> None:
        self._station.send(client.message(kind))

    def _take(self, payload: bytes) -> None:
        client = self.clients.get(int.from_bytes(payload[32:34], "big"))
        if client is None or payload[0] != 2 or payload[28:34] != client.mac:
            return
        found, after = _options(payload), time.monotonic() - client.began
        server = str(IPv4Address(found[54]))
        if payload[4:8] != client.message(_DISCOVER)[4:8]:
            raise AssertionError("a client hears an answer to what it did not ask")
        if found[53][0] == _OFFER:
            client.offers.append((server, after))
            if len(client.offers) == 1:
                client.chosen, client.address = found[54], payload[16:20]
                if self._requests:
                    self._send(client, _REQUEST)
        elif found[53][0] == _ACK:
            client.confirmed = server, after
