"""Who is booting at the moment, so that a client stays where it began when servers come and go.

What a server has offered only that server can confirm: a boot that is under way ends there, if it can. All
clients of the last one to two minutes are remembered, by `Facts.client_key`. Whenever another
standing of servers comes into force, they keep the one before for a while. How a client leaves it early is
the relay's to say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from pxerelay.policy.pools import Standing
from pxerelay.policy.servers import Pool
from pxerelay.wire import packet
from pxerelay.wire.facts import Facts

TURN = 60.0
"""Seconds after which the clients met are the ones of before; after another such time they are forgotten."""

HELD = 120.0
"""Seconds for which a client keeps a standing that is not in force any more."""

_MOST = 1 << 14
"""Clients that are remembered between two turns; when there are more, it is turned early."""

_LOOKED_AT = 4
"""Messages that went one way of which a DISCOVER is looked for."""

_MOST_STANDINGS = 8
"""Standings that are kept; a server that comes and goes faster than that confuses somebody anyway."""


LookedFor = TypeVar("LookedFor")
"""What is wanted of a request."""


class _Kept(NamedTuple):
    clients: set[bytes]
    standing: Standing
    since: float


class AnySticky(Generic[LookedFor]):
    """The memory of one family. Times are monotonic seconds.

    `wanted` are pools of which the next request is wanted that looks for servers, which `samples` then has.
    """

    def __init__(self) -> None:
        self._met: set[bytes] = set()
        self._met_before: set[bytes] = set()
        self._turned = 0.0
        self._kept: list[_Kept] = []
        self.wanted: set[Pool] = set()
        self.samples: dict[Pool, LookedFor] = {}

    def met(self, clients: Iterable[bytes]) -> None:
        """Remember clients whose requests were relayed."""
        self._met.update(clients)
        if len(self._met) >= _MOST:
            self._met_before, self._met = self._met, set()

    def pass_time(self, now: float) -> None:
        """Forget what is too old."""
        if now - self._turned >= TURN:
            self._met_before, self._met, self._turned = self._met, set(), now
        self._kept = [kept for kept in self._kept if now - kept.since < HELD and kept.clients]

    def keep(self, standing: Standing, now: float) -> None:
        """Have the clients of the last minutes keep a standing: another one comes into force now."""
        self._kept = self._kept[1 - _MOST_STANDINGS :]
        self._kept.append(_Kept(self._met | self._met_before, standing, now))

    def standing_for(self, client: bytes) -> Standing | None:
        """Return the standing that a client keeps: the first one, for its boot began by that."""
        for kept in self._kept:
            if client in kept.clients:
                return kept.standing
        return None

    def release(self, client: bytes) -> None:
        """Have a client go by what is in force."""
        for kept in self._kept:
            kept.clients.discard(client)


class Sample(NamedTuple):
    """A client's DISCOVER as it was sent to one of a pool: the octets, from which source, in which VRF."""

    message: bytes
    source: bytes | None
    vrf: int


class StickyClients(AnySticky[Sample]):
    """The memory of DHCPv4."""

    def look(
        self, pools: Iterable[Pool], messages: Collection[packet.Message], source: bytes | None, vrf: int
    ) -> None:
        """Take the sample that is wanted of some pool, if one of the messages will do."""
        for pool in self.wanted.intersection(pools):
            for message in islice(messages, _LOOKED_AT):
                facts = Facts(message)
                if facts.kind == packet.DHCPDISCOVER and packet.is_pxe(packet.vendor_class(facts.legible)):
                    self.samples[pool] = Sample(bytes(message), source, vrf)
                    self.wanted.discard(pool)
                    break
