"""Takes in what became of DHCPv6 messages, and passes it to all that record it, as `ledger` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from pxerelay.relay.decision6 import Drop6, ToPeer, ToServers6
from pxerelay.relay.ledger import AnyLedger, Common
from pxerelay.relay.pipeline6 import Outcome6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.transactions6 import Transactions6
from pxerelay.wire import relayed6
from pxerelay.wire.batch import number
from pxerelay.wire.client6 import MacSource
from pxerelay.wire.facts6 import Facts6


class Ledger6(AnyLedger):
    """The ledger of DHCPv6. `mac_sources` counts requests by what told the client's MAC."""

    def __init__(self, common: Common | None = None) -> None:
        super().__init__(common, Drop6)
        self.transactions = Transactions6()
        self.mac_sources: Counter[MacSource] = Counter()

    def obey(self, relay: Relay6, names: Mapping[int, str]) -> None:
        """Take this relay's outcomes from now on; `names` has the names of interfaces by index."""
        self.count_by(names, (port.name for port in relay.ports))
        self.transactions.servers = frozenset(map(number, relay.repliers))

    def enter(self, outcomes: Iterable[Outcome6], now: float) -> None:
        """Take in what became of messages, once they were sent."""
        for outcome in outcomes:
            arrival, decision = outcome.arrival, outcome.decision
            if outcome.taken:
                self.transactions.heard(number(arrival.source), now)
            elif isinstance(decision, ToServers6):
                self._enter_request(outcome, decision, now)
            elif isinstance(decision, ToPeer):
                out = decision.port.index if decision.port else None
                self._counters.add_replies(out or arrival.interface, arrival.source, 1)
                self._enter_reply(outcome, decision, now)
            else:
                self.add_drops(arrival.interface, decision.reason, 1)

    def add_drops(self, index: int, reason: Drop6, count: int) -> None:
        """Take in messages that were heard on an interface and dropped."""
        self._counters.add_drops(index, reason, count)

    def _enter_request(self, outcome: Outcome6, decision: ToServers6, now: float) -> None:
        index, facts = outcome.arrival.interface, outcome.facts
        self._counters.add_requests(index, decision, 1)
        if decision.client is not None:
            self.mac_sources[decision.client.told_by] += 1
        if facts is not None and self.transactions.room(now):
            self.transactions.sent(facts, index, decision, now)

    def _enter_reply(self, outcome: Outcome6, decision: ToPeer, now: float) -> None:
        source = number(outcome.arrival.source)
        self.transactions.heard(source, now)
        if self.transactions.pending:
            key = self.transactions.find(Facts6(relayed6.innermost(decision.message)))
            if key is not None:
                self.transactions.answered(key, source, now)
