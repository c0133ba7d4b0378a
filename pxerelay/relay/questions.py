"""Questions of our own to servers, as probes ask them: replies go to whoever asked, not to clients."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
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


def heard(batch: Batch, at: int, decision: Decision) -> ReceivedReply | None:
    """Return a message of a batch as a `ReceivedReply`; None if it is no BOOTREPLY."""
    message, interface, source, _ = batch.arrival(at)
    if len(message) < packet.HEADER_SIZE or message[packet.OP] != packet.BOOTREPLY:
        return None
    return ReceivedReply(
        message, source, batch.destinations[at].to_bytes(4, sys.byteorder), interface, decision
    )


Key = TypeVar("Key", bound=Hashable)
"""A transaction, by which a question and its replies are known."""

Reply = TypeVar("Reply")
"""What a reply is told by."""


class AnyQuestions(ABC, Generic[Key, Reply]):
    """Questions of one family that wait for replies, and ended ones that may still be answered late."""

    def __init__(self) -> None:
        self._asked: dict[Key, tuple[str, Callable[[Reply], bool]]] = {}
        self._over: set[Key] = set()

    def __bool__(self) -> bool:
        """Whether any are kept, waiting or ended."""
        return bool(self._asked or self._over)

    def begin(self, transaction: Key, asker: str, tell: Callable[[Reply], bool]) -> None:
        """Pass replies in a transaction to `tell`; `asker` is a name to count questions by (`of`).

        `tell` returns whether it takes a reply; one that it does not take is relayed.
        """
        self._asked[transaction] = asker, tell
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
        return sum(one == asker for one, _ in self._asked.values())

    def take(self, reply: Reply | None) -> bool:
        """Pass a reply to whoever asked; return whether it was taken, and so is not to be relayed."""
        if reply is None:
            return False
        transaction = self._transaction(reply)
        question = self._asked.get(transaction)
        return question[1](reply) if question else transaction in self._over

    @abstractmethod
    def _transaction(self, reply: Reply) -> Key:
        """Return the transaction that a reply is in."""

    def _changed(self) -> None:
        """Take in that there are other questions than before."""


class Questions(AnyQuestions[packet.Transaction, ReceivedReply]):
    """Questions of DHCPv4, known by the request's xid and client hardware address."""

    def __init__(self) -> None:
        super().__init__()
        self._xids: frozenset[int] = frozenset()

    def among(self, batch: Batch) -> list[int]:
        """Return the positions in a batch of messages that may be replies to any of them."""
        xids = batch.words(packet.XID.start)
        if self._xids.isdisjoint(xids):
            return []
        return [at for at, xid in enumerate(xids) if xid in self._xids]

    def _transaction(self, reply: ReceivedReply) -> packet.Transaction:
        return packet.transaction(reply.message)

    def _changed(self) -> None:
        self._xids = frozenset(number(xid) for xid, _ in (*self._asked, *self._over))
