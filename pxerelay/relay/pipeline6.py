"""From a batch of DHCPv6 messages to what becomes of each. `pipeline` is the same for DHCPv4.

1. Messages that waited too long, or that would keep other VLANs waiting, are dropped unread (`fair_share`).
2. Messages with a remembered decision are taken in groups (`fast_path6`); of these, requests of a client
   beyond its bound are dropped (`rate_limit`).
3. Everything else is decided on by `Relay6`, one message at a time, within the same bound.
4. Replies to questions of our own go to whoever asked (`questions6`).

Nothing is sent here, and nothing counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from pxerelay.relay import questions6
from pxerelay.relay.decision6 import Arrival6, Drop6, Dropped6, ToServers6
from pxerelay.relay.fair_share import OLDEST, FairShare
from pxerelay.relay.fast_path6 import FastPath6
from pxerelay.relay.outcome6 import Group6, Outcome6, Requests6
from pxerelay.relay.questions6 import Questions6
from pxerelay.relay.rate_limit import RateLimit
from pxerelay.relay.relay6 import Relay6
from pxerelay.wire.batch import Asker, number
from pxerelay.wire.batch6 import Batch6
from pxerelay.wire.client6 import Client6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet6 import RELAY_HEADER_SIZE, RELAY_REPL, TYPE


class Columns(Protocol):
    """What is known of the messages of a batch before any of them is read."""

    @property
    def interfaces(self) -> Sequence[int]:
        """The indexes of the interfaces that they came in on."""

    def sources(self) -> Sequence[bytes]:
        """Return the 16 octets that each came from."""

    def waited(self, at: int) -> float:
        """Return the seconds that the one at a position has waited to be read."""


class Taken6(NamedTuple):
    """What is done with messages of a batch in groups; positions of what was too much, and of the rest."""

    groups: list[Group6]
    too_much: list[int]
    rest: list[int]


class Pipeline6:
    """Decides on batches of at most `most` messages by a relay, which may be exchanged for another."""

    def __init__(self, most: int) -> None:
        self.questions = Questions6()
        self._rate_limit = RateLimit(0)
        self._fair_share = FairShare(most)
        self._relay: Relay6
        self._fast_path: FastPath6
        self._clients: frozenset[int] = frozenset()

    def obey(self, relay: Relay6) -> None:
        """Decide by this relay from now on; what clients have asked in this second stays known."""
        if relay.config.max_requests != self._rate_limit.limit:
            self._rate_limit = RateLimit(relay.config.max_requests)
        self._relay = relay
        self._fast_path = FastPath6(relay)
        self._clients = relay.active_indexes

    def follow(self) -> None:
        """Take in that the relay has followed what changed of the network."""
        self._clients = self._relay.active_indexes
        self._fast_path.follow()

    def meet_anew(self) -> None:
        """Have clients that no rule names be strangers again (`Outcome6`)."""
        self._fast_path.meet_anew()

    def shed(self, columns: Columns, now: float) -> dict[int, Drop6]:
        """Return which messages are dropped unread, at a monotonic time, by their positions in a batch.

        They waited too long, or would keep other VLANs waiting. Nothing is made of one for that: to drop a
        message unread must cost a fraction of relaying it.
        """
        size = len(columns.interfaces)
        longest = columns.waited(0) if size else 0.0
        if longest <= OLDEST and self._fair_share.is_calm(longest, size):
            return {}
        clients = self._clients
        places = [
            index if index in clients else ~number(source)
            for index, source in zip(columns.interfaces, columns.sources(), strict=True)
        ]
        found = dict.fromkeys(self._fair_share.excess(places, longest, now), Drop6.MORE_THAN_ITS_SHARE)
        if longest > OLDEST:
            found |= {at: Drop6.TOO_OLD for at in range(size) if columns.waited(at) > OLDEST}
        return found

    def take(self, batch: Batch6, positions: Iterable[int], now: float) -> Taken6:
        """Return what is done with messages whose decision is known, of those at some positions.

        It must be known by then whose frames they came in (`Batch6.macs`).
        """
        groups, rest = self._fast_path.take(batch, positions)
        return Taken6(groups, self._bound(batch, groups, now) if self._rate_limit.limit else [], rest)

    def _bound(self, batch: Batch6, groups: Iterable[Group6], now: float) -> list[int]:
        """Take out requests beyond what their clients may ask in a second, and return their positions."""
        by_place: dict[int, list[Requests6]] = {}
        for group in groups:
            if isinstance(group, Requests6):
                by_place.setdefault(group.place, []).append(group)
        found, macs = [], batch.macs
        for place, here in by_place.items():
            positions = [at for group in here for at in group.positions]
            excess = self._rate_limit.excess(place, [macs[at] or b"" for at in positions], now)
            if excess:
                too_much = [positions[at] for at in excess]
                for group in here:
                    group.leave_out(frozenset(too_much))
                found += too_much
        return found

    def decide(self, arrivals: Iterable[Arrival6], now: float) -> list[Outcome6]:
        """Return what becomes of messages, at a monotonic time."""
        outcomes = [self._decided(arrival, now) for arrival in arrivals]
        if self.questions:
            for outcome in outcomes:
                self._pass_on(outcome)
        return outcomes

    def _pass_on(self, outcome: Outcome6) -> None:
        """Pass a reply on to whoever asked for it."""
        message = outcome.arrival.message
        if len(message) >= RELAY_HEADER_SIZE and message[TYPE] == RELAY_REPL:
            outcome.taken = self.questions.take(questions6.heard(outcome.arrival, outcome.decision))

    def _decided(self, arrival: Arrival6, now: float) -> Outcome6:
        refused = self._relay.refuses(arrival)
        if refused is not None:
            return Outcome6(arrival, Dropped6(refused))
        facts = Facts6(arrival.message)
        if arrival.message[TYPE] == RELAY_REPL:
            decision, _ = self._fast_path.decide(arrival, facts)
            return Outcome6(arrival, decision, facts)
        place, client = self._asker(arrival, facts)
        if self._rate_limit.is_shut(place, client, now):
            return Outcome6(arrival, Dropped6(Drop6.FLOOD))
        decision, stranger = self._fast_path.decide(arrival, facts)
        if self._rate_limit.excess(place, (client,), now) and isinstance(decision, ToServers6):
            return Outcome6(arrival, Dropped6(Drop6.FLOOD), facts)
        if isinstance(decision, ToServers6):
            self._fast_path.note(decision, facts)
        return Outcome6(arrival, decision, facts, stranger=stranger)

    def _asker(self, arrival: Arrival6, facts: Facts6) -> tuple[int, Asker]:
        """Return where a request was heard, and what its client is told apart by there (rules 33 and 125)."""
        client = Client6(facts, None, arrival.source, arrival.mac)
        if not facts.layers:
            return arrival.interface, client.client_key
        link = number(facts.layers[-1].link_address)
        return ~arrival.interface, (number(arrival.source), link, client.client_key)
