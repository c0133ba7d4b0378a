"""The packet flow: batches from the kernel, through the relay, back to the kernel, counted."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from weakref import WeakKeyDictionary

from pxerelay.daemon.warnings import Warnings, failure_texts, fields_of
from pxerelay.linux import sockets
from pxerelay.linux.burst_meter import BurstMeter
from pxerelay.linux.inbox import BATCH, Inbox
from pxerelay.linux.log import LOGGER
from pxerelay.linux.outbox import Failure, LinkOutbox, UdpOutbox
from pxerelay.relay.account import Account, Narrator
from pxerelay.relay.counters import Counters
from pxerelay.relay.fast_path import FastPath, Known
from pxerelay.relay.questions import Questions, ReceivedReply, heard
from pxerelay.relay.rate_limit import RateLimit
from pxerelay.relay.relay import SUSPICIOUS, Decision, Drop, Relay, ToClient, ToServers
from pxerelay.relay.trace import Watch, Watches
from pxerelay.relay.transactions import Transactions
from pxerelay.relay.unknown import Unknown
from pxerelay.wire import packet
from pxerelay.wire.batch import NOWHERE, Batch, client_number, number
from pxerelay.wire.frames import Framing, Reply
from pxerelay.wire.mac import MAC_OCTETS, format_mac

_TURN = 0.005
"""Seconds after which the event loop gets its turn for signals, the control socket and reloads."""

_STORM_WINDOW, _STORM = 0.1, 1000
"""Seconds, and datagrams within these that are a storm: more than 10,000 a second, for a while."""

_NOBODY: Mapping[int, Sequence[Watch]] = {}
"""What of a batch is to be told where nobody follows a client."""

_CROWD = 16
"""Datagrams at once from which on it pays to look whether the kernel had no room for more."""


class Traffic:
    """Moves datagrams by the rules of a `Relay`, which may be exchanged for another at any time.

    `udp` hears the default VRF and sends everywhere, `link` sends by link layer. `elsewhere` tells which
    interfaces another socket hears. With a `narrator` each decision is logged; `watches` are told of those
    about clients that somebody follows. Replies to `questions` go to no client, but to whoever asked.
    """

    def __init__(self, udp: socket.socket, link: socket.socket) -> None:
        self._udp = udp
        self._inbox = Inbox()
        self._to_network = UdpOutbox()
        self._to_link = LinkOutbox(link)
        self._warnings = Warnings()
        self._gate = RateLimit(0)
        self._pace = BurstMeter(_STORM_WINDOW, _STORM)
        self._storm = False
        self._fast_path: FastPath | None = None
        self._framings: dict[int | None, Framing] = {}
        self._drops: WeakKeyDictionary[socket.socket, int] = WeakKeyDictionary()
        self.unknown = Unknown()
        self.narrator: Narrator | None = None
        self.watches = Watches()
        self.questions = Questions()
        self.names: Mapping[int, str] = {}
        self.elsewhere: AbstractSet[int] = frozenset()
        self.transactions = Transactions()
        self._counters = Counters()
        self._failed_requests = self._failed_replies = self._send_failures = 0
        self._not_received = self._bad_checksums = 0
        self._checksums = sockets.Checksums()
        self._damaged_before = self._checksums.bad()
        self._accounts: list[tuple[packet.Message, Account, Sequence[Watch]]] = []

    def close(self) -> None:
        """Close what was opened to send by, but for the sockets that were given."""
        self._to_network.close()
        self._checksums.close()

    def obey(self, relay: Relay, names: Mapping[int, str]) -> None:
        """Relay by these rules from now on; `names` has the names of interfaces by index."""
        if self._fast_path:
            self._fast_path.settle()
        self.names = names
        self._counters.rename(names, (port.name for port in relay.ports))
        if relay.config.max_requests != self._gate.limit:
            self._gate = RateLimit(relay.config.max_requests)
        self._framings = {
            port.index: Framing(port.address.packed, port.hardware, port.mtu)
            for port in relay.ports
            if port.address
        }
        self.transactions.servers = frozenset(map(number, relay.repliers))
        self._fast_path = FastPath(relay, self._counters)
        self._to_network.keep_lanes(relay.repliers)
        self.unknown.obey(relay)

    @property
    def counters(self) -> Counters:
        """What was counted by interface and server, up to now."""
        if self._fast_path:
            self._fast_path.settle()
        return self._counters

    def totals(self) -> dict[str, Any]:
        """Return what was counted since the start; `dropped` has every reason, also those not met yet."""
        self._notice_overflow(self._udp)
        totals = self.counters.totals()
        return {
            "requests": totals["requests"],
            "replies": totals["replies"],
            "sent_to_servers": totals["copies"] - self._failed_requests,
            "sent_to_clients": totals["replies"] - self._failed_replies,
            "send_failures": self._send_failures,
            "not_received": self._not_received,
            "bad_checksums": self._bad_checksums,
            "without_option82": self._counters.without_option82,
            "dropped": totals["dropped"],
        }

    def readable(self, sock: socket.socket) -> int:
        """Relay what is waiting at a UDP socket, and return how many datagrams that was.

        Where net.ipv4.udp_l3mdev_accept is set, the socket of the default VRF hears broadcasts in other
        VRFs too (ip-sysctl.rst); one copy is enough.
        """
        fast_path = self._fast_path
        if fast_path is None:
            return 0
        total, end = 0, time.monotonic() + _TURN
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
            try:
                self._relay(batch, fast_path)
            except Exception:  # noqa: BLE001  # whatever one message did, the next ones are relayed
                self._to_network.discard()
                self._to_link.discard()
                self._accounts.clear()
                self._warnings.bug(len(batch))
            if len(batch) < BATCH or time.monotonic() > end:
                break
        if total > _CROWD:
            self._notice_overflow(sock)
        return total

    def _relay(self, batch: Batch, fast_path: FastPath) -> None:
        now = time.monotonic()
        self._storm = self._pace.busy(len(batch), now)
        rest: Iterable[int] = range(len(batch))
        strangers: list[int]
        refused: set[int] = set()
        answered = False
        if self.unknown.looks_again(now):
            fast_path.meet_anew()
        watched = self.watches.wanting(batch, now) if self.watches else _NOBODY
        if self.narrator is None:
            aside = {*watched, *self.questions.among(batch)} if watched or self.questions else _NOBODY
            known, rest = fast_path.take(batch, leave=aside)
            strangers = known.strangers
            self._known(known, now)
            answered = bool(known.replies)
            if aside:
                strangers += fast_path.strangers(batch, aside)
        else:
            strangers = fast_path.strangers(batch)
        for at in rest:
            message, interface, source, _ = batch.arrival(at)
            if interface == NOWHERE:
                refused.add(at)
                continue
            sent: packet.Message = message
            decision = self._decide(batch, at, fast_path, now)
            if self.questions and self._was_asked(heard(batch, at, decision), now):
                refused.add(at)
                continue  # it goes nowhere that could be told
            if isinstance(decision, ToServers):
                sent = decision.message or message
                self._to_servers([sent], decision)
                self._counters.add_requests(interface, decision, 1)
                if self.transactions.room(now):
                    self.transactions.sent([sent], interface, decision, now)
            elif isinstance(decision, ToClient):
                sent = decision.message or message
                self.transactions.heard(batch.sources[at], now)
                answered = True
                self._to_client(sent, decision)
                self._counters.add_replies(decision.port.index or 0, source, 1)
            else:
                self._drop(decision, message, interface, source)
                if decision is not Drop.MAPPED_TO_DROP and decision is not Drop.NOT_RESOLVED:
                    refused.add(at)
            if self.narrator is not None or at in watched:
                account = self.watches.account(message, interface, source, decision)
                self._accounts.append((sent, account, watched.get(at, ())))
        if strangers:
            self._note(batch, strangers, refused, fast_path, now)
        if answered and self.transactions.pending:
            self._match(batch, refused, now)
        self._flush(now)

    def _match(self, batch: Batch, refused: AbstractSet[int], now: float) -> None:
        """Find the replies that requests wait for, among those of a batch that were relayed."""
        pending = self.transactions.pending
        xids = batch.words(packet.XID.start)
        if not pending.keys().isdisjoint(xids):
            for at, xid in enumerate(xids):
                if xid not in pending or at in refused or batch.sizes[at] < packet.HEADER_SIZE:
                    continue  # of a message that does not reach so far the column shows an older one's
                if batch.messages[at][packet.OP] == packet.BOOTREPLY:
                    self.transactions.answered(xid, batch.sources[at], now)

    def _note(
        self, batch: Batch, strangers: list[int], refused: set[int], fast_path: FastPath, now: float
    ) -> None:
        """Note who fell to a default; a request that we had no business with does not count as met."""
        if refused:
            for at in refused.intersection(strangers):
                fast_path.forget(client_number(batch.messages[at]))
            strangers = [at for at in strangers if at not in refused]
        for at in strangers[: self.unknown.room_for(len(strangers))]:
            self.unknown.note(batch.messages[at], batch.indexes[at], now)

    def send(self, message: packet.Message, decision: ToServers) -> list[str]:
        """Send a request of our own, and return what failed."""
        self._to_servers([decision.message or message], decision)
        return self._flush()

    def _was_asked(self, reply: ReceivedReply | None, now: float) -> bool:
        """Give a reply to a question of our own to whoever asked."""
        taken = self.questions.take(reply)
        if taken and reply:
            self.transactions.heard(number(reply.source), now)
        return taken

    def _decide(self, batch: Batch, at: int, fast_path: FastPath, now: float) -> Decision:
        """Decide on one message; a client that asks too much is not worth reading its options for."""
        message = batch.messages[at]
        client = client_number(message)
        if packet.is_request(message) and self._gate.is_shut(client, now):
            return Drop.FLOOD
        decision = fast_path.decide(batch, at)
        if isinstance(decision, ToServers) and self._gate.excess((client,), now):
            return Drop.FLOOD
        return decision

    def _known(self, known: Known, now: float) -> None:
        """Send what goes its known way, but for floods."""
        excess = self._gate.excess(known.clients, now)
        if excess:
            for index, count in known.leave_out(excess).items():
                self._counters.add_drops(index, Drop.FLOOD, count)
            sender = format_mac(next(iter(excess)).to_bytes(8, sys.byteorder)[:MAC_OCTETS])
            self._warnings.flood(sender)
        room = self.transactions.room(now) if known.clients else 0
        for way, messages in known.groups.items():
            if messages:
                self._to_servers(messages, way.decision)
                way.count += len(messages)
                if room:
                    some = messages if len(messages) <= room else messages[:1]
                    self.transactions.sent(some, way.index, way.decision, now)
                    room -= len(some)
        for leaves, replies in known.replies.items():
            leaves.count += len(replies)
            self._to_link.put(replies, self._framings[leaves.index], leaves.index)
            self.transactions.heard(leaves.source, now)

    def _to_servers(self, messages: Sequence[packet.Message], decision: ToServers) -> None:
        control = b""
        if decision.source is not None or decision.vrf:
            control = sockets.packet_info(decision.source or packet.UNSET, decision.vrf)
        for address in decision.servers:
            self._to_network.put(messages, address, control)

    def _to_client(self, message: packet.Message, decision: ToClient) -> None:
        index = decision.port.index
        if index is None:  # a waiting port has no giaddr that a reply could name
            return
        reply = Reply(message, number(decision.address), decision.hardware)
        self._to_link.put([reply], self._framings[index], index)

    def _drop(self, reason: Drop, message: packet.Message, interface: int, source: bytes) -> Drop:
        self._counters.add_drops(interface, reason)
        if reason in SUSPICIOUS:
            self._warnings.dropped(reason, message, self.names.get(interface, str(interface)), source)
        return reason

    def _flush(self, received: float = 0.0) -> list[str]:
        """Send what was collected, count and tell what failed, and return it."""
        failed: dict[int, list[Failure]] = {}
        for failure in (*self._to_network.flush(self._udp, storm=self._storm), *self._to_link.flush()):
            self._warnings.failed(failure, self.watches.relay)
            self._send_failures += len(failure.messages)
            for message in failure.messages:
                if not failure.to_client:
                    self._failed_requests += 1
                elif id(message) not in failed:  # one reply may be several fragments
                    self._failed_replies += 1
                failed.setdefault(id(message), []).append(failure)
        if self._accounts:
            self._tell(failed, received)
        return [text for failures in failed.values() for text in failure_texts(failures)]

    def _tell(self, failed: Mapping[int, Sequence[Failure]], received: float) -> None:
        """Log what became of messages, and tell who follows their clients."""
        sent, at = time.monotonic(), time.time()
        for message, account, watches in self._accounts:
            failures = failure_texts(failed.get(id(message), ()))
            if self.narrator is not None:
                but = "".join(f"; BUT {failure}" for failure in failures)
                LOGGER.debug("%s%s", self.narrator.text(account), but, extra=fields_of(account).extra)
            for watch in watches:
                when = sent if account.request else received
                watch.tell(account, packet.transaction(message), failures, when, at)
        self._accounts.clear()

    def _notice_overflow(self, sock: socket.socket) -> None:
        """Count what the kernel dropped since the last look: damaged on the way, or for want of room."""
        total = sockets.drops(sock)
        dropped = total - self._drops.get(sock, 0)
        if not dropped:
            return
        self._drops[sock] = total
        damaged = self._checksums.bad()
        self._bad_checksums, before = damaged - self._damaged_before, self._bad_checksums
        lost = max(dropped - (self._bad_checksums - before), 0)
        self._not_received += lost
        if lost:
            room = sockets.buffer_size(sock) >> 10
            self._warnings.warn(
                "overflow",
                f"the kernel dropped {lost} datagrams that came faster than we relay: the receive buffer of "
                f"{room} KiB was full; net.core.rmem_max bounds it",
            )
