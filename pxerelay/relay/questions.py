"""Questions of our own to servers, as probes ask them: replies go to whoever asked, not to clients."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from pxerelay.relay.decision import Decision
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch, number


class ReceivedReply(NamedTuple):
    """A reply to a question, valid only during the call that passes it on: its memory is used again.

    `source` and `destination` are the 4 octets of the datagram's addresses, `interface` is the index of the
    one it came in on, `decision` what the relay would do with it if nobody had asked.
    """

    message: packet.Message
    source: bytes
    destination: bytes
    interface: int
    decision: Decision


TakeReply = Callable[[ReceivedReply], bool]
"""Is called with a reply, and returns whether it takes it; a reply that it does not take is relayed."""


def heard(batch: Batch, at: int, decision: Decision) -> ReceivedReply | None:
    """Return a message of a batch as a `ReceivedReply`; None if it is no BOOTREPLY."""
    message, interface, source, _ = batch.arrival(at)
    if len(message) < packet.HEADER_SIZE or message[packet.OP] != packet.BOOTREPLY:
        return None
    return ReceivedReply(
        message, source, batch.destinations[at].to_bytes(4, sys.byteorder), interface, decision
    )


class _Question(NamedTuple):
    asker: str
    tell: TakeReply


class Questions:
    """Questions that wait for replies, and ended ones that may still be answered late.

    A question is known by its transaction: the request's xid and client hardware address.
    """

    def __init__(self) -> None:
        self._asked: dict[packet.Transaction, _Question] = {}
        self._over: set[packet.Transaction] = set()
        self._xids: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Whether any are kept, waiting or ended."""
        return bool(self._asked or self._over)

    def begin(self, transaction: packet.Transaction, asker: str, tell: TakeReply) -> None:
        """Pass replies in a transaction to `tell`; `asker` is a name to count questions by (`of`)."""
        self._asked[transaction] = _Question(asker, tell)
        self._count()

    def end(self, transaction: packet.Transaction) -> bool:
        """Stop delivering replies; return whether anyone was waiting. They are discarded until `forget`."""
        if self._asked.pop(transaction, None) is None:
            return False
        self._over.add(transaction)
        return True

    def forget(self, transaction: packet.Transaction) -> None:
        """Relay replies in a transaction to clients from now on, as any others."""
        self._asked.pop(transaction, None)
        self._over.discard(transaction)
        self._count()

    def among(self, batch: Batch) -> list[int]:
        """Return the positions in a batch of messages that may be replies to any of them."""
        xids = batch.words(packet.XID.start)
        if self._xids.isdisjoint(xids):
            return []
        return [at for at, xid in enumerate(xids) if xid in self._xids]

    def _count(self) -> None:
        self._xids = frozenset(number(xid) for xid, _ in (*self._asked, *self._over))

    def of(self, asker: str) -> int:
        """Return how many questions of an asker wait for replies."""
        return sum(question.asker == asker for question in self._asked.values())

    def take(self, reply: ReceivedReply | None) -> bool:
        """Pass a reply to whoever asked; return whether it was taken, and so is not to be relayed."""
        if reply is None:
            return False
        transaction = packet.transaction(reply.message)
        question = self._asked.get(transaction)
        return question.tell(reply) if question else transaction in self._over
