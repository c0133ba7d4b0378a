"""DHCPv6: batches from the kernel, through the relay, back."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from pxerelay.daemon.traffic import Traffic
from pxerelay.daemon.warnings import failure_texts
from pxerelay.linux import sockets6
from pxerelay.linux.faces import Faces
from pxerelay.linux.fields import Fields
from pxerelay.linux.inbox6 import BATCH, Batch6, Datagram6, Inbox6
from pxerelay.linux.log import LOGGER
from pxerelay.linux.outbox import Failure
from pxerelay.linux.outbox6 import UdpOutbox6
from pxerelay.relay.account6 import Account6, Narrator6
from pxerelay.relay.counters import Counters
from pxerelay.relay.decision6 import MEANING6, SUSPICIOUS6, Arrival6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.ledger import Common
from pxerelay.relay.ledger6 import Ledger6
from pxerelay.relay.pipeline6 import Outcome6, Pipeline6
from pxerelay.relay.recent import Recent
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.trace import Watch
from pxerelay.relay.trace6 import View6, transactions, wanting
from pxerelay.wire import frames6
from pxerelay.wire.client6 import MacSource
from pxerelay.wire.mac import format_mac
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import ALL_RELAYS_AND_SERVERS, RELAY_REPL

_RELAY_REPL = bytes([RELAY_REPL])

_FAMILY = "6"
"""What log lines about DHCPv6 are found by."""


class Decided6(NamedTuple):
    """What becomes of a batch: why some were dropped unread, by position, and what is done with the others.

    `failures` are of what was sent already.
    """

    shed: Mapping[int, Drop6]
    outcomes: Sequence[Outcome6]
    failures: list[Failure]


class Traffic6(Traffic[Batch6, Decided6]):
    """Moves datagrams by the rules of a `Relay6`, which may be exchanged for another at any time.

    As `Traffic4`. A message is decided on as soon as it is known whose frame it came in. With a `narrator`
    each decision is logged. `by_kernel` counts replies that were not sent by link layer. `recent` and
    `common` hear of both families. Replies to `questions` go to no client, but to whoever asked.
    """

    def __init__(self, recent: Recent, common: Common) -> None:
        super().__init__(BATCH, recent, sockets6.Checksums6())
        self._inbox = Inbox6()
        self._to_network: UdpOutbox6 | None = None
        self._faces: Faces | None = None
        self._relay6: Relay6
        self._view: View6
        self._pipeline = Pipeline6(BATCH)
        self.questions = self._pipeline.questions
        self._framed: frozenset[int] = frozenset()
        self._left_out: AbstractSet[int] = frozenset()
        self.by_kernel = 0
        self.narrator: Narrator6 | None = None
        self.ledger = Ledger6(common)

    def use(self, udp: socket.socket | None, link: socket.socket | None, faces: Faces | None) -> None:
        """Hear and send by these from now on; without them nothing is sent."""
        if self._to_network is not None:
            self._to_network.close()
        self._udp, self._faces = udp, faces
        self._to_network = UdpOutbox6(udp) if udp is not None else None
        self._to_link.use(link)

    def close(self) -> None:
        """Close what was opened here."""
        if self._to_network is not None:
            self._to_network.close()
        super().close()

    def behind(self, interface: int, address: bytes) -> bytes | None:
        """Tell the MAC of the last frame from 16 octets on an interface, None if the address says it too."""
        return None if self._faces is None else self._faces.known(interface, address)

    def obey(self, relay: Relay6, names: Mapping[int, str]) -> None:
        """Relay by these rules from now on; `names` has the names of interfaces by index."""
        self._relay6, self.names, self._view = relay, names, View6(relay, names)
        self._pipeline.obey(relay)
        self.ledger.obey(relay, names)
        self._framed = frozenset(
            port.index for port in relay.ports if port.index is not None and port.hardware
        )
        if self._to_network is not None:
            self._to_network.keep_lanes(relay.repliers)

    def _counters(self) -> Counters:
        return self.ledger.counters

    def _more_totals(self) -> Mapping[str, Any]:
        counted = self.ledger.mac_sources
        sources = {source.value: counted[source] for source in MacSource}
        return {"mac_sources": sources, "by_kernel": self.by_kernel}

    def _receive(self, sock: socket.socket, elsewhere: AbstractSet[int]) -> Batch6:
        self._left_out = elsewhere
        batch = self._inbox.receive(sock)
        if self._faces is not None:
            self._faces.look(batch.newest)
        return batch

    def _decide(self, batch: Batch6, now: float) -> Decided6:
        elsewhere = self._left_out
        shed = self._pipeline.shed(batch, now)
        if elsewhere:
            shed = {at: why for at, why in shed.items() if batch.interfaces[at] not in elsewhere}
        arrivals = [
            self._arrival(batch.datagram(at))
            for at, index in enumerate(batch.interfaces)
            if at not in shed and index not in elsewhere
        ]
        outcomes = self._pipeline.decide(arrivals, now)
        return Decided6(shed, outcomes, [failure for one in outcomes for failure in self._send(one)])

    def _discard(self) -> None:
        self._to_link.discard()

    def _finish(self, batch: Batch6, decided: Decided6, now: float) -> None:
        failures = [*decided.failures, *self._to_link.flush()]
        self._enter_shed(batch, decided.shed)
        self._enter(decided.outcomes, failures, now)

    def _arrival(self, one: Datagram6) -> Arrival6:
        mac = None
        if one.destination == ALL_RELAYS_AND_SERVERS and one.interface in self._framed and self._faces:
            mac = self._faces.behind(one)
        return Arrival6(one.message, one.interface, one.source, one.port, one.destination, mac)

    def _send(self, outcome: Outcome6) -> list[Failure]:
        """Send what was decided, replies by link layer with the next flush; return what failed at once."""
        outbox, decision = self._to_network, outcome.decision
        if outbox is None or isinstance(decision, Dropped6) or outcome.taken:
            return []
        if isinstance(decision, ToServers6):
            return self._to_servers(outcome.arrival.message, decision, outbox)
        failure = self._to_peer(decision, outbox)
        return [failure] if failure else []

    def _to_servers(self, message: Message, decision: ToServers6, outbox: UdpOutbox6) -> list[Failure]:
        parts, vrf = [decision.header, message], decision.vrf
        failures = (outbox.to_server(parts, server, decision.source, vrf) for server in decision.servers)
        return [failure for failure in failures if failure]

    def send(self, message: Message, decision: ToServers6) -> list[str]:
        """Send a request of our own, and return what failed."""
        if self._to_network is None:
            return []
        failures = self._to_servers(message, decision, self._to_network)
        self._count_failures(failures, self._relay6)
        self.recent.add(time.monotonic(), sent=len(decision.servers), failed=len(failures))
        return failure_texts(failures)

    def _to_peer(self, decision: ToPeer, outbox: UdpOutbox6) -> Failure | None:
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
            self._to_link.put_frame(frames6.Reply6(message, address), frame, port.index)
            return None
        self.by_kernel += 1
        interface = port.index if port and port.index is not None else decision.vrf
        return outbox.to_peer(message, address, decision.udp_port, decision.source, interface)

    def _enter_shed(self, batch: Batch6, shed: Mapping[int, Drop6]) -> None:
        """Count and log what was dropped unread, one message of each interface and reason."""
        first = dict[tuple[int, Drop6], int]()
        for at, reason in shed.items():
            first.setdefault((batch.interfaces[at], reason), at)
        for (index, reason), count in Counter(
            (batch.interfaces[at], why) for at, why in shed.items()
        ).items():
            self.ledger.add_drops(index, reason, count)
            if reason in SUSPICIOUS6:
                self._warn(_unread(batch, first[index, reason]), reason)
        if self.narrator is not None:
            for at, reason in shed.items():
                self._tell(Outcome6(_unread(batch, at), Dropped6(reason)), (), (), 0.0)

    def _enter(self, outcomes: Sequence[Outcome6], failures: Sequence[Failure], now: float) -> None:
        """Count and log what became of messages."""
        failed = self._count_failures(failures, self._relay6)
        decisions = [one.decision for one in outcomes]
        self.recent.add(
            now,
            sent=sum(len(one.servers) for one in decisions if isinstance(one, ToServers6)),
            failed=sum(not failure.to_client for failure in failures),
            heard=len(outcomes),
            late=sum(isinstance(one, Dropped6) and one.reason is Drop6.TOO_OLD for one in decisions),
        )
        self.ledger.enter(outcomes, now)
        watches = self.ledger.watches
        watched = wanting(watches, outcomes, now) if watches else {}
        for at, outcome in enumerate(outcomes):
            arrival, decision = outcome.arrival, outcome.decision
            if outcome.taken:
                continue
            if isinstance(decision, Dropped6) and decision.reason in SUSPICIOUS6:
                self._warn(arrival, decision.reason)
            if self.narrator is not None or at in watched:
                sent = decision.message if isinstance(decision, ToPeer) else arrival.message
                self._tell(outcome, failure_texts(failed.get(id(sent), ())), watched.get(at, ()), now)

    def _warn(self, arrival: Arrival6, reason: Drop6) -> None:
        sender, interface = str(IPv6Address(arrival.source)), self._name(arrival.interface)

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


def _unread(batch: Batch6, at: int) -> Arrival6:
    """Return a message that was dropped before it was known whose frame it came in."""
    one = batch.datagram(at)
    return Arrival6(one.message, one.interface, one.source, one.port, one.destination)


def _fields_of(account: Account6) -> Fields:
    """Return what a log line about a message is found by."""
    servers = (account.server,) if account.server else account.servers
    spellings = dict.fromkeys(text for server in servers for text in (server.name, server.address) if text)
    duid = account.duid.rpartition(" ")[2]
    about = account.mac, account.out or account.interface, tuple(spellings), account.rule, account.dropped
    return Fields(*about, _FAMILY, duid, account.peer)
