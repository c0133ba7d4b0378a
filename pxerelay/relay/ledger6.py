"""Takes in what became of DHCPv6 messages, and passes it to all that record it, as `ledger` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from pxerelay.relay.decision6 import Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.ledger import AnyLedger, Common
from pxerelay.relay.pipeline6 import Outcome6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.transactions6 import Transactions6
from pxerelay.relay.unknown import DEFAULTS, Looks
from pxerelay.wire import relayed6
from pxerelay.wire.batch import number
from pxerelay.wire.client6 import MacSource
from pxerelay.wire.facts6 import Facts6

_DHCPV6 = 6


class Ledger6(AnyLedger):
    """The ledger of DHCPv6. `mac_sources` counts requests by what told the client's MAC."""

    def __init__(self, common: Common | None = None) -> None:
        super().__init__(common, Drop6)
        self.transactions = Transactions6()
        self.mac_sources: Counter[MacSource] = Counter()
        self._met: set[bytes] = set()

    def obey(self, relay: Relay6, names: Mapping[int, str]) -> None:
        """Take this relay's outcomes from now on; `names` has the names of interfaces by index."""
        self.count_by(names, (port.name for port in relay.ports))
        self.transactions.servers = frozenset(map(number, relay.repliers))
        self.unknown.obey(relay)
        self._met.clear()

    def enter(self, outcomes: Iterable[Outcome6], now: float) -> None:
        """Take in what became of messages, once they were sent."""
        for outcome in outcomes:
            arrival, decision = outcome.arrival, outcome.decision
            if outcome.taken:
                self.transactions.heard(number(arrival.source), now)
            elif isinstance(decision, ToServers6):
                self._enter_request(outcome, decision, now)
                self._note(outcome, decision, now)
            elif isinstance(decision, ToPeer):
                out = decision.port.index if decision.port else None
                self._counters.add_replies(out or arrival.interface, arrival.source, 1)
                self._enter_reply(outcome, decision, now)
            else:
                self.add_drops(arrival.interface, decision.reason, 1)
                self._note(outcome, decision, now)

    def add_drops(self, index: int, reason: Drop6, count: int) -> None:
        """Take in messages that were heard on an interface and dropped."""
        self._counters.add_drops(index, reason, count)

    def _note(self, outcome: Outcome6, decision: ToServers6 | Dropped6, now: float) -> None:
        """Note a client that fell to a default; one that does not tell what it is did not fall there."""
        client, match, port = decision.client, decision.match, decision.port
        if client is None or match is None or match.reason not in DEFAULTS or client.facts.is_silent:
            return
        if client.chaddr is None and not client.facts.layers:
            return  # its frame was not there in time
        if self.unknown.looks_again(now, _DHCPV6):
            self._met.clear()
        key, facts = client.client_key, client.facts
        if key in self._met or not self.unknown.room_for(1, _DHCPV6):
            return
        self._met.add(key)
        looks = Looks(
            port.name if port else None,
            b"" if port else outcome.arrival.source,
            facts.vendor_classes,
            facts.architectures,
            facts.boots,
        )
        duid = b"" if client.chaddr else facts.duid
        self.unknown.remember(key, looks, port.setting if port else None, _DHCPV6, now, duid)

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
