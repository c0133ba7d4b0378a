"""The packet flow: batches from the kernel, through the relay, back to the kernel, counted."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import Counter
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address
from itertools import count
from typing import Any

from pxerelay import packet, sockets
from pxerelay.flood import FloodGate
from pxerelay.frames import reply_packets
from pxerelay.log import LOGGER, Limiter
from pxerelay.relay import MEANING, SUSPICIOUS, Decision, Drop, Relay, ToClient, ToServers
from pxerelay.sockets import Datagram, Receiver, Sender
from pxerelay.words import Narrator

_TURN = 16
"""Batches handled before the event loop gets its turn for signals, the control socket and reloads."""


class Traffic:
    """Moves datagrams by the rules of `relay`, which may be exchanged for another at any time.

    `udp` hears the default VRF and sends everywhere, `link` sends by link layer. `names` tells the names
    of interfaces by index, `elsewhere` which ones another socket hears. With a `narrator` each decision
    is logged.
    """

    def __init__(self, udp: socket.socket, link: socket.socket) -> None:
        self._udp = udp
        self._receiver = Receiver()
        self._to_network = Sender(udp)
        self._to_link = Sender(link)
        self._identification = count(os.getpid())
        self._limiter = Limiter()
        self._gate = FloodGate(0)
        self._relay: Relay | None = None
        self.narrator: Narrator | None = None
        self.names: dict[int, str] = {}
        self.elsewhere: AbstractSet[int] = frozenset()
        self.requests = self.replies = self.sent_to_servers = self.sent_to_clients = self.send_failures = 0
        self.without_option82 = 0
        self.dropped: Counter[Drop] = Counter()

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

    def readable(self, sock: socket.socket) -> None:
        """Relay what is waiting at a UDP socket.

        Where net.ipv4.udp_l3mdev_accept is set, the socket of the default VRF hears broadcasts in other
        VRFs too (ip-sysctl.rst); one copy is enough.
        """
        relay = self.relay
        if relay is None:
            return
        elsewhere = self.elsewhere if sock is self._udp else frozenset()
        for _ in range(_TURN):
            try:
                batch = self._receiver.receive(sock)
            except OSError as error:
                self._warn(("receive", error.errno), f"could not receive: {error.strerror}")
                return
            now = time.monotonic()
            for datagram in batch:
                if datagram.interface not in elsewhere:
                    self._handle(relay, datagram, now)
            self._flush(self._to_network)
            self._flush(self._to_link)
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
            LOGGER.debug("%s", self.narrator.tell(message, name, source, decision))

    def _send_to_servers(self, message: bytes | memoryview, decision: ToServers) -> None:
        control = b""
        if decision.source is not None or decision.vrf:
            control = sockets.packet_info(decision.source or packet.UNSET, decision.vrf)
        for address in decision.servers:
            self._to_network.put(message, address, sockets.udp_name(address, packet.SERVER_PORT), control)
            self.sent_to_servers += 1

    def _send_to_client(self, message: bytes | memoryview, decision: ToClient) -> None:
        port = decision.port
        if port.index is None or port.address is None:  # a waiting port has no giaddr that a reply could name
            return
        self.sent_to_clients += 1
        source = port.address.packed
        if decision.hardware is None:
            name = sockets.udp_name(decision.address, packet.CLIENT_PORT)
            self._to_network.put(message, decision.address, name, sockets.packet_info(source, port.index))
            return
        name = sockets.link_name(port.index, decision.hardware)
        for ip in reply_packets(message, source, decision.address, port.mtu, next(self._identification)):
            self._to_link.put(ip, decision.address, name)

    def _flush(self, sender: Sender) -> None:
        sender.flush()
        for destination, code in sender.take_failures():
            self.send_failures += 1
            address = IPv4Address(destination)
            hint = _HINTS.get(code, "")
            self._warn((destination, code), f"could not send to {address}: {os.strerror(code)}{hint}")

    def _warn(self, kind: object, text: str) -> None:
        """Log a warning, but each kind at a bounded rate."""
        held = self._limiter.allow(kind, time.monotonic())
        if held is not None:
            LOGGER.warning("%s%s", text, f" ({held} more of these since the last)" if held else "")


_HINTS = {
    errno.ENETUNREACH: "; add a route to it on this host, in the VRF of the clients if they are in one",
    errno.EACCES: "; it is a broadcast address here, requests go to servers' own addresses only",
    errno.EINVAL: "; is `source_address` or `giaddr` an address of this host?",
}
"""What to do about an errno."""
