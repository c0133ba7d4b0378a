"""The packet flow of DHCPv4."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from pxerelay.daemon.traffic import Traffic
from pxerelay.daemon.warnings import failure_texts, fields_of
from pxerelay.linux import sockets
from pxerelay.linux.inbox import BATCH, Inbox
from pxerelay.linux.log import LOGGER
from pxerelay.linux.outbox import Failure, UdpOutbox
from pxerelay.relay.account import Narrator
from pxerelay.relay.counters import Counters
from pxerelay.relay.decision import SUSPICIOUS, Dropped, ToServers
from pxerelay.relay.ledger import Ledger
from pxerelay.relay.outcome import Lost, Outcome, Replies, Requests
from pxerelay.relay.pipeline import Decided, Pipeline
from pxerelay.relay.recent import Recent
from pxerelay.relay.relay import Relay
from pxerelay.relay.trace import Watch
from pxerelay.relay.trace_view import View4
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch
from pxerelay.wire.facts import Facts
from pxerelay.wire.frames import Framing

_NOBODY: Mapping[int, Sequence[Watch]] = {}
"""The positions to trace in a batch, and for whom, while nobody traces a client."""


class Traffic4(Traffic[Batch, Decided]):
    """Moves datagrams by the rules of a `Relay`, which may be exchanged for another at any time.

    `udp` hears the default VRF and sends everywhere, `link` sends by link layer; without them, while DHCPv4
    is off, nothing is sent. What becomes of messages is told to the `ledger`. With a `narrator` each decision
    is logged. Replies to `questions` go to no client, but to whoever asked.
    """

    def __init__(self, udp: socket.socket | None = None, link: socket.socket | None = None) -> None:
        super().__init__(BATCH, Recent(), sockets.Checksums())
        self._inbox = Inbox()
        self._to_network = UdpOutbox()
        self.use(udp, link)
        self._pipeline = Pipeline(BATCH)
        self._framings: dict[int, Framing] = {}
        self._watched: Mapping[int, Sequence[Watch]] = _NOBODY
        self._view: View4
        self.narrator: Narrator | None = None
        self.questions = self._pipeline.questions
        self.ledger = Ledger()

    def use(self, udp: socket.socket | None, link: socket.socket | None) -> None:
        """Send by these sockets from now on."""
        self._udp = udp
        self._to_link.use(link)
        self._to_network.close()

    def close(self) -> None:
        """Close what was opened to send by, but for the sockets that were given."""
        self._to_network.close()
        super().close()

    def obey(self, relay: Relay, names: Mapping[int, str]) -> None:
        """Relay by these rules from now on; `names` has the names of interfaces by index."""
        self.names, self._view = names, View4(relay, names)
        self.ledger.obey(relay, names)
        self._framings.clear()
        self._pipeline.obey(relay)
        self._to_network.keep_lanes(relay.repliers)

    def follow(self, relay: Relay, indexes: AbstractSet[int]) -> None:
        """Take in that the relay has followed what changed about some interfaces."""
        self.ledger.rename(relay, self.names)
        for index in indexes:
            self._framings.pop(index, None)
        self._pipeline.follow(indexes)

    def settle(self) -> None:
        """Count what was not counted yet, by the names that interfaces have now."""
        _ = self.ledger.counters

    def _counters(self) -> Counters:
        return self.ledger.counters

    def _more_totals(self) -> dict[str, int]:
        return {"without_option82": self.ledger.counters.without_option82}

    def _receive(self, sock: socket.socket, elsewhere: AbstractSet[int]) -> Batch:
        batch = self._inbox.receive(sock)
        if elsewhere:
            batch.ignore(elsewhere)
        return batch

    def _decide(self, batch: Batch, now: float) -> Decided:
        watches = self.ledger.watches
        if self.ledger.unknown.looks_again(now):
            self._pipeline.pass_time(now)
        self._watched = watches.wanting(batch, now) if watches else _NOBODY
        decided = self._pipeline.decide(batch, now, self._watched, each_alone=self.narrator is not None)
        for outcome in decided.outcomes:
            self._queue(outcome)
        return decided

    def _discard(self) -> None:
        self._to_network.discard()
        self._to_link.discard()

    def _finish(self, batch: Batch, decided: Decided, now: float) -> None:
        before, watched = self._failed_requests, self._watched
        failures = self._flush()
        self.recent.enter(decided.outcomes, len(batch), self._failed_requests - before, now)
        self.ledger.enter(batch, decided, now)
        for outcome in decided.outcomes:
            if isinstance(outcome, Lost) and outcome.decision.reason in SUSPICIOUS:
                self._warn(batch, outcome)
        for at, (facts, outcome) in decided.alone.items():
            if outcome.decision and (self.narrator is not None or at in watched):
                self._tell(batch, at, facts, outcome, watched.get(at, ()), failures, now)

    def _queue(self, outcome: Outcome) -> None:
        """Have the messages of an outcome sent with the next flush."""
        if isinstance(outcome, Requests):
            self._to_servers(outcome.messages, outcome.decision)
        elif isinstance(outcome, Replies):
            port = outcome.port
            if port.index is not None and port.address is not None:  # one that waits has no giaddr to name
                framing = self._framings.get(port.index)
                if framing is None:
                    framing = Framing(port.address.packed, port.hardware, port.mtu)
                    self._framings[port.index] = framing
                self._to_link.put(outcome.replies, framing, port.index)

    def _to_servers(self, messages: Sequence[packet.Message], decision: ToServers) -> None:
        if not messages:
            return
        control = b""
        if decision.source is not None or decision.vrf:
            control = sockets.packet_info(decision.source or packet.UNSET, decision.vrf)
        for address in decision.servers:
            self._to_network.put(messages, address, control)

    def send(self, message: packet.Message, decision: ToServers) -> list[str]:
        """Send a request of our own, and return what failed."""
        self._to_servers([decision.message or message], decision)
        before = self._failed_requests
        failed = self._flush()
        sent = len(decision.servers)
        self.recent.add(time.monotonic(), sent=sent, failed=self._failed_requests - before)
        return [text for failures in failed.values() for text in failure_texts(failures)]

    def _flush(self) -> Mapping[int, Sequence[Failure]]:
        """Send what was collected, and return what failed by the identity of the message."""
        if self._udp is None:
            self._to_network.discard()
            return {}
        failures = (*self._to_network.flush(self._udp, storm=self._storm), *self._to_link.flush())
        return self._count_failures(failures, self._view.relay) if failures else {}

    def _warn(self, batch: Batch, outcome: Lost) -> None:
        message, interface, source, _ = batch.arrival(outcome.positions[0])
        reason = outcome.decision.reason
        self._warnings.dropped(reason, message, self.name_of(interface), source)

    def _tell(
        self,
        batch: Batch,
        at: int,
        facts: Facts,
        outcome: Outcome,
        watches: Sequence[Watch],
        failed: Mapping[int, Sequence[Failure]],
        received: float,
    ) -> None:
        """Log what became of a message, and tell who follows its client."""
        decision, source = outcome.decision, batch.sources[at].to_bytes(4, sys.byteorder)
        if decision is None:
            return
        account = self._view.account(facts, batch.indexes[at], source, decision)
        sent = facts.message if isinstance(decision, Dropped) else decision.message or facts.message
        failures = failure_texts(failed.get(id(sent), ()))
        if self.narrator is not None:
            but = "".join(f"; BUT {failure}" for failure in failures)
            LOGGER.debug("%s%s", self.narrator.text(account), but, extra=fields_of(account).extra)
        for watch in watches:
            when = time.monotonic() if account.request else received
            watch.tell(account, (packet.transaction(sent),), failures, when, time.time())
