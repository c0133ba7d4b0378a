"""Health checks of DHCPv4 servers: how one is asked, and how a client's DISCOVER is tried there again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from ipaddress import IPv4Address

from pxerelay.daemon.healthcheck import ASKER, FamilyCheck, port_for
from pxerelay.daemon.own_requests import answers_to, happens
from pxerelay.daemon.traffic4 import Traffic4
from pxerelay.linux import sockets
from pxerelay.policy.ports import Port
from pxerelay.policy.servers import Address, Pool, Probing
from pxerelay.policy.sticky import Sample, StickyClients
from pxerelay.relay.decision import Drop, Dropped, ToServers
from pxerelay.relay.questions import ReceivedReply
from pxerelay.relay.relay import Relay
from pxerelay.relay.transactions import Record
from pxerelay.wire import packet, probe
from pxerelay.wire.batch import number
from pxerelay.wire.facts import Facts

_ANSWERS_ALL_THE_SAME = frozenset({Drop.NOT_OUR_GIADDR, Drop.NO_INTERFACE})
"""Drops of replies that answer us all the same: their giaddr is of no client interface, or of several."""

_VENDOR_CLASS = b"PXEClient:Arch:00000:UNDI:002001"
"""What the client says of itself in whose name servers are asked: a PC with a BIOS (RFC 4578, 2)."""


class Check4(FamilyCheck[Sample]):
    """Checks servers by `traffic`, as the `relay` in force would ask them."""

    octets = 4
    sticky: StickyClients

    def __init__(self, traffic: Traffic4) -> None:
        self._traffic = traffic
        self.relay: Relay
        self.forget()

    def forget(self) -> None:
        """Know of nobody who is booting."""
        self.sticky = StickyClients()

    def addresses(self, pool: Pool) -> tuple[Address, ...]:
        """Return the addresses that a pool stands for."""
        return self.relay.answers.of(pool)

    def record(self, server: bytes) -> Record | None:
        """Return what became of requests to a server."""
        return self._traffic.ledger.transactions.record(server)

    def heard(self, server: Address, now: float) -> None:
        """Count a reply for a server, also if it answers from another address."""
        self._traffic.ledger.transactions.heard(number(server.packed), now)

    async def try_again(self, server: Address, sample: Sample, seconds: float) -> bool:
        """Send a client's DISCOVER once more; return whether an answer came in time."""
        message = bytearray(sample.message)
        message[packet.XID] = os.urandom(4)
        message[packet.FLAGS] |= packet.BROADCAST_FLAG
        decision = ToServers((server.packed,), sample.source, vrf=sample.vrf)
        return await self._is_answered(message, decision, seconds)

    async def ask(self, pool: Pool, server: Address, probing: Probing) -> bool:
        """Ask a server; return whether an answer came in time."""
        assert isinstance(server, IPv4Address)  # noqa: S101  # `addresses` returned it
        try:
            message, decision = question(self.relay, pool, server, probing.chaddr)
        except OSError:
            return False  # there is no route to it
        return await self._is_answered(message, decision, probing.timeout)

    async def _is_answered(self, message: bytearray, decision: ToServers, seconds: float) -> bool:
        complete = asyncio.Event()

        def take(reply: ReceivedReply) -> bool:
            if isinstance(reply.decision, Dropped) and reply.decision.reason not in _ANSWERS_ALL_THE_SAME:
                return False
            complete.set()
            return True

        with answers_to(self._traffic.questions, ASKER, {packet.transaction(message): take}):
            self._traffic.send(message, decision)
            return await happens(complete, seconds)


def question(relay: Relay, pool: Pool, address: IPv4Address, chaddr: bytes) -> tuple[bytearray, ToServers]:
    """Return a DISCOVER for a server, so that the answer comes to us, and how it is sent.

    It seems to come from a VLAN of ours. Where we have none, as behind routers, it comes from our own
    address on the way to the server; OSError if there is no way.
    """
    message = probe.discover(chaddr, os.urandom(4), _VENDOR_CLASS, (0,))
    port = asked_from(relay, pool, lambda vrf: _is_reached(address, vrf))
    if port is None or port.giaddr is None:
        fixed = relay.config.source_address
        source = fixed.packed if isinstance(fixed, IPv4Address) else sockets.route_source(str(address))
        message[packet.GIADDR] = source
        message[packet.HOPS] = 1
        return message, ToServers((address.packed,), source)
    decision = relay.addressed(Facts(message), port, (address.packed,))
    return bytearray(decision.message or message), decision._replace(message=None)


def asked_from(relay: Relay, pool: Pool, reached: Callable[[int], bool]) -> Port | None:
    """Return the client interface that a pool's servers are asked from."""
    return port_for(relay.ports, relay.config.policy, pool, reached)


def _is_reached(address: IPv4Address, vrf: int) -> bool:
    try:
        sockets.route_source(str(address), vrf)
    except OSError:
        return False
    return True
