"""Takes in what became of DHCPv6 messages, and passes it to all that record it, as `ledger` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from pxerelay.relay.decision6 import Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.ledger import AnyLedger, Common
from pxerelay.relay.outcome6 import Group6, Outcome6, Replies6, Requests6, Route6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.transactions6 import Transactions6
from pxerelay.relay.unknown import DEFAULTS, Looks
from pxerelay.wire import packet6, relayed6
from pxerelay.wire.batch import number
from pxerelay.wire.batch6 import Batch6
from pxerelay.wire.client6 import Client6, MacSource
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet import Message

_DHCPV6 = 6


class Ledger6(AnyLedger[Route6]):
    """The ledger of DHCPv6."""

    def __init__(self, common: Common | None = None) -> None:
        super().__init__(common, Drop6)
        self.transactions = Transactions6()
        self._mac_sources: Counter[MacSource] = Counter()
        self._met: set[bytes] = set()
        self._anew = False

    def obey(self, relay: Relay6, names: Mapping[int, str]) -> None:
        """Take this relay's outcomes from now on; `names` has the names of interfaces by index."""
        self.count_by(names, (port.name for port in relay.ports))
        self.transactions.servers = frozenset(map(number, relay.repliers))
        self.unknown.obey(relay)
        self._met.clear()

    @property
    def mac_sources(self) -> Counter[MacSource]:
        """Requests by what told the client's MAC, up to now."""
        _ = self.counters
        return self._mac_sources

    def _count_route(self, route: Route6, count: int, /) -> None:
        self._counters.add_requests(route.index, route.decision, count)
        self._mac_sources[MacSource.FRAME] += count

    def enter(self, outcomes: Iterable[Outcome6], now: float) -> None:
        """Take in what became of messages that were decided on alone, once they were sent."""
        for outcome in outcomes:
            arrival, decision = outcome.arrival, outcome.decision
            if outcome.taken:
                self.transactions.heard(number(arrival.source), now)
            elif isinstance(decision, ToServers6):
                self._enter_request(outcome, decision, now)
                self._note(decision, decision.client, arrival.source, now)
            elif isinstance(decision, ToPeer):
                out = decision.port.index if decision.port else None
                self._counters.add_replies(out or arrival.interface, arrival.source, 1)
                self._enter_reply(outcome, decision, now)
            else:
                self.add_drops(arrival.interface, decision.reason, 1)
                self._note(decision, decision.client, arrival.source, now)

    def enter_groups(self, batch: Batch6, groups: Iterable[Group6], now: float) -> None:
        """Take in what became of messages with one decision for many, once they were sent."""
        for group in groups:
            if isinstance(group, Requests6):
                self._enter_requests(batch, group, now)
            else:
                self._enter_replies(group, now)

    def add_drops(self, index: int, reason: Drop6, count: int) -> None:
        """Take in messages that were heard on an interface and dropped."""
        self._counters.add_drops(index, reason, count)

    def _enter_requests(self, batch: Batch6, group: Requests6, now: float) -> None:
        """Take in requests of clients whose frames told their MACs."""
        count, decision = len(group.messages), group.decision
        if not count or group.route is None:
            return  # what was decided on alone is no group
        self._sum_up(group.route, count)
        room = self.transactions.room(now)
        for at in group.positions[: count if count <= room else min(room, 1)]:
            client = _client(batch, at)
            self.transactions.sent(client.facts, group.index, decision._replace(client=client), now)
        if decision.match and decision.match.reason in DEFAULTS:
            self._note_strangers(batch, group, now)

    def _note_strangers(self, batch: Batch6, group: Requests6, now: float) -> None:
        strangers = list(group.strangers)
        room = max(self.unknown.most - len(self._met), 0)
        for at in strangers[:room]:
            self._note(group.decision, _client(batch, at), batch.origins[at], now)
        self.unknown.overlooked += len(strangers[room:])

    def _enter_replies(self, group: Replies6, now: float) -> None:
        self._counters.add_replies(group.port.index or 0, group.source, len(group.replies))
        source = number(group.source)
        self.transactions.heard(source, now)
        if self.transactions.pending:
            xids = {key.xid for key in self.transactions.pending}
            for reply in group.replies:
                if bytes(reply.message[packet6.XID]) in xids:
                    self._answered(reply.message, source, now)

    def looks_again(self, now: float) -> bool:
        """Whether an interval is over since the last time, so that each client is to be told of anew."""
        self._look_again(now)
        anew, self._anew = self._anew, False
        return anew

    def _look_again(self, now: float) -> None:
        if self.unknown.looks_again(now, _DHCPV6):
            self._met.clear()
            self._anew = True

    def _note(
        self, decision: ToServers6 | Dropped6, client: Client6 | None, source: bytes, now: float
    ) -> None:
        """Note a client that fell to a default; one that does not tell what it is did not fall there.

        `source` are the 16 octets that its request came from.
        """
        match, port = decision.match, decision.port
        if client is None or match is None or match.reason not in DEFAULTS or client.facts.is_silent:
            return
        if client.chaddr is None and not client.facts.layers:
            return  # its frame was not there in time
        self._look_again(now)
        key, facts = client.client_key, client.facts
        if key in self._met or not self.unknown.room_for(1, _DHCPV6):
            return
        self._met.add(key)
        looks = Looks(
            port.name if port else None,
            b"" if port else source,
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
            self._mac_sources[decision.client.told_by] += 1
        if facts is not None and self.transactions.room(now):
            self.transactions.sent(facts, index, decision, now)

    def _enter_reply(self, outcome: Outcome6, decision: ToPeer, now: float) -> None:
        source = number(outcome.arrival.source)
        self.transactions.heard(source, now)
        if self.transactions.pending:
            self._answered(decision.message, source, now)

    def _answered(self, message: Message, source: int, now: float) -> None:
        key = self.transactions.find(Facts6(relayed6.innermost(message)))
        if key is not None:
            self.transactions.answered(key, source, now)


def _client(batch: Batch6, at: int) -> Client6:
    """Return the client that has sent a message of a batch itself."""
    return Client6(Facts6(bytes(batch.messages[at])), None, batch.origins[at], batch.macs[at])
