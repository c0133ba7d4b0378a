"""Clients that ask without a break, and what became of each question."""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from ipaddress import IPv4Address
from threading import Event
from types import TracebackType
from typing import Any, Generic, TypeVar, final

from tests.lab import dhcp6
from tests.lab.frames6 import link_local
from tests.lab.network import Host, LabError
from tests.lab.wire import Station
from tests.lab.wire6 import Station6
from tests.unit.messages import request

EVERY = 0.02
"""Seconds between two questions: less than any gap that matters, and no load."""

CLIENTS = 10
"""As many ask in turn, so that none asks too often for the relay (`max_requests`)."""

_LINGER = 3.0
"""Seconds after the last question that an answer may take."""

_XID, _FLAGS, _SIADDR = slice(4, 8), slice(10, 12), slice(20, 24)
_BROADCAST = b"\x80\0"
_REPLY, _CLIENT_PORT = 2, 68
_SPACE = 1 << 20
"""Questions that one may ask before its transactions look like those of the next."""

_spaces = itertools.count(1)


Wire = TypeVar("Wire", bound=Station)
"""What asks."""


Itself = TypeVar("Itself", bound="AnySteady[Any]")


class AnySteady(ABC, Generic[Wire]):
    """Asks from a host's `eth0` during its block, `least` times or more: a few clients in turn.

    `prefix` is the first five octets of the clients' addresses. Each question is counted. Answers are waited
    for at the end of the block, and what came of it is to be read then.
    """

    def __init__(
        self,
        host: Host,
        *,
        prefix: str = "02:00:00:aa:00",
        every: float = EVERY,
        clients: int = CLIENTS,
        least: int = 1,
    ) -> None:
        self._host = host
        self._prefix = prefix
        self._every = every
        self._clients = clients
        self._least = least
        self._first = next(_spaces) * _SPACE
        self._sent: dict[bytes, float] = {}
        self._took: dict[bytes, float] = {}
        self._by: set[str] = set()
        self._ended = Event()
        self._pool = ThreadPoolExecutor(1)
        self._asking: Future[None]

    def __enter__(self: Itself) -> Itself:  # noqa: PYI019  # typing.Self is newer than we need
        """Begin."""
        self._asking = self._pool.submit(self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """End, once all that was asked has an answer, or none comes any more."""
        self._ended.set()
        self._pool.shutdown()
        if kind is None:
            self._asking.result()

    def _ask(self) -> None:
        with closing(self._station(self._host)) as station:
            start = time.monotonic()
            while not (len(self._sent) >= self._least and self._ended.is_set()):
                number = len(self._sent)
                xid = (self._first + number).to_bytes(4, "big")[-self.xid_octets :]
                self._sent[xid] = time.monotonic()
                self._send(station, f"{self._prefix}:{number % self._clients:02x}", xid)
                self._listen(station, start + len(self._sent) * self._every)
            end = time.monotonic() + _LINGER
            while time.monotonic() < end and len(self._took) < len(self._sent):
                self._listen(station, time.monotonic() + EVERY)

    def _listen(self, station: Wire, until: float) -> None:
        for xid, server in self._answers(station, max(0.0, until - time.monotonic())):
            if xid in self._sent:
                self._took.setdefault(xid, time.monotonic() - self._sent[xid])
                self._by.add(server)

    xid_octets: int
    """Octets of a transaction id."""

    @abstractmethod
    def _station(self, host: Host) -> Wire:
        """Return what asks on a host."""

    @abstractmethod
    def _send(self, station: Wire, mac: str, xid: bytes) -> None:
        """Ask in the name of a client."""

    @abstractmethod
    def _answers(self, station: Wire, seconds: float) -> Iterator[tuple[bytes, str]]:
        """Yield the xid of each answer that comes within a time, and what it says to boot from."""

    @property
    def sent(self) -> int:
        """Questions asked."""
        return len(self._sent)

    @property
    def answered(self) -> int:
        """Questions that had an answer so far."""
        return len(self._took)

    @property
    def lost(self) -> int:
        """Questions without an answer."""
        return len(self._sent) - len(self._took)

    @property
    def slowest(self) -> float:
        """Seconds that the slowest answer took, to the next question at least."""
        return max(self._took.values(), default=0.0)

    @property
    def answered_by(self) -> set[str]:
        """What the answers say to boot from: the next server's address (siaddr; RFC 2131, 2), or the URL."""
        return self._by

    def lost_after(self, moment: float) -> int:
        """Count the questions without an answer that were asked after a monotonic time."""
        return sum(when > moment and xid not in self._took for xid, when in self._sent.items())

    @property
    def longest(self) -> float:
        """Seconds from the first of a row of questions without an answer to the next with one.

        LabError if the last questions had no answer: then the silence had no end.
        """
        longest, since = 0.0, None
        for xid, when in self._sent.items():
            if xid in self._took:
                longest, since = max(longest, when - since if since is not None else 0.0), None
            elif since is None:
                since = when
        if since is not None:
            raise LabError("the last questions had no answer, so the silence had no end")
        return longest


@final
class Steady(AnySteady[Station]):
    """Asks by DHCPv4: DISCOVERs."""

    xid_octets = 4

    def _station(self, host: Host) -> Station:
        return Station(host)

    def _send(self, station: Station, mac: str, xid: bytes) -> None:
        message = request(chaddr=mac)
        message[_XID], message[_FLAGS] = xid, _BROADCAST
        station.send(message)

    def _answers(self, station: Station, seconds: float) -> Iterator[tuple[bytes, str]]:
        for datagram in station.datagrams(seconds):
            payload = datagram.payload
            if datagram.port == _CLIENT_PORT and payload[0] == _REPLY:
                yield payload[_XID], str(IPv4Address(payload[_SIADDR]))


@final
class Steady6(AnySteady[Station6]):
    """Asks by DHCPv6: SOLICITs from the link-local addresses that the clients' MACs make."""

    xid_octets = 3

    def _station(self, host: Host) -> Station6:
        return Station6(host)

    def _send(self, station: Station6, mac: str, xid: bytes) -> None:
        octets = bytes.fromhex(mac.replace(":", ""))
        message = dhcp6.solicit(dhcp6.duid_ll(octets), xid=int.from_bytes(xid, "big"))
        station.send(message, source=link_local(octets), sender=octets)

    def _answers(self, station: Station6, seconds: float) -> Iterator[tuple[bytes, str]]:
        for datagram in station.answers(seconds):
            answer = dhcp6.read(datagram.payload)
            if answer.kind == dhcp6.ADVERTISE:
                yield answer.xid, answer.boot_url or ""
