"""DHCPv6: batches from the kernel, through the relay, back."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from ipaddress import IPv6Address
from typing import Any

from pxerelay.daemon.traffic import Traffic
from pxerelay.daemon.warnings import failure_texts
from pxerelay.linux import sockets6
from pxerelay.linux.faces import Faces
from pxerelay.linux.fields import Fields
from pxerelay.linux.inbox6 import BATCH, Inbox6
from pxerelay.linux.log import LOGGER
from pxerelay.linux.outbox import Failure
from pxerelay.linux.outbox6 import UdpOutbox6, to_peer
from pxerelay.relay.account6 import Account6, Narrator6
from pxerelay.relay.counters import Counters
from pxerelay.relay.decision6 import MEANING6, SUSPICIOUS6, Arrival6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.ledger import Common
from pxerelay.relay.ledger6 import Ledger6
from pxerelay.relay.outcome6 import Decided6, Group6, Outcome6, Requests6
from pxerelay.relay.pipeline6 import Pipeline6
from pxerelay.relay.recent import Recent
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.trace import Watch
from pxerelay.relay.trace6 import View6, may_want, transactions, wanting
from pxerelay.wire import frames6
from pxerelay.wire.batch import NOWHERE
from pxerelay.wire.batch6 import Batch6
from pxerelay.wire.client6 import MacSource
from pxerelay.wire.frames6 import Framing6
from pxerelay.wire.mac import format_mac
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import RELAY_REPL, UNSET

_RELAY_REPL = bytes([RELAY_REPL])

_FAMILY = "6"
"""What log lines about DHCPv6 are found by."""


class Traffic6(Traffic[Batch6, Decided6]):
    """Moves datagrams by the rules of a `Relay6`, which may be exchanged for another at any time.

    As `Traffic4`. A message is decided on as soon as it is known whose frame it came in. With a `narrator`
    each decision is logged. `by_kernel` counts replies that were not sent by link layer. `recent` and
    `common` hear of both families. Replies to `questions` go to no client, but to whoever asked.
    """

    def __init__(self, recent: Recent, common: Common) -> None:
        super().__init__(BATCH, recent, sockets6.Checksums6())
        self._inbox = Inbox6()
        self._to_network = UdpOutbox6()
        self._faces: Faces | None = None
        self._relay6: Relay6
        self._view: View6
        self._pipeline = Pipeline6(BATCH)
        self.questions = self._pipeline.questions
        self._framed: frozenset[int] = frozenset()
        self._framings: dict[int, Framing6] = {}
        self._to_peers: list[ToPeer] = []
        self.by_kernel = 0
        self.narrator: Narrator6 | None = None
        self.ledger = Ledger6(common)

    def use(self, udp: socket.socket | None, link: socket.socket | None, faces: Faces | None) -> None:
        """Hear and send by these from now on; without them nothing is sent."""
        self._to_network.close()
        self._udp, self._faces = udp, faces
        self._to_link.use(link)

    def close(self) -> None:
        """Close what was opened here."""
        self._to_network.close()
        super().close()

    def behind(self, interface: int, address: bytes) -> bytes | None:
        """Tell the MAC of the last frame from 16 octets on an interface, None if the address says it too."""
        return None if self._faces is None else self._faces.known(interface, address)

    def obey(self, relay: Relay6, names: Mapping[int, str]) -> None:
        """Relay by these rules from now on; `names` has the names of interfaces by index."""
        self._pipeline.obey(relay)
        self.ledger.obey(relay, names)
        self._to_network.keep_lanes(relay.repliers)
        self._take_in(relay, names)

    def follow(self, relay: Relay6, names: Mapping[int, str]) -> None:
        """Take in that the relay has followed what changed of the network."""
        self._pipeline.follow()
        self.ledger.count_by(names, (port.name for port in relay.ports))
        self._take_in(relay, names)

    def _take_in(self, relay: Relay6, names: Mapping[int, str]) -> None:
        self._relay6, self.names, self._view = relay, names, View6(relay, names)
        self._framings.clear()
        self._framed = frozenset(
            port.index for port in relay.ports if port.index is not None and port.hardware
        )

    def _counters(self) -> Counters:
        return self.ledger.counters

    def _more_totals(self) -> Mapping[str, Any]:
        counted = self.ledger.mac_sources
        sources = {source.value: counted[source] for source in MacSource}
        return {"mac_sources": sources, "by_kernel": self.by_kernel}

    def _receive(self, sock: socket.socket, elsewhere: AbstractSet[int]) -> Batch6:
        batch = self._inbox.receive(sock)
        if self._faces is not None:
            self._faces.look(batch.newest)
        if elsewhere:
            batch.ignore(elsewhere)
        return batch

    def _decide(self, batch: Batch6, now: float) -> Decided6:
        if self.ledger.looks_again(now):
            self._pipeline.meet_anew()
        unread, rest = self._pipeline.shed(batch, now), list(range(len(batch)))
        if batch.ignored:
            unread = {at: why for at, why in unread.items() if batch.interfaces[at] != NOWHERE}
        if batch.ignored or unread:
            rest = [at for at in rest if batch.interfaces[at] != NOWHERE and at not in unread]
        if self._faces is not None:
            self._faces.name(batch, rest, self._framed)
        groups: list[Group6] = []
        if self.narrator is None:
            aside = self._aside(batch, rest)
            rest = [at for at in rest if at not in aside] if aside else rest
            groups, too_much, rest = self._pipeline.take(batch, rest, now)
            rest = sorted((*rest, *aside)) if aside else rest
            unread |= dict.fromkeys(too_much, Drop6.FLOOD)
        alone = self._pipeline.decide([_arrival(batch, at) for at in rest], now)
        for group in groups:
            self._queue(group)
        for outcome in alone:
            self._queue_one(outcome)
        return Decided6(unread, groups, alone)

    def _aside(self, batch: Batch6, positions: Sequence[int]) -> Collection[int]:
        """Return which messages are to be decided on alone: somebody may want to be told of them."""
        watches, found = self.ledger.watches, set[int]()
        if self.questions:
            found.update(self.questions.among(batch))
        if watches:
            found.update(may_want(watches, batch))
        return found.intersection(positions) if found else found

    def _discard(self) -> None:
        self._to_network.discard()
        self._to_link.discard()
        self._to_peers.clear()

    def _queue(self, group: Group6) -> None:
        """Have the messages of a group sent with the next flush."""
        if isinstance(group, Requests6):
            self._to_servers(group.messages, group.decision)
            return
        index, own = group.port.index, group.port.link_local
        if index is not None and own is not None:  # else nothing of the kind was decided
            framing = self._framings.get(index)
            if framing is None:
                framing = self._framings[index] = Framing6(own.packed, group.port.hardware)
            self._to_link.put_fitting(group.replies, framing, index)

    def _to_servers(self, messages: Sequence[Message], decision: ToServers6) -> None:
        if not messages:
            return
        control = b""
        if decision.source is not None or decision.vrf:
            control = sockets6.packet_info(decision.source or UNSET, decision.vrf)
        for address in decision.servers:
            self._to_network.put(messages, address, control)

    def _queue_one(self, outcome: Outcome6) -> None:
        decision = outcome.decision
        if outcome.taken:
            return
        if isinstance(decision, ToServers6):
            self._to_servers([outcome.sent], decision)
        elif isinstance(decision, ToPeer):
            self._to_peer(decision)

    def _to_peer(self, decision: ToPeer) -> None:
        """Have a reply sent by link layer; by UDP where that can't be (rules 148 and 150)."""
        port, message, address = decision.port, decision.message, decision.address
        if (
            port is not None
            and port.index is not None
            and port.hardware
            and decision.hardware is not None
            and decision.source is not None
            and len(message) + frames6.HEADERS_SIZE <= port.mtu
        ):
            frame = frames6.frame(
                message,
                source=decision.source,
                destination=address,
                port=decision.udp_port,
                sender=port.hardware,
                hardware=decision.hardware,
            )
            self._to_link.put_frame(frames6.Reply6(message, address, decision.hardware), frame, port.index)
            return
        self.by_kernel += 1
        self._to_peers.append(decision)

    def send(self, message: Message, decision: ToServers6) -> list[str]:
        """Send a request of our own, and return what failed."""
        self._to_servers([decision.header + message], decision)
        before = self._failed_requests
        failed = self._flush()
        sent = len(decision.servers)
        self.recent.add(time.monotonic(), sent=sent, failed=self._failed_requests - before)
        return [text for failures in failed.values() for text in failure_texts(failures)]

    def _flush(self) -> Mapping[int, Sequence[Failure]]:
        """Send what was collected; return what failed, by the identity of the message."""
        if self._udp is None:
            self._discard()
            return {}
        failures = [*self._to_network.flush(self._udp, storm=self._storm), *self._to_link.flush()]
        for one in self._to_peers:
            interface = one.port.index if one.port and one.port.index is not None else one.vrf
            where = one.address, one.udp_port, one.source, interface
            if failure := to_peer(self._udp, one.message, *where):
                failures.append(failure)
        self._to_peers.clear()
        return self._count_failures(failures, self._relay6) if failures else {}

    def _finish(self, batch: Batch6, decided: Decided6, now: float) -> None:
        before = self._failed_requests
        failed = self._flush()
        self._enter_recent(batch, decided, self._failed_requests - before, now)
        if decided.unread:
            kinds = Counter((batch.interfaces[at], reason) for at, reason in decided.unread.items())
            for (index, reason), count in kinds.items():
                self.ledger.add_drops(index, reason, count)
        self.ledger.enter_groups(batch, decided.groups, now)
        self.ledger.enter(decided.alone, now)
        self._tell_unread(batch, decided.unread)
        watches = self.ledger.watches
        watched = wanting(watches, decided.alone, now) if watches else {}
        for at, outcome in enumerate(decided.alone):
            arrival, decision = outcome.arrival, outcome.decision
            if outcome.taken:
                continue
            if isinstance(decision, Dropped6) and decision.reason in SUSPICIOUS6:
                self._warn(arrival, decision.reason)
            if self.narrator is not None or at in watched:
                failures = failure_texts(failed.get(id(outcome.sent), ()))
                self._tell(outcome, failures, watched.get(at, ()), now)

    def _enter_recent(self, batch: Batch6, decided: Decided6, failed: int, now: float) -> None:
        sent = sum(
            len(group.messages) * len(group.decision.servers)
            for group in decided.groups
            if isinstance(group, Requests6)
        )
        sent += sum(
            len(one.decision.servers) for one in decided.alone if isinstance(one.decision, ToServers6)
        )
        late = sum(reason is Drop6.TOO_OLD for reason in decided.unread.values())
        self.recent.add(now, sent=sent, failed=failed, heard=len(batch) - len(batch.ignored), late=late)

    def _tell_unread(self, batch: Batch6, unread: Mapping[int, Drop6]) -> None:
        """Log what was dropped unread, one message of each interface and reason."""
        told = set[tuple[int, Drop6]]()
        for at, reason in unread.items():
            kind = batch.interfaces[at], reason
            if reason in SUSPICIOUS6 and kind not in told:
                told.add(kind)
                self._warn(_arrival(batch, at), reason)
            if self.narrator is not None:
                self._tell(Outcome6(_arrival(batch, at), Dropped6(reason)), (), (), 0.0)

    def _warn(self, arrival: Arrival6, reason: Drop6) -> None:
        sender, interface = str(IPv6Address(arrival.source)), self.name_of(arrival.interface)

        def about() -> Fields:
            mac = format_mac(arrival.mac) if arrival.mac else ""
            servers = (sender,) if arrival.message[:1] == _RELAY_REPL else ()
            peer = "" if servers else sender
            return Fields(mac, interface, servers, reason=reason.value, family=_FAMILY, peer=peer)

        self._warnings.warn(
            reason, f"dropped a message from {sender} on {interface}: {MEANING6[reason]}", about
        )

    def _tell(
        self, outcome: Outcome6, failures: Sequence[str], watches: Sequence[Watch], received: float
    ) -> None:
        """Log what became of a message, and tell who follows its client."""
        account = self._view.account(outcome)
        if self.narrator is not None:
            but = "".join(f"; BUT {failure}" for failure in failures)
            LOGGER.debug("%s%s", self.narrator.text(account), but, extra=_fields_of(account).extra)
        for watch in watches:
            when = time.monotonic() if account.request else received
            watch.tell(account, transactions(outcome), failures, when, time.time())


def _arrival(batch: Batch6, at: int) -> Arrival6:
    """Return a copy of a message, which outlives the batch."""
    one = batch.datagram(at)
    return Arrival6(one.message, one.interface, one.source, one.port, one.destination, batch.macs[at])


def _fields_of(account: Account6) -> Fields:
    """Return what a log line about a message is found by."""
    servers = (account.server,) if account.server else account.servers
    spellings = dict.fromkeys(text for server in servers for text in (server.name, server.address) if text)
    duid = account.duid.rpartition(" ")[2]
    about = account.mac, account.out or account.interface, tuple(spellings), account.rule, account.dropped
    return Fields(*about, _FAMILY, duid, account.peer)
