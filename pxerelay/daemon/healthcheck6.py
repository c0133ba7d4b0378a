"""Health checks of DHCPv6 servers: how one is asked, and how a client's SOLICIT is tried there again.

Answers to relay agents pass through us too (rule 137), so servers of clients behind routers are judged by
these clients as well.
"""

from __future__ import annotations

import asyncio
import os
from ipaddress import IPv6Address

from pxerelay.daemon.healthcheck import ASKER, FamilyCheck, port_for
from pxerelay.daemon.own_requests import answers_to, happens
from pxerelay.daemon.traffic6 import Traffic6
from pxerelay.linux import sockets6
from pxerelay.policy.servers import Address, Pool, Probing
from pxerelay.policy.sticky6 import Sample6, StickyClients6
from pxerelay.relay.decision6 import Drop6, Dropped6, ToServers6
from pxerelay.relay.questions6 import ReceivedReply6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.transactions import Record
from pxerelay.relay.transactions6 import transaction
from pxerelay.wire import packet6, probe6
from pxerelay.wire.batch import number
from pxerelay.wire.facts6 import Facts6

_ANSWERS_ALL_THE_SAME = frozenset({Drop6.NO_INTERFACE, Drop6.BAD_PEER})
"""Drops of replies that answer us all the same: the question came from no client interface, or seemed to come
from a router that may ask no more."""

_XID_OCTETS = 3
"""Octets of a transaction id (RFC 9915, 8)."""

_VENDOR_CLASS, _ARCHITECTURES = b"PXEClient:Arch:00007:UNDI:003000", (7,)
"""What the client says of itself in whose name servers are asked: a PC with UEFI (RFC 5970, 3.3)."""


class Check6(FamilyCheck[Sample6]):
    """Checks servers by `traffic`, as the `relay` in force would ask them."""

    octets = 16
    sticky: StickyClients6

    def __init__(self, traffic: Traffic6) -> None:
        self._traffic = traffic
        self.relay: Relay6
        self.forget()

    def forget(self) -> None:
        """Know of nobody who is booting."""
        self.sticky = StickyClients6()

    def addresses(self, pool: Pool) -> tuple[Address, ...]:
        """Return the addresses that a pool stands for."""
        return self.relay.answers.of6(pool)

    def record(self, server: bytes) -> Record | None:
        """Return what became of requests to a server."""
        return self._traffic.ledger.transactions.record(server)

    def heard(self, server: Address, now: float) -> None:
        """Count a reply for a server, also if it answers from another address."""
        self._traffic.ledger.transactions.heard(number(server.packed), now)

    async def try_again(self, server: Address, sample: Sample6, seconds: float) -> bool:
        """Send a client's SOLICIT once more; return whether an answer came in time."""
        message = bytearray(sample.message)
        xid = slice(sample.start + packet6.XID.start, sample.start + packet6.XID.stop)
        message[xid] = os.urandom(_XID_OCTETS)
        decision = ToServers6((server.packed,), sample.source, sample.header, sample.vrf)
        return await self._is_answered(bytes(message), decision, seconds)

    async def ask(self, pool: Pool, server: Address, probing: Probing) -> bool:
        """Ask a server; return whether an answer came in time."""
        assert isinstance(server, IPv6Address)  # noqa: S101  # `addresses` returned it
        try:
            message, decision = question(self.relay, pool, server, probing.chaddr)
        except OSError:
            return False  # there is no route to it
        return await self._is_answered(message, decision, probing.timeout)

    async def _is_answered(self, message: bytes, decision: ToServers6, seconds: float) -> bool:
        complete = asyncio.Event()

        def take(reply: ReceivedReply6) -> bool:
            if isinstance(reply.decision, Dropped6) and reply.decision.reason not in _ANSWERS_ALL_THE_SAME:
                return False
            complete.set()
            return True

        with answers_to(self._traffic.questions, ASKER, {transaction(Facts6(message)): take}):
            self._traffic.send(message, decision)
            return await happens(complete, seconds)


def question(relay: Relay6, pool: Pool, address: IPv6Address, mac: bytes) -> tuple[bytes, ToServers6]:
    """Return a SOLICIT for a server, and how it is sent.

    It seems to come from a VLAN of ours. Where we have none, as behind routers, our own address on the way to
    the server is its link-address; OSError if there is no way.
    """
    message = probe6.solicit(mac, os.urandom(_XID_OCTETS), _VENDOR_CLASS, _ARCHITECTURES)
    port = port_for(relay.ports, relay.config.policy, pool, lambda vrf: _is_reached(address, vrf))
    if port is not None:
        return message, relay.addressed(message, mac, port, (address.packed,))
    fixed = relay.config.source_address6
    link_address = fixed.packed if isinstance(fixed, IPv6Address) else sockets6.route_source(address.packed)
    return message, relay.addressed_from(message, mac, link_address, 0, (address.packed,))


def _is_reached(address: IPv6Address, vrf: int) -> bool:
    try:
        sockets6.route_source(address.packed, vrf)
    except OSError:
        return False
    return True
