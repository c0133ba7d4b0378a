"""From a batch of DHCPv6 messages to what becomes of each. `pipeline` is the same for DHCPv4.

1. Messages that waited too long, or that would keep other VLANs waiting, are dropped unread (`fair_share`).
2. Requests of a client beyond its bound are dropped (`rate_limit`).
3. Everything else is decided on by `Relay6`, one message at a time.

Nothing is sent here, and nothing counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pxerelay.relay.decision6 import Arrival6, Decision6, Drop6, Dropped6, ToServers6
from pxerelay.relay.fair_share import OLDEST, FairShare
from pxerelay.relay.rate_limit import RateLimit
from pxerelay.relay.relay6 import Relay6
from pxerelay.wire.batch import Asker, number
from pxerelay.wire.client6 import Client6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet6 import RELAY_REPL, TYPE


class Outcome6(NamedTuple):
    """What became of a message; `facts` are there if it was read."""

    arrival: Arrival6
    decision: Decision6
    facts: Facts6 | None = None


class Pipeline6:
    """Decides on batches of at most `most` messages by a relay, which may be exchanged for another."""

    def __init__(self, most: int) -> None:
        self._rate_limit = RateLimit(0)
        self._fair_share = FairShare(most)
        self._relay: Relay6

    def obey(self, relay: Relay6) -> None:
        """Decide by this relay from now on; what clients have asked in this second stays known."""
        if relay.config.max_requests != self._rate_limit.limit:
            self._rate_limit = RateLimit(relay.config.max_requests)
        self._relay = relay

    def decide(self, arrivals: Sequence[Arrival6], waited: Sequence[float], now: float) -> list[Outcome6]:
        """Return what becomes of messages that have waited for so many seconds, at a monotonic time."""
        shed = self._shed(arrivals, waited, now)
        return [
            Outcome6(arrival, Dropped6(shed[at])) if at in shed else self._decided(arrival, now)
            for at, arrival in enumerate(arrivals)
        ]

    def _shed(self, arrivals: Sequence[Arrival6], waited: Sequence[float], now: float) -> dict[int, Drop6]:
        """Return which messages waited too long, or would keep other VLANs waiting, by their positions."""
        longest = waited[0] if waited else 0.0
        if longest <= OLDEST and self._fair_share.is_calm(longest, len(arrivals)):
            return {}
        clients = self._relay.active_indexes
        places = [one.interface if one.interface in clients else ~number(one.source) for one in arrivals]
        found = dict.fromkeys(self._fair_share.excess(places, longest, now), Drop6.MORE_THAN_ITS_SHARE)
        found.update({at: Drop6.TOO_OLD for at, seconds in enumerate(waited) if seconds > OLDEST})
        return found

    def _decided(self, arrival: Arrival6, now: float) -> Outcome6:
        facts = Facts6(arrival.message)
        if not arrival.message or arrival.message[TYPE] == RELAY_REPL:
            return Outcome6(arrival, self._relay.decide(arrival, facts), facts)
        place, client = self._asker(arrival, facts)
        if self._rate_limit.is_shut(place, client, now):
            return Outcome6(arrival, Dropped6(Drop6.FLOOD))
        decision = self._relay.decide(arrival, facts)
        if self._rate_limit.excess(place, (client,), now) and isinstance(decision, ToServers6):
            decision = Dropped6(Drop6.FLOOD)
        return Outcome6(arrival, decision, facts)

    def _asker(self, arrival: Arrival6, facts: Facts6) -> tuple[int, Asker]:
        """Return where a request was heard, and what its client is told apart by there (rules 33 and 125)."""
        client = Client6(facts, None, arrival.source, arrival.mac)
        if not facts.layers:
            return arrival.interface, client.client_key
        link = number(facts.layers[-1].link_address)
        return ~arrival.interface, (number(arrival.source), link, client.client_key)
