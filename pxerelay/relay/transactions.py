"""Which requests were answered, by which server, how fast.

A request that looks for servers, a DISCOVER, is followed until each of them has answered it or firmware would
ask again. At ordinary loads all of them are followed, in a storm a sample, so that time and memory are
bounded. Replies of DHCPv4 are matched by xid alone (RFC 2131, 2): that is fast enough for a whole batch.
`AnyTransactions` is what both families share, `transactions6` has DHCPv6's.

Not every DISCOVER wants an answer: a server for network boot alone is silent to all other clients. So one
of a client that does not boot from the network is followed, but counts as unanswered only once a server has
answered such a one.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from pxerelay.policy.rules import Reason
from pxerelay.relay.decision import ToServers
from pxerelay.wire import packet
from pxerelay.wire.batch import number
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS

PATIENCE = 4.0
"""Seconds after which firmware asks again (PXE 2.1, 2.2.3): an answer after that is too late."""

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, PATIENCE)
"""Upper bounds, in seconds, of the buckets of a histogram of the time to answer."""

_SOON = 3.0
"""Seconds within which the same DISCOVER again is a repetition, and does not begin anew."""

_MOST = 4096
"""Requests that are followed at the same time."""

_MOST_SERVERS = 4096
"""Servers that are told apart, since the start."""

_RATE, _BURST = 100.0, 64
"""Requests a second that are followed in a storm, and how many at once before it is one."""

LAST = 20
"""Clients that are remembered as the last ones."""

_ORDER = sys.byteorder


class Record:
    """What became of the requests to one server. Times are monotonic seconds.

    `buckets` counts answers by `BOUNDS`, `seconds` is the sum of the times they took. `last_reply` is when
    it was heard last, whatever it said. `silent` counts the DISCOVERs of network boot firmware it was sent
    since then, and `silent_since` is when the first of them was: both are as new after each reply.
    """

    __slots__ = (
        "answered",
        "buckets",
        "last_reply",
        "seconds",
        "serves_all",
        "silent",
        "silent_since",
        "unanswered",
    )

    def __init__(self) -> None:
        self.answered = self.unanswered = self.silent = 0
        self.buckets = [0] * len(BOUNDS)
        self.seconds = 0.0
        self.last_reply: float | None = None
        self.silent_since: float | None = None
        self.serves_all = False


class SentTo(Protocol):
    """What was decided about a request, in either family."""

    @property
    def servers(self) -> tuple[bytes, ...]:
        """Who got it."""

    @property
    def reason(self) -> Reason:
        """What kind of entry chose."""

    @property
    def returns(self) -> bool:
        """Whether answers come this way."""


class Followed:
    """A request that went to servers: whose, where it was heard, by which decision, when, who answered.

    `chaddr` is the client's Ethernet address, empty if it is not known; `duid` is its identifier in DHCPv6.
    """

    __slots__ = ("answers", "at", "chaddr", "decision", "duid", "index", "pxe", "waiting")

    def __init__(
        self, chaddr: bytes, index: int, decision: SentTo, at: float, *, pxe: bool, duid: bytes = b""
    ) -> None:
        self.chaddr, self.index, self.decision, self.at, self.pxe = chaddr, index, decision, at, pxe
        self.duid = duid
        self.waiting = set(map(number, decision.servers)) if decision.returns else set()
        self.answers: list[tuple[bytes, float]] = []

    def waits_for(self, decision: SentTo) -> bool:
        """Whether a request that was decided so goes to the same servers, and answers come back likewise."""
        own = self.decision
        return (own.servers, own.returns) == (decision.servers, decision.returns)


Key = TypeVar("Key", bound=Hashable)
"""What requests and their replies have in common."""


class AnyTransactions(Generic[Key]):
    """Follows requests of one family, within bounds. Servers have addresses of `octets` octets.

    `pending` has those that wait, by key; `last` the newest ones, the last of them at the end. `servers` are
    all that requests may go to, as numbers (`batch.number`).
    """

    octets: int

    def __init__(self) -> None:
        self.pending: dict[Key, Followed] = {}
        self.servers: frozenset[int] = frozenset()
        self.last: deque[Followed] = deque(maxlen=LAST)
        self._records: dict[int, Record] = {}
        self._room = float(_BURST)
        self._since = self._full_until = 0.0

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """Yield the servers that were asked, by their octets."""
        for server, record in self._records.items():
            yield server.to_bytes(self.octets, _ORDER), record

    def record(self, server: bytes) -> Record | None:
        """Return the record of a server's octets; None if it was never asked."""
        return self._records.get(number(server))

    def room(self, now: float) -> int:
        """Return how many requests may be followed at this moment."""
        if now < self._full_until:
            return 0
        self._room = min(self._room + (now - self._since) * _RATE, float(_BURST))
        self._since = now
        if self._room < 1:
            self._full_until = now + 1 / _RATE
        return int(self._room)

    def follow(self, key: Key, request: Followed) -> None:
        """Follow a request."""
        now = request.at
        self.settle(now)
        again = self.pending.pop(key, None)
        if again and again.waits_for(request.decision) and now - again.at < _SOON:
            self.pending[key] = again  # the same question, before its answer could be missed
            return
        if again:
            self._give_up(again)
        self.last.append(request)
        if not request.waiting or len(self.pending) >= _MOST:
            return
        self.pending[key] = request
        for server in request.waiting:
            record = self._records.get(server)
            if record is None:
                if len(self._records) >= _MOST_SERVERS:
                    continue
                record = self._records[server] = Record()
            if request.pxe:
                record.silent += 1
                if record.silent_since is None:
                    record.silent_since = now

    def take_room(self, count: int) -> None:
        """Count requests that were looked at, whether they are followed or not."""
        self._room -= count

    def heard(self, server: int, now: float) -> None:
        """Note that a server, given as a number, is alive."""
        record = self._records.get(server)
        if record is not None:
            record.last_reply, record.silent_since, record.silent = now, None, 0

    def answered(self, key: Key, source: int, now: float) -> None:
        """Note a reply to a transaction that is in `pending`.

        It may come from another address than the one that was asked (`accept_replies_from`): then it is the
        answer of the only one that has not answered yet. One from another server is not: the client asked
        that one with the same key, later.
        """
        self.settle(now)
        followed = self.pending.get(key)
        if followed is None:
            return
        if source not in followed.waiting:
            if len(followed.waiting) != 1 or source in self.servers:
                return
            if source.to_bytes(self.octets, _ORDER) in followed.decision.servers:
                return
            (source,) = followed.waiting
            self.heard(source, now)
        took = now - followed.at
        followed.waiting.discard(source)
        followed.answers.append((source.to_bytes(self.octets, _ORDER), took))
        if not followed.waiting:
            del self.pending[key]
        record = self._records.get(source)
        if record is not None:
            record.answered += 1
            record.seconds += took
            record.buckets[bisect_left(BOUNDS, took)] += 1
            record.serves_all = record.serves_all or not followed.pxe

    def settle(self, now: float) -> None:
        """Give up what has waited too long."""
        pending = self.pending
        while pending:
            key = next(iter(pending))
            if now - pending[key].at <= PATIENCE:
                return
            self._give_up(pending.pop(key))

    def _give_up(self, followed: Followed) -> None:
        for server in followed.waiting:
            record = self._records.get(server)
            if record is not None and (followed.pxe or record.serves_all):
                record.unanswered += 1


class Transactions(AnyTransactions[int]):
    """Follows DISCOVERs, by xid as a number."""

    octets = 4

    def sent(self, messages: Sequence[packet.Message], index: int, decision: ToServers, now: float) -> None:
        """Follow those of the messages that are DISCOVERs; all went the same way."""
        self.take_room(len(messages))
        for message in messages:
            if len(message) > _TYPE_AT and message[packet.HLEN] == MAC_OCTETS:
                octets = bytes(message)
                if _is_discover(octets):
                    chaddr, pxe = packet.ethernet_chaddr(octets) or b"", _is_pxe(octets)
                    self.follow(number(octets[packet.XID]), Followed(chaddr, index, decision, now, pxe=pxe))


_TYPE_AT = packet.OPTIONS + 2
"""Where the message type stands if its option is the first one, as most clients have it."""

_TYPE_FIRST = bytes((packet.MESSAGE_TYPE, 1))


def _is_discover(message: bytes) -> bool:
    if message[packet.OPTIONS : _TYPE_AT] == _TYPE_FIRST:
        return message[_TYPE_AT] == packet.DHCPDISCOVER
    return Facts(message).kind == packet.DHCPDISCOVER


def _is_pxe(message: bytes) -> bool:
    """Whether a client boots from the network, well enough to count by: no firmware splits its option 60."""
    for vendor in packet.PXE_VENDOR_CLASSES:
        at = message.find(vendor, _TYPE_AT)
        if at >= 0 and message[at - 2] == packet.VENDOR_CLASS:
            return True
    return False
