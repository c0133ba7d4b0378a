"""The packet flow: batches from the kernel, through the relay, back to the kernel, counted."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pxerelay.daemon.losses import Losses
from pxerelay.daemon.warnings import Warnings, failure_texts, fields_of
from pxerelay.linux import sockets
from pxerelay.linux.burst_meter import BurstMeter
from pxerelay.linux.inbox import BATCH, Inbox
from pxerelay.linux.listener import Taken
from pxerelay.linux.log import LOGGER
from pxerelay.linux.outbox import Failure, LinkOutbox, UdpOutbox
from pxerelay.relay.account import Narrator
from pxerelay.relay.decision import SUSPICIOUS, Dropped, ToServers
from pxerelay.relay.ledger import Ledger
from pxerelay.relay.outcome import Lost, Outcome, Replies, Requests
from pxerelay.relay.pipeline import Pipeline
from pxerelay.relay.recent import Recent
from pxerelay.relay.relay import Relay
from pxerelay.relay.trace import Watch
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch
from pxerelay.wire.facts import Facts
from pxerelay.wire.frames import Framing

_TURN = 0.005
"""Seconds after which the event loop gets its turn for signals, the control socket and reloads."""

_STORM_WINDOW, _STORM = 0.1, 1000
"""Seconds, and datagrams within these that are a storm: more than 10,000 a second, for a while."""

_NOBODY: Mapping[int, Sequence[Watch]] = {}
"""The positions to trace in a batch, and for whom, while nobody traces a client."""

_CROWD = 16
"""Datagrams read in one go above which the socket's count of overflows is read."""


class Traffic:
    """Moves datagrams by the rules of a `Relay`, which may be exchanged for another at any time.

    `udp` hears the default VRF and sends everywhere, `link` sends by link layer; without them, while DHCPv4
    is off, nothing is sent. `elsewhere` tells which interfaces another socket hears. What becomes of messages
    is told to the `ledger`. With a `narrator` each decision is logged. Replies to `questions` go to no
    client, but to whoever asked.
    """

    def __init__(self, udp: socket.socket | None = None, link: socket.socket | None = None) -> None:
        self._inbox = Inbox()
        self._to_network = UdpOutbox()
        self._to_link = LinkOutbox()
        self.use(udp, link)
        self._warnings = Warnings()
        self._pipeline = Pipeline(BATCH)
        self._storms = BurstMeter(_STORM_WINDOW, _STORM)
        self._storm = False
        self._framings: dict[int, Framing] = {}
        self.narrator: Narrator | None = None
        self.questions = self._pipeline.questions
        self.names: Mapping[int, str] = {}
        self.elsewhere: AbstractSet[int] = frozenset()
        self.ledger = Ledger()
        self.recent = Recent()
        self._failed_requests = self._failed_replies = self._send_failures = 0
        self._losses = Losses(sockets.Checksums(), self._warnings)

    def use(self, udp: socket.socket | None, link: socket.socket | None) -> None:
        """Send by these sockets from now on."""
        self._udp = udp
        self._to_link.use(link)
        self._to_network.close()

    def close(self) -> None:
        """Close what was opened to send by, but for the sockets that were given."""
        self._to_network.close()
        self._losses.close()

    def obey(self, relay: Relay, names: Mapping[int, str]) -> None:
        """Relay by these rules from now on; `names` has the names of interfaces by index."""
        self.names = names
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

    def totals(self) -> dict[str, Any]:
        """Return the counters since the start; `dropped` has every reason, also those at 0."""
        self.notice_overflow()
        counters = self.ledger.counters
        totals = counters.totals()
        return {
            "requests": totals["requests"],
            "replies": totals["replies"],
            "sent_to_servers": totals["copies"] - self._failed_requests,
            "sent_to_clients": totals["replies"] - self._failed_replies,
            "send_failures": self._send_failures,
            "not_received": self._losses.not_received,
            "bad_checksums": self._losses.bad_checksums,
            "without_option82": counters.without_option82,
            "dropped": totals["dropped"],
        }

    def readable(self, sock: socket.socket) -> Taken:
        """Relay what is waiting at a UDP socket, for a while.

        Where net.ipv4.udp_l3mdev_accept is set, the socket of the default VRF hears broadcasts in other
        VRFs too (ip-sysctl.rst); one copy is enough.
        """
        total, more, end = 0, False, time.monotonic() + _TURN
        elsewhere = self.elsewhere if sock is self._udp else frozenset()
        while True:
            try:
                batch = self._inbox.receive(sock)
            except OSError as error:
                self._warnings.warn(("receive", error.errno), f"could not receive: {error.strerror}")
                break
            total += len(batch)
            if elsewhere:
                batch.ignore(elsewhere)
            self._relay(batch)
            more = len(batch) == BATCH
            if not more or time.monotonic() > end:
                break
        if total > _CROWD:
            self._notice_overflow(sock)
        return Taken(total, more)

    def _relay(self, batch: Batch) -> None:
        """Decide on a batch, send what is to be sent, then count and log it.

        A fault of ours in one batch does not stop the next, and a fault while counting undoes nothing sent.
        """
        now, watches = time.monotonic(), self.ledger.watches
        self._storm = self._storms.busy(len(batch), now)
        try:
            if self.ledger.unknown.looks_again(now):
                self._pipeline.pass_time(now)
            watched = watches.wanting(batch, now) if watches else _NOBODY
            decided = self._pipeline.decide(batch, now, watched, each_alone=self.narrator is not None)
            for outcome in decided.outcomes:
                self._queue(outcome)
        except Exception:  # noqa: BLE001
            self._to_network.discard()
            self._to_link.discard()
            self._warnings.bug(f"up to {len(batch)} messages were lost")
            return
        try:
            before = self._failed_requests
            failures = self._flush()
            self.recent.enter(decided.outcomes, len(batch), self._failed_requests - before, now)
            self.ledger.enter(batch, decided, now)
            for outcome in decided.outcomes:
                if isinstance(outcome, Lost) and outcome.decision.reason in SUSPICIOUS:
                    self._warn(batch, outcome)
            for at, (facts, outcome) in decided.alone.items():
                if outcome.decision and (self.narrator is not None or at in watched):
                    self._tell(batch, at, facts, outcome, watched.get(at, ()), failures, now)
        except Exception:  # noqa: BLE001
            self._warnings.bug(f"up to {len(batch)} messages were not counted")

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
        failed: dict[int, list[Failure]] = {}
        if self._udp is None:
            self._to_network.discard()
            return failed
        for failure in (*self._to_network.flush(self._udp, storm=self._storm), *self._to_link.flush()):
            self._warnings.failed(failure, self.ledger.watches.relay)
            self._send_failures += len(failure.messages)
            for message in failure.messages:
                if not failure.to_client:
                    self._failed_requests += 1
                elif id(message) not in failed:  # one reply may be several fragments
                    self._failed_replies += 1
                failed.setdefault(id(message), []).append(failure)
        return failed

    def _warn(self, batch: Batch, outcome: Lost) -> None:
        message, interface, source, _ = batch.arrival(outcome.positions[0])
        reason = outcome.decision.reason
        self._warnings.dropped(reason, message, self.names.get(interface, str(interface)), source)

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
        account = self.ledger.watches.account(facts, batch.indexes[at], source, decision)
        sent = facts.message if isinstance(decision, Dropped) else decision.message or facts.message
        failures = failure_texts(failed.get(id(sent), ()))
        if self.narrator is not None:
            but = "".join(f"; BUT {failure}" for failure in failures)
            LOGGER.debug("%s%s", self.narrator.text(account), but, extra=fields_of(account).extra)
        for watch in watches:
            when = time.monotonic() if account.request else received
            watch.tell(account, packet.transaction(sent), failures, when, time.time())

    def notice_overflow(self) -> None:
        """Count what the kernel dropped at the socket of the default VRF, also if nothing came since."""
        if self._udp is not None:
            self._notice_overflow(self._udp)

    def _notice_overflow(self, sock: socket.socket) -> None:
        lost = self._losses.notice(sock)
        if lost:
            self.recent.add(time.monotonic(), heard=lost, late=lost)
