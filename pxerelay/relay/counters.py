"""What was relayed and dropped, counted by interface, by server, and by what kind of entry chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Protocol

from pxerelay.policy.rules import Reason
from pxerelay.relay.decision import Drop
from pxerelay.wire.packet import UNSET

_MOST_NAMES = 4096
"""Interfaces that are told apart; hosts of virtual machines make new ones all the time."""

_MOST_SOURCES = 1024
"""Addresses that replies come from and that are told apart; the others count as those of 0.0.0.0."""

OTHER = ""
"""Stands for an interface that is no client interface, or one too many."""


class Sent(Protocol):
    """What was decided about a request, in either family."""

    @property
    def servers(self) -> tuple[bytes, ...]:
        """Who gets it."""

    @property
    def reason(self) -> Reason:
        """What kind of entry chose."""


class Counters:
    """Counters since the start, of one family. Interfaces are given by index and counted by name.

    `reasons` are all for which a message may be dropped. `copies` counts requests by the server that they
    were for, also those that the kernel did not take, and `replies` by the address that they came from: 4
    octets, in DHCPv6 16.
    """

    def __init__(self, reasons: type[Enum] = Drop) -> None:
        self._reasons = reasons
        self.requests: Counter[tuple[str, Reason]] = Counter()
        self.copies: Counter[tuple[str, bytes]] = Counter()
        self.replies: Counter[tuple[str, bytes]] = Counter()
        self.dropped: Counter[tuple[str, Enum]] = Counter()
        self.without_option82 = 0
        self._names: Mapping[int, str] = {}
        self._clients: frozenset[str] = frozenset()
        self._met: set[str] = set()
        self._sources: set[bytes] = set()

    def rename(self, names: Mapping[int, str], clients: Iterable[str]) -> None:
        """Say what interfaces are called from now on, and which of the names are client interfaces'."""
        self._names = names
        self._clients = frozenset(clients)

    def add_requests(self, index: int, decision: Sent, count: int) -> None:
        """Count requests that were heard on an interface and went one way."""
        interface = self._name(index)
        self.requests[interface, decision.reason] += count
        for server in decision.servers:
            self.copies[interface, server] += count

    def add_replies(self, index: int, source: bytes, count: int) -> None:
        """Count replies from a server that left by an interface."""
        if source not in self._sources:
            if len(self._sources) < _MOST_SOURCES:
                self._sources.add(source)
            else:
                source = UNSET
        self.replies[self._name(index), source] += count

    def add_drops(self, index: int, reason: Enum, count: int = 1) -> None:
        """Count messages that were heard on an interface and dropped."""
        interface = self._names.get(index, OTHER)
        self.dropped[interface if interface in self._clients else OTHER, reason] += count

    def _name(self, index: int) -> str:
        name = self._names.get(index, OTHER)
        if name not in self._met:
            if len(self._met) >= _MOST_NAMES:
                return OTHER
            self._met.add(name)
        return name

    def totals(self) -> dict[str, Any]:
        """Return the sums; `dropped` has every reason, also those not met yet."""
        dropped: Counter[Enum] = Counter()
        for (_, reason), count in self.dropped.items():
            dropped[reason] += count
        return {
            "requests": self.requests.total(),
            "replies": self.replies.total(),
            "copies": self.copies.total(),
            "dropped": {reason.value: dropped[reason] for reason in self._reasons},
        }
