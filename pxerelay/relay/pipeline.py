"""From a batch of messages to what becomes of each: the way that every message goes.

1. Messages that waited too long, or that would keep other VLANs waiting, are dropped unread (`fair_share`).
2. Messages with a remembered decision are taken in groups (`fast_path`); of these, requests of a client
   beyond its bound are dropped (`rate_limit`).
3. Everything else is decided on by `Relay`, one message at a time, within the same bound.
4. Replies to questions of our own go to whoever asked (`questions`).

Nothing is sent here, and nothing counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pxerelay.relay.decision import Drop, Dropped
from pxerelay.relay.fair_share import OLDEST, FairShare
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.outcome import Lost, Outcome, Requests
from pxerelay.relay.questions import Questions, ReceivedReply, heard
from pxerelay.relay.rate_limit import RateLimit
from pxerelay.relay.relay import Relay
from pxerelay.wire import packet
from pxerelay.wire.batch import NOWHERE, Batch
from pxerelay.wire.facts import Facts


@dataclass
class Decided:
    """What becomes of a batch: each message is in one outcome, is ignored, or answers a question of our own.

    `alone` has, by position, the facts and the outcome of those that were decided on one at a time; `unheard`
    are the positions of messages that nobody's request was answered by: dropped, ignored, or a question's.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    alone: dict[int, tuple[Facts, Outcome]] = field(default_factory=dict)
    unheard: set[int] = field(default_factory=set)
    answers: list[ReceivedReply] = field(default_factory=list)


class Pipeline:
    """Decides on batches of at most `most` messages by a relay, which may be exchanged for another."""

    def __init__(self, most: int) -> None:
        self.questions = Questions()
        self._rate_limit = RateLimit(0)
        self._fair_share = FairShare(most)
        self._relay: Relay
        self._fast_path: FastPath
        self._client_interfaces: frozenset[int] = frozenset()

    def obey(self, relay: Relay) -> None:
        """Decide by this relay from now on; what clients have asked in this second stays known."""
        if relay.config.max_requests != self._rate_limit.limit:
            self._rate_limit = RateLimit(relay.config.max_requests)
        self._relay = relay
        self._fast_path = FastPath(relay)
        self.follow(frozenset())

    def follow(self, indexes: AbstractSet[int]) -> None:
        """Take in that the relay has followed what changed about some interfaces."""
        self._client_interfaces = self._relay.active_indexes
        self._fast_path.follow(indexes)

    def pass_time(self, now: float) -> None:
        """Have clients that no rule names be strangers again (`Requests.strangers`); forget what is old."""
        self._fast_path.meet_anew()
        self._relay.pass_time(now)

    def decide(self, batch: Batch, now: float, aside: Collection[int], *, each_alone: bool) -> Decided:
        """Return what becomes of a batch at a monotonic time in seconds; its messages are patched.

        Those at the positions of `aside`, or all, are decided on one at a time, so that there is an account
        to give of them.
        """
        decided = Decided()
        rest: Iterable[int] = range(len(batch))
        waited = batch.waited(0) if batch.sizes else 0.0
        if waited > OLDEST or not self._fair_share.is_calm(waited, len(batch)):
            self._shed(batch, waited, now, decided)
        decided.unheard.update(batch.ignored)
        if not each_alone:
            leave = {*aside, *decided.unheard, *(self.questions.among(batch) if self.questions else ())}
            known, rest = self._fast_path.take(batch, leave)
            self._bound(batch, known, now, decided)
            decided.outcomes += known
        for at in rest:
            if at not in decided.unheard and batch.indexes[at] != NOWHERE:
                self._decide(batch, at, now, decided)
        return decided

    def _shed(self, batch: Batch, waited: float, now: float, decided: Decided) -> None:
        """Drop messages that waited too long, or that would keep other VLANs waiting."""
        old = {at for at in range(len(batch)) if batch.waited(at) > OLDEST} if waited > OLDEST else set[int]()
        too_much = self._fair_share.excess(batch.places(self._client_interfaces), waited, now)
        for reason, positions in ((Drop.TOO_OLD, old), (Drop.MORE_THAN_ITS_SHARE, set(too_much) - old)):
            by_index: dict[int, list[int]] = {}
            for at in positions.difference(batch.ignored):
                by_index.setdefault(batch.indexes[at], []).append(at)
            decided.outcomes += (Lost(Dropped(reason), index, here) for index, here in by_index.items())
            decided.unheard |= positions

    def _bound(self, batch: Batch, known: Iterable[Outcome], now: float, decided: Decided) -> None:
        """Drop requests of groups beyond what their clients may ask in a second."""
        by_place: dict[int, list[Requests]] = {}
        for outcome in known:
            if isinstance(outcome, Requests):
                by_place.setdefault(outcome.place, []).append(outcome)
        for place, groups in by_place.items():
            positions = [at for group in groups for at in group.positions]
            excess = self._rate_limit.excess(place, batch.askers(place, positions), now)
            if excess:
                too_much = frozenset(positions[at] for at in excess)
                for group in groups:
                    group.leave_out(too_much)
                decided.outcomes.append(Lost(Dropped(Drop.FLOOD), groups[0].index, sorted(too_much)))

    def _decide(self, batch: Batch, at: int, now: float, decided: Decided) -> None:
        facts = Facts(batch.messages[at])
        outcome = self._outcome(batch, at, facts, now)
        if self.questions and outcome.decision:
            reply = heard(batch, at, outcome.decision)
            if reply and self.questions.take(reply):
                decided.answers.append(reply)
                decided.unheard.add(at)
                return  # it goes nowhere that could be told
        if isinstance(outcome, Lost):
            decided.unheard.add(at)
        decided.outcomes.append(outcome)
        decided.alone[at] = facts, outcome

    def _outcome(self, batch: Batch, at: int, facts: Facts, now: float) -> Outcome:
        """Decide on one message; a client that asks too much is not worth reading its options for."""
        if not packet.is_request(facts.message):
            return self._fast_path.decide(batch, at, facts)
        place, client = batch.asker(at, facts.client_key)
        if self._rate_limit.is_shut(place, client, now):
            return Lost(Dropped(Drop.FLOOD), batch.indexes[at], [at])
        outcome = self._fast_path.decide(batch, at, facts)
        if self._rate_limit.excess(place, (client,), now) and isinstance(outcome, Requests):
            return Lost(Dropped(Drop.FLOOD), batch.indexes[at], [at])
        return outcome
