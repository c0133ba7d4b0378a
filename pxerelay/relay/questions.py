"""Questions of our own to servers: who is told of the replies, which go to no client."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from pxerelay.relay.decision import Decision
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch, number


class ReceivedReply(NamedTuple):
    """A reply, valid only while it is told.

    It has the 4 octets of who sent it and of whom the datagram was for, the interface it came in on, and
    what would become of it if nobody had asked.
    """

    message: packet.Message
    source: bytes
    destination: bytes
    interface: int
    decision: Decision


TakeReply = Callable[[ReceivedReply], bool]
"""Is told of a reply, and tells whether it takes it; one that it does not take is treated as any other."""


def heard(batch: Batch, at: int, decision: Decision) -> ReceivedReply | None:
    """Return one message of a batch as it is told; None if it is no reply."""
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
    """Those that are on their way, and those that are over and may still be answered."""

    def __init__(self) -> None:
        self._asked: dict[packet.Transaction, _Question] = {}
        self._over: set[packet.Transaction] = set()
        self._xids: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Whether there are any, those that are over too."""
        return bool(self._asked or self._over)

    def begin(self, transaction: packet.Transaction, asker: str, tell: TakeReply) -> None:
        """Have somebody told of the replies in a transaction."""
        self._asked[transaction] = _Question(asker, tell)
        self._count()

    def end(self, transaction: packet.Transaction) -> bool:
        """Tell nobody any more, and whether somebody was; replies go nowhere until they are forgotten."""
        if self._asked.pop(transaction, None) is None:
            return False
        self._over.add(transaction)
        return True

    def forget(self, transaction: packet.Transaction) -> None:
        """Treat replies in a transaction as those to clients."""
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
        """Return how many somebody has on their way."""
        return sum(question.asker == asker for question in self._asked.values())

    def take(self, reply: ReceivedReply | None) -> bool:
        """Tell whoever asked; whether the reply is taken."""
        if reply is None:
            return False
        transaction = packet.transaction(reply.message)
        question = self._asked.get(transaction)
        return question.tell(reply) if question else transaction in self._over
