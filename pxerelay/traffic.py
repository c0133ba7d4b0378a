"""The packet flow: batches from the kernel, through the relay, back to the kernel, counted."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import Counter
from ipaddress import IPv4Address
from itertools import count
from typing import Any

from pxerelay import packet, sockets
from pxerelay.flood import FloodGate
from pxerelay.frames import reply_packets
from pxerelay.log import LOGGER, Limiter
from pxerelay.relay import MEANING, SUSPICIOUS, Decision, Drop, Relay, ToClient, ToServers
from pxerelay.sockets import Datagram, Failure, Receiver, Sender
from pxerelay.words import Narrator

_TURN = 16
"""Batches handled before the event loop gets its turn for signals, the control socket and reloads."""


class Traffic:
    """Moves datagrams by the rules of `relay`, which may be exchanged for another at any time.

    `names` tells the names of interfaces by index. With a `narrator` each decision is logged.
    """

    def __init__(self, udp: socket.socket, link: socket.socket) -> None:
        self._receiver = Receiver(udp)
        self._to_network = Sender(udp)
        self._to_link = Sender(link)
        self._identification = count(os.getpid())
        self._limiter = Limiter()
        self._gate = FloodGate(0)
        self._relay: Relay | None = None
        self.narrator: Narrator | None = None
        self.names: dict[int, str] = {}
        self.requests = self.replies = self.sent_to_servers = self.sent_to_clients = self.send_failures = 0
        self.without_option82 = 0
        self.dropped: Counter[Drop] = Counter()
        self._lines: list[tuple[Decision, str]] = []

    @property
    def relay(self) -> Relay | None:
        """The rules in force."""
        return self._relay

    @relay.setter
    def relay(self, relay: Relay) -> None:
        if relay.config.max_requests != self._gate.limit:
            self._gate = FloodGate(relay.config.max_requests)
        self._relay = relay

    def counters(self) -> dict[str, Any]:
        """Return what was counted since the start; `dropped` has every reason, also those not met yet."""
        return {
            "requests": self.requests,
            "replies": self.replies,
            "sent_to_servers": self.sent_to_servers,
            "sent_to_clients": self.sent_to_clients,
            "send_failures": self.send_failures,
            "without_option82": self.without_option82,
            "dropped": {reason.value: self.dropped[reason] for reason in Drop},
        }

    def readable(self) -> None:
        """Relay what is waiting at the UDP socket."""
        relay = self.relay
        if relay is None:
            return
        for _ in range(_TURN):
            try:
                batch = self._receiver.receive()
            except OSError as error:
                self._warn(("receive", error.errno), f"could not receive: {error.strerror}")
                return
            now = time.monotonic()
            for datagram in batch:
                self._handle(relay, datagram, now)
            self._flush()
            if len(batch) < sockets.BATCH:
                return

    def _handle(self, relay: Relay, datagram: Datagram, now: float) -> None:
        message, interface, source, unicast = datagram
        decision: Decision
        if packet.is_request(message) and not self._gate.admits(bytes(message[packet.CHADDR]), now):
            decision = Drop.FLOOD
        else:
            decision = relay.decide(message, interface, source, unicast)
        if isinstance(decision, ToServers):
            self.requests += 1
            self.without_option82 += decision.too_large
            self._send_to_servers(decision.message or message, decision)
        elif isinstance(decision, ToClient):
            self.replies += 1
            self._send_to_client(decision.message or message, decision)
        else:
            self.dropped[decision] += 1
            if decision in SUSPICIOUS:
                sender = f"{IPv4Address(source)} on {self.names.get(interface, interface)}"
                self._warn(decision, f"dropped a message from {sender}: {MEANING[decision]}")
        if self.narrator is not None:
            name = self.names.get(interface, f"interface {interface}")
            self._lines.append((decision, self.narrator.tell(message, name, source, decision)))

    def _send_to_servers(self, message: bytes | memoryview, decision: ToServers) -> None:
        control = b"" if decision.source is None else sockets.packet_info(decision.source)
        for address in decision.servers:
            name = sockets.udp_name(address, packet.SERVER_PORT)
            self._to_network.put(message, address, name, control, decision)
            self.sent_to_servers += 1

    def _send_to_client(self, message: bytes | memoryview, decision: ToClient) -> None:
        port = decision.port
        if port.index is None or port.address is None:  # a waiting port has no giaddr that a reply could name
            return
        self.sent_to_clients += 1
        source, address = port.address.packed, decision.address
        if decision.hardware is None:
            name = sockets.udp_name(address, packet.CLIENT_PORT)
            self._to_network.put(message, address, name, sockets.packet_info(source, port.index), decision)
            return
        name = sockets.link_name(port.index, decision.hardware)
        for ip in reply_packets(message, source, address, port.mtu, next(self._identification)):
            self._to_link.put(ip, address, name, b"", decision)

    def _flush(self) -> None:
        """Send what was collected, take back what was counted too early, and tell."""
        failed: dict[int, Failure] = {}
        for sender in (self._to_network, self._to_link):
            sender.flush()
            for failure in sender.take_failures():
                self.send_failures += 1
                if isinstance(failure.cause, ToServers):
                    self.sent_to_servers -= 1
                elif id(failure.cause) not in failed:  # one reply may be several fragments
                    self.sent_to_clients -= 1
                failed[id(failure.cause)] = failure
                self._report(failure)
        for decision, line in self._lines:
            lost = failed.get(id(decision))
            LOGGER.debug("%s%s", line, f"; BUT {_failure_text(lost)}" if lost else "")
        self._lines.clear()

    def _report(self, failure: Failure) -> None:
        """Warn of a failure: of each server by itself, of clients, who may claim any address, together."""
        to_client = isinstance(failure.cause, ToClient)
        hint = (_CLIENT_HINTS if to_client else _SERVER_HINTS).get(failure.errno, "")
        kind = (None if to_client else failure.destination, failure.errno)
        self._warn(kind, f"{_failure_text(failure)}{hint}")

    def _warn(self, kind: object, text: str) -> None:
        """Log a warning, but each kind at a bounded rate."""
        held = self._limiter.allow(kind, time.monotonic())
        if held is not None:
            LOGGER.warning("%s%s", text, f" ({held} more of these since the last)" if held else "")


def _failure_text(failure: Failure) -> str:
    return f"could not send to {IPv4Address(failure.destination)}: {os.strerror(failure.errno)}"


_SERVER_HINTS = {
    errno.ENETUNREACH: "; add a route to it on this host",
    errno.EACCES: "; it is a broadcast address here, requests go to servers' own addresses only",
    errno.EINVAL: "; is `source_address` or `giaddr` an address of this host?",
}
"""What to do about an errno of a request."""

_CLIENT_HINTS = {
    errno.ENETUNREACH: "; the client says that it has this address, and this host has no route to it",
    errno.EACCES: "; the client says that it has this address, which is a broadcast address here",
    errno.EMSGSIZE: "; the interface's MTU became smaller",
}
"""What an errno of a reply means."""
