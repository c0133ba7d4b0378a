"""Which requests of DHCPv6 were answered, by which server, how fast; `transactions` has what is followed how.

A transaction is known by its xid, the client's DUID and what is asked for: iPXE has one xid for SOLICIT and
REQUEST.
"""

from __future__ import annotations

from typing import NamedTuple

from pxerelay.relay.decision6 import ToServers6
from pxerelay.relay.transactions import AnyTransactions, Followed
from pxerelay.wire import packet6
from pxerelay.wire.facts6 import Facts6

_FOR_SERVERS = frozenset({packet6.SOLICIT, packet6.ADVERTISE})
"""Types with which a client looks for servers, and servers answer (RFC 9915, 16.2 and 16.3)."""


class Transaction6(NamedTuple):
    """The 3 octets of an xid, the client's DUID, and whether the client looks for servers."""

    xid: bytes
    duid: bytes
    looks_for_servers: bool

    @property
    def rapid(self) -> Transaction6:
        """The SOLICIT that a REPLY in this transaction would answer by Rapid Commit (RFC 9915, 21.14)."""
        return self._replace(looks_for_servers=True)


def transaction(facts: Facts6) -> Transaction6:
    """Return the transaction of a client's message, or of a server's to a client."""
    return Transaction6(facts.xid, facts.duid, facts.kind in _FOR_SERVERS)


class Transactions6(AnyTransactions[Transaction6]):
    """Follows SOLICITs and INFORMATION-REQUESTs."""

    octets = 16

    def sent(self, facts: Facts6, index: int, decision: ToServers6, now: float) -> None:
        """Follow a client's message, if it looks for servers."""
        self.take_room(1)
        client = decision.client
        if client is not None and client.begins_anew:
            request = Followed(client.chaddr or b"", index, decision, now, pxe=client.boots, duid=facts.duid)
            self.follow(transaction(facts), request)

    def find(self, facts: Facts6) -> Transaction6 | None:
        """Return the transaction that a server's message answers; None if none waits for it."""
        key = transaction(facts)
        if key in self.pending:
            return key
        return key.rapid if facts.kind == packet6.REPLY and key.rapid in self.pending else None
