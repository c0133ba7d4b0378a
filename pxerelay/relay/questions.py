"""Questions of our own to servers, as probes ask them: replies go to whoever asked, not to clients."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

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


Key = TypeVar("Key", bound=Hashable)
"""What a question and its replies have in common."""

Reply = TypeVar("Reply")


class _Question(NamedTuple, Generic[Reply]):
    asker: str
    tell: Callable[[Reply], bool]


class AnyQuestions(Generic[Key, Reply]):
    """Questions of one family that wait for replies, and ended ones that may still be answered late.

    A question is known by its transaction.
    """

    def __init__(self) -> None:
        self._asked: dict[Key, _Question[Reply]] = {}
        self._over: set[Key] = set()

    def __bool__(self) -> bool:
        """Whether any are kept, waiting or ended."""
        return bool(self._asked or self._over)

    def begin(self, transaction: Key, asker: str, tell: Callable[[Reply], bool]) -> None:
        """Pass replies in a transaction to `tell`; `asker` is a name to count questions by (`of`)."""
        self._asked[transaction] = _Question(asker, tell)
        self._changed()

    def end(self, transaction: Key) -> bool:
        """Stop delivering replies; return whether anyone was waiting. They are discarded until `forget`."""
        if self._asked.pop(transaction, None) is None:
            return False
        self._over.add(transaction)
        return True

    def forget(self, transaction: Key) -> None:
        """Relay replies in a transaction to clients from now on, as any others."""
        self._asked.pop(transaction, None)
        self._over.discard(transaction)
        self._changed()

    def of(self, asker: str) -> int:
        """Return how many questions of an asker wait for replies."""
        return sum(question.asker == asker for question in self._asked.values())

    def _changed(self) -> None:
        """Take in that other questions are kept than before."""

    def _take(self, transaction: Key, reply: Reply) -> bool:
        question = self._asked.get(transaction)
        return question.tell(reply) if question else transaction in self._over


class Questions(AnyQuestions[packet.Transaction, ReceivedReply]):
    """Those of DHCPv4, known by the request's xid and client hardware address."""

    def __init__(self) -> None:
        super().__init__()
        self._xids: frozenset[int] = frozenset()

    def among(self, batch: Batch) -> list[int]:
        """Return the positions in a batch of messages that may be replies to any of them."""
        xids = batch.words(packet.XID.start)
        if self._xids.isdisjoint(xids):
            return []
        return [at for at, xid in enumerate(xids) if xid in self._xids]

    def _changed(self) -> None:
        self._xids = frozenset(number(xid) for xid, _ in (*self._asked, *self._over))

    def take(self, reply: ReceivedReply | None) -> bool:
        """Pass a reply to whoever asked; return whether it was taken, and so is not to be relayed."""
        return reply is not None and self._take(packet.transaction(reply.message), reply)
