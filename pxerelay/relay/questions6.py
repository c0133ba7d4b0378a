"""Questions of our own to DHCPv6 servers: replies go to whoever asked, not to clients (`questions`)."""

from __future__ import annotations

from typing import NamedTuple

from pxerelay.relay.decision6 import Arrival6, Decision6
from pxerelay.relay.questions import AnyQuestions
from pxerelay.relay.transactions6 import Transaction6, transaction
from pxerelay.wire import relayed6
from pxerelay.wire.batch6 import Batch6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet6 import RELAY_REPL


class ReceivedReply6(NamedTuple):
    """A reply to a question, valid only during the call that passes it on: its memory is used again.

    `arrival` is the RELAY-REPL, `facts` are those of the message to the client in it, `decision` is what the
    relay would do with it if nobody had asked.
    """

    arrival: Arrival6
    facts: Facts6
    decision: Decision6


def heard(arrival: Arrival6, decision: Decision6) -> ReceivedReply6 | None:
    """Return a RELAY-REPL as a `ReceivedReply6`; None if no message to a client is in it."""
    inside = relayed6.unwrapped(arrival.message)
    if inside is None:
        return None
    return ReceivedReply6(arrival, Facts6(relayed6.innermost(inside.message)), decision)


class Questions6(AnyQuestions[Transaction6, ReceivedReply6]):
    """Questions of DHCPv6, known by xid and DUID; each is a SOLICIT."""

    def __init__(self) -> None:
        super().__init__()
        self._xids: frozenset[bytes] = frozenset()

    def among(self, batch: Batch6) -> list[int]:
        """Return the positions in a batch of messages that may be replies to any of them."""
        return [
            at
            for at, kind in enumerate(batch.types())
            if kind == RELAY_REPL and self._may_answer(bytes(batch.messages[at]))
        ]

    def _may_answer(self, octets: bytes) -> bool:
        return any(xid in octets for xid in self._xids)

    def _changed(self) -> None:
        self._xids = frozenset(key.xid for key in (*self._asked, *self._over))

    def _transaction(self, reply: ReceivedReply6) -> Transaction6:
        return transaction(reply.facts).rapid  # also of a REPLY that comes in the place of an ADVERTISE
