"""The packet flow of one family: batches from the kernel, through the relay, back to the kernel, counted.

`Traffic4` and `Traffic6` say what is done with a batch; when sockets are read, what is counted of the kernel,
and what happens after a fault of ours stands here.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sized
from collections.abc import Set as AbstractSet
from typing import Any, Generic, TypeVar

from pxerelay.daemon.losses import Losses
from pxerelay.daemon.warnings import Warnings
from pxerelay.linux import sockets
from pxerelay.linux.burst_meter import BurstMeter
from pxerelay.linux.listener import Taken
from pxerelay.linux.outbox import Failure, LinkOutbox
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.counters import Counters
from pxerelay.relay.recent import Recent

_TURN = 0.005
"""Seconds after which the event loop gets its turn for signals, the control socket and reloads."""

_STORM_WINDOW, _STORM = 0.1, 1000
"""Seconds, and datagrams within these that are a storm: more than 10,000 a second, for a while."""

_CROWD = 16
"""Datagrams read in one go above which the socket's count of overflows is read."""

_Batch = TypeVar("_Batch", bound=Sized)
"""Datagrams of one call."""

_Decided = TypeVar("_Decided")
"""What becomes of them."""


class Traffic(ABC, Generic[_Batch, _Decided]):
    """Moves datagrams. `most` is how many a batch has at most, `checksums` counts damaged ones.

    `names` has the names of interfaces by index. `elsewhere` tells which interfaces a socket other than that
    of the default VRF hears. `recent` hears what was sent and lost.
    """

    def __init__(self, most: int, recent: Recent, checksums: sockets.Checksums) -> None:
        self.names: Mapping[int, str] = {}
        self.elsewhere: AbstractSet[int] = frozenset()
        self.recent = recent
        self._most = most
        self._udp: socket.socket | None = None
        self._to_link = LinkOutbox()
        self._warnings = Warnings()
        self._storms = BurstMeter(_STORM_WINDOW, _STORM)
        self._storm = False
        self._failed_requests = self._failed_replies = self._send_failures = 0
        self._losses = Losses(checksums, self._warnings)

    @abstractmethod
    def _receive(self, sock: socket.socket, elsewhere: AbstractSet[int]) -> _Batch:
        """Return what is waiting at a socket; what came in on interfaces of `elsewhere` goes nowhere."""

    @abstractmethod
    def _decide(self, batch: _Batch, now: float) -> _Decided:
        """Decide on a batch, and have sent what is to be sent, with the next flush at the latest."""

    @abstractmethod
    def _discard(self) -> None:
        """Forget what is to be sent."""

    @abstractmethod
    def _finish(self, batch: _Batch, decided: _Decided, now: float) -> None:
        """Send what was decided, then count and log it."""

    @abstractmethod
    def _counters(self) -> Counters:
        """Return what was counted up to now."""

    def close(self) -> None:
        """Close what was opened to send by, but for the sockets that were given."""
        self._losses.close()

    def totals(self) -> dict[str, Any]:
        """Return the counters since the start; `dropped` has every reason, also those at 0."""
        self.notice_overflow()
        totals = self._counters().totals()
        return {
            "requests": totals["requests"],
            "replies": totals["replies"],
            "sent_to_servers": totals["copies"] - self._failed_requests,
            "sent_to_clients": totals["replies"] - self._failed_replies,
            "send_failures": self._send_failures,
            "not_received": self._losses.not_received,
            "bad_checksums": self._losses.bad_checksums,
            **self._more_totals(),
            "dropped": totals["dropped"],
        }

    def _more_totals(self) -> Mapping[str, Any]:
        """Return what one family counts besides."""
        return {}

    def readable(self, sock: socket.socket) -> Taken:
        """Relay what is waiting at a UDP socket, for a while.

        Where net.ipv4.udp_l3mdev_accept is set, the socket of the default VRF hears what was sent to groups
        or broadcast in other VRFs too (ip-sysctl.rst); one copy is enough.
        """
        total, more, end = 0, False, time.monotonic() + _TURN
        elsewhere = self.elsewhere if sock is self._udp else frozenset()
        while True:
            try:
                batch = self._receive(sock, elsewhere)
            except OSError as error:
                self._warnings.warn(("receive", error.errno), f"could not receive: {error.strerror}")
                break
            total += len(batch)
            self._relay(batch)
            more = len(batch) == self._most
            if not more or time.monotonic() > end:
                break
        if total > _CROWD:
            self._notice_overflow(sock)
        return Taken(total, more)

    def _relay(self, batch: _Batch) -> None:
        """Decide on a batch, send what is to be sent, then count and log it.

        A fault of ours in one batch does not stop the next, and a fault while counting undoes nothing sent.
        """
        now = time.monotonic()
        self._storm = self._storms.busy(len(batch), now)
        try:
            decided = self._decide(batch, now)
        except Exception:  # noqa: BLE001
            self._discard()
            self._warnings.bug(f"up to {len(batch)} messages were lost")
            return
        try:
            self._finish(batch, decided, now)
        except Exception:  # noqa: BLE001
            self._warnings.bug(f"up to {len(batch)} messages were not counted")

    def _count_failures(self, failures: Iterable[Failure], relay: Choosing) -> Mapping[int, list[Failure]]:
        """Count and log what could not be sent, and return it by the identity of the message."""
        failed: dict[int, list[Failure]] = {}
        for failure in failures:
            self._warnings.failed(failure, relay)
            self._send_failures += len(failure.messages)
            for message in failure.messages:
                if not failure.to_client:
                    self._failed_requests += 1
                elif id(message) not in failed:  # one reply may be several fragments
                    self._failed_replies += 1
                failed.setdefault(id(message), []).append(failure)
        return failed

    def notice_overflow(self) -> None:
        """Count what the kernel dropped at the socket of the default VRF, also if nothing came since."""
        if self._udp is not None:
            self._notice_overflow(self._udp)

    def _notice_overflow(self, sock: socket.socket) -> None:
        lost = self._losses.notice(sock)
        if lost:
            self.recent.add(time.monotonic(), heard=lost, late=lost)

    def name_of(self, interface: int) -> str:
        """Return an interface's name by its index."""
        return self.names.get(interface, str(interface))
