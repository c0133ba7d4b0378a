"""Which of several servers gets a client's requests.

A function of the client, of the servers' order in the file, and of what is thought of their health
(`Standing`), and of nothing else: two relay hosts that think alike choose alike, and so does one that was
started anew.

`hash` is rendezvous hashing (Thaler and Ravishankar, 1998): each server has a weight for each client, which
is BLAKE2b (RFC 7693) with a digest of 8 octets over the client's octets and the server's 4 behind them. The
largest wins. So the clients of a server that goes are spread over the others, and no other client moves.
RFC 1542, 4.1.1, warns of taking turns: all requests of a client must go to the same servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pxerelay.policy.servers import Pool, Strategy

try:
    from _blake2 import blake2b  # what hashlib has it from; that itself loads OpenSSL, which takes 3 MB
except ImportError:
    from hashlib import blake2b

_WEIGHT_OCTETS = 8

_NONE: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class Standing:
    """What is thought of servers, each by its 4 octets; one that is in none of the sets is up.

    `down` ones get nothing while others are left. `doubtful` ones have not answered lately: the next server
    gets a copy of what they get. `returning` ones answer, but did not a moment ago: others come first.
    """

    down: frozenset[bytes] = _NONE
    doubtful: frozenset[bytes] = _NONE
    returning: frozenset[bytes] = _NONE

    def trusts(self, servers: Sequence[bytes]) -> bool:
        """Whether all of these are thought to answer."""
        return self.down.isdisjoint(servers) and self.doubtful.isdisjoint(servers)


ALL_UP = Standing()
"""What is thought before anything was seen."""


def ranked(strategy: Strategy, servers: Sequence[bytes], client: bytes) -> Sequence[bytes]:
    """Return a pool's servers, each 4 octets, in the order in which they are a client's.

    `client` are its octets, `Facts.client_octets`.
    """
    if strategy is Strategy.FAILOVER or len(servers) < 2:
        return servers
    return sorted(servers, key=lambda server: _weight(client, server), reverse=True)


def _weight(client: bytes, server: bytes) -> bytes:
    return blake2b(client + server, digest_size=_WEIGHT_OCTETS).digest()


def chosen(pool: Pool, servers: Sequence[bytes], client: bytes, standing: Standing) -> tuple[bytes, ...]:
    """Return which of a pool's servers get a client's requests: one, if nothing is in doubt.

    If all are down each gets a copy: nobody could do worse, and the first that answers is up again.
    """
    order = ranked(pool.strategy, servers, client)
    usable = [server for server in order if server not in standing.down]
    usable.sort(key=standing.returning.__contains__)
    if not usable:
        return tuple(order)
    if usable[0] not in standing.doubtful:
        return (usable[0],)
    return tuple(usable[:2] if len(usable) > 1 else order)
