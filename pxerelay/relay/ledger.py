"""The one place that takes in outcomes, and passes them to all that record them.

Counters, transactions, clients that fell to a default, and traces: each outcome is entered here once, whether
it is that of one message or of a group. `AnyLedger` is what both families share, `ledger6` has DHCPv6's.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Generic, TypeVar

from pxerelay.relay.counters import Counters
from pxerelay.relay.decision import Drop, ToServers
from pxerelay.relay.outcome import Lost, Replies, Requests, Route
from pxerelay.relay.pipeline import Decided
from pxerelay.relay.relay import Relay
from pxerelay.relay.trace import Watches
from pxerelay.relay.transactions import Transactions
from pxerelay.relay.unknown import Unknown
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch, number

_ROUTES = 1 << 14
"""Routes whose requests are summed up before they are counted by name; with more, they are counted early."""


class Common:
    """What is recorded of clients whichever family they speak."""

    def __init__(self) -> None:
        self.unknown = Unknown()
        self.watches = Watches()


_Route = TypeVar("_Route")


class AnyLedger(ABC, Generic[_Route]):
    """Keeps what is known of one family's messages since the start, and what both have in `common`.

    `reasons` are all for which messages of the family may be dropped. Times are monotonic seconds. Requests
    are summed up by their route, and counted by name once somebody asks.
    """

    def __init__(self, common: Common | None, reasons: type[Enum]) -> None:
        self.common = common or Common()
        self.unknown, self.watches = self.common.unknown, self.common.watches
        self._counters = Counters(reasons)
        self._requests: dict[_Route, int] = {}

    @property
    def counters(self) -> Counters:
        """What was counted by interface and server, up to now."""
        for route, count in self._requests.items():
            self._count_route(route, count)
        self._requests.clear()
        return self._counters

    def _sum_up(self, route: _Route, count: int) -> None:
        self._requests[route] = self._requests.get(route, 0) + count
        if len(self._requests) > _ROUTES:
            _ = self.counters

    @abstractmethod
    def _count_route(self, route: _Route, count: int, /) -> None:
        """Count requests that went a way."""

    def count_by(self, names: Mapping[int, str], clients: Iterable[str]) -> None:
        """Count by these names of interfaces from now on, of which some are client interfaces'."""
        self.counters.rename(names, clients)


class Ledger(AnyLedger[Route]):
    """The ledger of DHCPv4."""

    def __init__(self, common: Common | None = None) -> None:
        super().__init__(common, Drop)
        self.transactions = Transactions()
        self._replies: Counter[tuple[int, int]] = Counter()

    def obey(self, relay: Relay, names: Mapping[int, str]) -> None:
        """Take this relay's outcomes from now on; `names` has the names of interfaces by index."""
        self.rename(relay, names)
        self.transactions.servers = frozenset(map(number, relay.repliers))
        self.unknown.obey(relay)

    def rename(self, relay: Relay, names: Mapping[int, str]) -> None:
        """Count by these names of interfaces from now on."""
        self.count_by(names, (port.name for port in relay.ports))

    @property
    def counters(self) -> Counters:
        """What was counted by interface and server, up to now."""
        for (index, source), count in self._replies.items():
            self._counters.add_replies(index, source.to_bytes(4, sys.byteorder), count)
        self._replies.clear()
        return super().counters

    def _count_route(self, route: Route, count: int, /) -> None:
        self._count_requests(route.index, route.decision, count)

    def enter(self, batch: Batch, decided: Decided, now: float) -> None:
        """Take in what became of a batch, once it was sent."""
        for outcome in decided.outcomes:
            if isinstance(outcome, Requests):
                self._enter_requests(outcome, now)
            elif isinstance(outcome, Replies):
                self._replies[outcome.port.index or 0, outcome.source] += len(outcome.replies)
                self.transactions.heard(outcome.source, now)
                continue
            else:
                self._counters.add_drops(outcome.index, outcome.decision.reason, len(outcome.positions))
            if outcome.strangers:
                self._note(batch, outcome, now)
        for reply in decided.answers:
            self.transactions.heard(number(reply.source), now)
        if self.transactions.pending:
            self._answered(batch, decided.unheard, now)

    def _enter_requests(self, outcome: Requests, now: float) -> None:
        count = len(outcome.messages)
        if outcome.route:
            self._sum_up(outcome.route, count)
        elif count:
            self._count_requests(outcome.index, outcome.decision, count)
        room = self.transactions.room(now) if count else 0
        if room:
            some = outcome.messages if count <= room else outcome.messages[:1]
            self.transactions.sent(some, outcome.index, outcome.decision, now)

    def _count_requests(self, index: int, decision: ToServers, count: int) -> None:
        self._counters.add_requests(index, decision, count)
        if decision.too_large:
            self._counters.without_option82 += count

    def _note(self, batch: Batch, outcome: Requests | Lost, now: float) -> None:
        """Note who fell to a default."""
        strangers = list(outcome.strangers)
        for at in strangers[: self.unknown.room_for(len(strangers))]:
            self.unknown.note(batch.messages[at], outcome.decision, now)

    def _answered(self, batch: Batch, unheard: AbstractSet[int], now: float) -> None:
        """Find the replies that requests wait for, among those of a batch that were relayed."""
        pending, xids = self.transactions.pending, batch.words(packet.XID.start)
        if not pending.keys().isdisjoint(xids):
            for at, xid in enumerate(xids):
                if xid not in pending or at in unheard or batch.sizes[at] < packet.HEADER_SIZE:
                    continue  # of a message that does not reach so far the column shows an older one's
                if batch.messages[at][packet.OP] == packet.BOOTREPLY:
                    self.transactions.answered(xid, batch.sources[at], now)
