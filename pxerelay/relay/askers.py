"""Who asked where, for interfaces that share a giaddr: for a reply that does not bring our circuit id back.

The first to ask in a transaction has its replies: who sends another's xid and hardware address later, from
another VLAN, gets nothing of them. What was asked is forgotten after one to two minutes, so that a client may
move.
"""

from __future__ import annotations

from pxerelay.wire.packet import Transaction

TURN = 60.0
"""Seconds that a generation of entries grows; then the one before it is forgotten, and the next begins."""

_MOST = 1 << 15
"""Entries of one generation; with more, the next one begins early."""


class Askers:
    """The names of interfaces by transaction. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._now: dict[Transaction, str] = {}
        self._before: dict[Transaction, str] = {}
        self._turned = 0.0

    def pass_time(self, now: float) -> None:
        """Begin the next generation if it is time, at a monotonic time in seconds."""
        if now - self._turned >= TURN:
            self._before, self._now, self._turned = self._now, {}, now

    def note(self, transaction: Transaction, interface: str) -> None:
        """Note the interface that a transaction was heard on, unless it is known already."""
        self._now.setdefault(transaction, self._before.get(transaction, interface))
        if len(self._now) >= _MOST:
            self._before, self._now = self._now, {}

    def interface_of(self, transaction: Transaction) -> str | None:
        """Return where a transaction began, None if that is not known."""
        return self._now.get(transaction) or self._before.get(transaction)

    def clear(self) -> None:
        """Forget everything."""
        self._now.clear()
        self._before.clear()
