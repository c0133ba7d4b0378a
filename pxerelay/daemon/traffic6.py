"""DHCPv6: batches from the kernel, through the relay, back."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from ipaddress import IPv6Address
from typing import Any

from pxerelay.daemon.losses import Losses
from pxerelay.daemon.warnings import Warnings, failure_texts
from pxerelay.linux import sockets6
from pxerelay.linux.faces import Faces
from pxerelay.linux.fields import Fields
from pxerelay.linux.inbox6 import BATCH, Batch6, Datagram6, Inbox6
from pxerelay.linux.listener import Taken
from pxerelay.linux.log import LOGGER
from pxerelay.linux.outbox import Failure, LinkOutbox
from pxerelay.linux.outbox6 import UdpOutbox6
from pxerelay.relay.account6 import Account6, Narrator6
from pxerelay.relay.decision6 import MEANING6, SUSPICIOUS6, Arrival6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.ledger import Common
from pxerelay.relay.ledger6 import Ledger6
from pxerelay.relay.pipeline6 import Outcome6, Pipeline6
from pxerelay.relay.recent import Recent
from pxerelay.relay.relay6 import Relay6
from pxerelay.wire import frames6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.mac import format_mac
from pxerelay.wire.packet6 import ALL_RELAYS_AND_SERVERS, RELAY_REPL

_TURN = 0.005
"""Seconds after which the event loop gets its turn for signals, the control socket and reloads."""

_RELAY_REPL = bytes([RELAY_REPL])

_FAMILY = "6"
"""What log lines about DHCPv6 are found by."""

_CROWD = 16
"""Datagrams read in one go above which the socket's count of overflows is read."""


class Traffic6:
    """Moves datagrams by the rules of a `Relay6`, which may be exchanged for another at any time.

    As `Traffic`. A message is decided on as soon as it is known whose frame it came in. With a `narrator`
    each decision is logged. `by_kernel` counts replies that were not sent by link layer. `recent` and
    `common` hear of both families.
    """

    def __init__(self, recent: Recent, common: Common) -> None:
        self._recent = recent
        self._inbox = Inbox6()
        self._to_link = LinkOutbox()
        self._to_network: UdpOutbox6 | None = None
        self._faces: Faces | None = None
        self._udp: socket.socket | None = None
        self._warnings = Warnings()
        self._losses = Losses(sockets6.Checksums6(), self._warnings)
        self._relay: Relay6
        self._pipeline = Pipeline6(BATCH)
        self._framed: frozenset[int] = frozenset()
        self.by_kernel = 0
        self._failed_requests = self._failed_replies = self._send_failures = 0
        self.names: Mapping[int, str] = {}
        self.elsewhere: AbstractSet[int] = frozenset()
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
        self._losses.close()

    def behind(self, interface: int, address: bytes) -> bytes | None:
        """Tell the MAC of the last frame from 16 octets on an interface, None if the address says it too."""
        return None if self._faces is None else self._faces.known(interface, address)

    def obey(self, relay: Relay6, names: Mapping[int, str]) -> None:
        """Relay by these rules from now on; `names` has the names of interfaces by index."""
        self._relay, self.names = relay, names
        self._pipeline.obey(relay)
        self.ledger.obey(relay, names)
        self._framed = frozenset(
            port.index for port in relay.ports if port.index is not None and port.hardware
        )
        if self._to_network is not None:
            self._to_network.keep_lanes(relay.repliers)

    def totals(self) -> dict[str, Any]:
        """Return the counters since the start, with the keys of DHCPv4's."""
        if self._udp is not None:
            self._notice_overflow(self._udp)
        totals = self.ledger.counters.totals()
        return {
            "requests": totals["requests"],
            "replies": totals["replies"],
            "sent_to_servers": totals["copies"] - self._failed_requests,
            "sent_to_clients": totals["replies"] - self._failed_replies,
            "send_failures": self._send_failures,
            "not_received": self._losses.not_received,
            "bad_checksums": self._losses.bad_checksums,
            "dropped": totals["dropped"],
        }

    def readable(self, sock: socket.socket) -> Taken:
        """Relay what is waiting at a UDP socket, for a while."""
        total, more, end = 0, False, time.monotonic() + _TURN
        elsewhere = self.elsewhere if sock is self._udp else frozenset()
        while True:
            try:
                batch = self._inbox.receive(sock)
                if self._faces is not None:
                    self._faces.look(batch.newest)
            except OSError as error:
                self._warnings.warn(("receive", error.errno), f"could not receive: {error.strerror}")
                break
            total += len(batch)
            self._relay_all(batch, elsewhere)
            more = len(batch) == BATCH
            if not more or time.monotonic() > end:
                break
        if total > _CROWD:
            self._notice_overflow(sock)
        return Taken(total, more)

    def _relay_all(self, batch: Batch6, elsewhere: AbstractSet[int]) -> None:
        """Decide on a batch, send what is to be sent, then count and log it.

        What came in on interfaces that another socket hears is left out.

        A fault of ours in one batch does not stop the next, and a fault while counting undoes nothing sent.
        """
        now = time.monotonic()
        try:
            shed = self._pipeline.shed(batch, now)
            if elsewhere:
                shed = {at: why for at, why in shed.items() if batch.interfaces[at] not in elsewhere}
            arrivals = [
                self._arrival(batch.datagram(at))
                for at, index in enumerate(batch.interfaces)
                if at not in shed and index not in elsewhere
            ]
            outcomes = self._pipeline.decide(arrivals, now)
            failures = [failure for one in outcomes for failure in self._send(one)]
            failures += self._to_link.flush()
        except Exception:  # noqa: BLE001
            self._to_link.discard()
            self._warnings.bug(f"up to {len(batch)} messages were lost")
            return
        try:
            self._enter_shed(batch, shed)
            self._enter(outcomes, failures)
        except Exception:  # noqa: BLE001
            self._warnings.bug(f"up to {len(batch)} messages were not counted")

    def _arrival(self, one: Datagram6) -> Arrival6:
        mac = None
        if one.destination == ALL_RELAYS_AND_SERVERS and one.interface in self._framed and self._faces:
            mac = self._faces.behind(one)
        return Arrival6(one.message, one.interface, one.source, one.port, one.destination, mac)

    def _send(self, outcome: Outcome6) -> list[Failure]:
        """Send what was decided, replies by link layer with the next flush; return what failed at once."""
        outbox, decision = self._to_network, outcome.decision
        failures: list[Failure | None] = []
        if outbox is None or isinstance(decision, Dropped6):
            return []
        if isinstance(decision, ToServers6):
            parts = [decision.header, outcome.arrival.message]
            failures.extend(
                outbox.to_server(parts, server, decision.source, decision.vrf) for server in decision.servers
            )
        else:
            failures.append(self._to_peer(decision, outbox))
        return [failure for failure in failures if failure]

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
                self._tell(self.narrator, Outcome6(_unread(batch, at), Dropped6(reason)), ())

    def _enter(self, outcomes: Sequence[Outcome6], failures: Sequence[Failure]) -> None:
        """Count and log what became of messages."""
        for failure in failures:
            self._warnings.failed(failure, self._relay)
            self._send_failures += 1
            if failure.to_client:
                self._failed_replies += 1
            else:
                self._failed_requests += 1
        failed = {id(failure.messages[0]): failure for failure in failures}
        decisions = [one.decision for one in outcomes]
        self._recent.add(
            time.monotonic(),
            sent=sum(len(one.servers) for one in decisions if isinstance(one, ToServers6)),
            failed=sum(not failure.to_client for failure in failures),
            heard=len(outcomes),
            late=sum(isinstance(one, Dropped6) and one.reason is Drop6.TOO_OLD for one in decisions),
        )
        self.ledger.enter(outcomes, time.monotonic())
        for outcome in outcomes:
            arrival, decision, _ = outcome
            if isinstance(decision, Dropped6) and decision.reason in SUSPICIOUS6:
                self._warn(arrival, decision.reason)
            if self.narrator is not None:
                sent = decision.message if isinstance(decision, ToPeer) else arrival.message
                but = failure_texts([failed[id(sent)]]) if id(sent) in failed else []
                self._tell(self.narrator, outcome, but)

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

    def _tell(self, narrator: Narrator6, outcome: Outcome6, failures: Sequence[str]) -> None:
        """Log what became of a message."""
        arrival, decision, facts = outcome
        facts = facts or Facts6(arrival.message)
        account = narrator.account(arrival, facts, self._name(arrival.interface), decision)
        but = "".join(f"; BUT {failure}" for failure in failures)
        LOGGER.debug("%s%s", narrator.text(account), but, extra=_fields_of(account).extra)

    def _notice_overflow(self, sock: socket.socket) -> None:
        lost = self._losses.notice(sock)
        if lost:
            self._recent.add(time.monotonic(), heard=lost, late=lost)

    def _name(self, interface: int) -> str:
        return self.names.get(interface, str(interface))


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
