"""Which servers answer and which do not.

It is judged by clients' requests and the answers to them (`transactions.Record`): at once where a server
answers, and with some patience where it does not:

- a server is doubtful when a client that boots from the network has waited 3 seconds for it, and no other
  client got an answer meanwhile; the next server then gets a copy before firmware asks again, after 4
  seconds (PXE 2.1, 2.2.3);
- it is down when the second try of such a client has waited as long, or 8 requests have;
- it is up when it sends anything at all, and its clients return to it once it has stayed up for a while.

A server of a pool with `probe:` is judged by the answers to our own questions alone: it is doubtful after
one question without an answer, and down after two in a row. Clients without an answer only make us ask at
once, at a bounded rate: anybody can invent clients that a server has no answer for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from pxerelay.policy.pools import Standing
from pxerelay.policy.servers import Address, Pool
from pxerelay.relay.transactions import Record

DOUBTED_AFTER = 3.0
"""Seconds without an answer after which a server is doubtful."""

_DOWN_AFTER, _SECOND_TRY = 7.0, 2
"""Seconds, and requests without an answer: those of one client that asked a second time after 4 seconds."""

_MANY = 8
"""Requests without an answer in `DOUBTED_AFTER` that are proof enough."""

_FAILURES = 2
"""Questions in a row without an answer that are proof."""

_HURRIED_AFTER, HURRIED_EVERY = 0.5, 1.0
"""Seconds without an answer to a client after which a server is asked at once, and from one question to the
next. With two seconds for the answer it is doubtful before the client asks again, whatever others do."""

SETTLING, _LONGEST_SETTLING = 30.0, 480.0
"""Seconds that a server stays up before clients return to it: doubled with each fall, up to that."""

_FORGIVEN_AFTER = 3600.0
"""Seconds after which a fall does not count any more."""


@dataclass
class _Server:
    """One address. `since` is when its state began, `settled` when its clients may return to it.

    `hurried`: clients have had no answer, and it is to be asked soon. `judged`: it has answered a question of
    ours, or was down once.
    """

    name: str
    since: float
    up: bool = True
    doubtful: bool = False
    hurried: bool = False
    judged: bool = False
    settled: float = 0.0
    falls: int = 0
    failures: int = 0

    def rise(self, now: float) -> None:
        self.up, self.since = True, now
        self.settled = now + min(SETTLING * 2 ** (self.falls - 1), _LONGEST_SETTLING)

    def fall(self, now: float) -> None:
        steady = self.up and now - self.since >= _FORGIVEN_AFTER
        self.falls = 1 if steady else min(self.falls + 1, 16)
        self.up, self.doubtful, self.since, self.judged = False, False, now, True


@dataclass(frozen=True)
class Told:
    """A server's state: `since` in monotonic seconds, `returns_in` seconds until its clients return."""

    up: bool
    since: float
    doubtful: bool
    returns_in: float


class News(NamedTuple):
    """A change of a server's state in words, and whether it is a warning."""

    warn: bool
    server: Address
    text: str


class _OfFamily(NamedTuple):
    """What a pool stands for in one family."""

    name: str
    pool: Pool
    addresses: tuple[Address, ...]


class Health:
    """States of the servers of all pools, by address, of both families. Times are monotonic seconds.

    What it has to say of changes is in `news`.
    """

    def __init__(self) -> None:
        self._servers: dict[Address, _Server] = {}
        self._asked: set[Address] = set()
        self._pools: list[_OfFamily] = []
        self.news: list[News] = []

    def follow(
        self,
        pools: Mapping[str, Pool],
        families: Iterable[Callable[[Pool], tuple[Address, ...]]],
        now: float,
    ) -> None:
        """Judge the servers of these pools from now on; servers that were judged before keep their state.

        Each of `families` returns the addresses of a family that a pool stands for.
        """
        self._pools = [
            _OfFamily(name, pool, addresses(pool)) for addresses in families for name, pool in pools.items()
        ]
        named = {address: one.name for one in self._pools for address in one.addresses}
        self._servers = {
            address: self._servers.get(address) or _Server(name, now) for address, name in named.items()
        }
        for address, server in self._servers.items():
            server.name = named[address]
        self._asked = {address for _, pool, addresses in self._pools if pool.probing for address in addresses}

    @property
    def addresses(self) -> AbstractSet[Address]:
        """The servers that are judged."""
        return self._servers.keys()

    @property
    def awaits_first_answers(self) -> bool:
        """Whether some server that is asked has neither answered nor been down yet, or has no address."""
        asked = {one.name for one in self._pools if one.pool.probing}
        known = {one.name for one in self._pools if one.addresses}
        return not asked <= known or not all(self._servers[address].judged for address in self._asked)

    def judge(self, seen: Callable[[bytes], Record | None], now: float) -> None:
        """Judge all servers by clients' requests; `seen` returns the record of a server's octets."""
        for address, server in self._servers.items():
            record, asked = seen(address.packed), address in self._asked
            if not server.up:
                last = record.last_reply if record and not asked else None
                if last is not None and last > server.since:
                    self._rise(address, server, now)
                continue
            silent, since = (record.silent, record.silent_since) if record else (0, None)
            silence = 0.0 if since is None else now - since
            if not asked and _is_proof(silent, silence):
                self._fall(address, server, now, f"{silent} requests in {silence:.0f} s, no answer")
                continue
            server.hurried = silence >= _HURRIED_AFTER
            doubtful = server.failures > 0 if asked else silence >= DOUBTED_AFTER
            if doubtful is not server.doubtful:
                server.doubtful = doubtful
                self._tell(address, server, _DOUBT if doubtful else "answers again", warn=False)

    def asked(self, address: Address, now: float, *, answered: bool) -> None:
        """Note whether a server has answered a question of ours."""
        server = self._servers.get(address)
        if server is None or address not in self._asked:
            return
        server.failures = 0 if answered else server.failures + 1
        server.judged = server.judged or answered
        if answered and not server.up:
            self._rise(address, server, now)
        elif server.up and server.failures >= _FAILURES:
            self._fall(address, server, now, f"{server.failures} questions in a row, no answer")

    def standing(self, now: float) -> Standing:
        """Return which servers are down, doubtful or returning."""
        servers = self._servers.items()
        return Standing(
            down=frozenset(address.packed for address, one in servers if not one.up),
            doubtful=frozenset(address.packed for address, one in servers if one.doubtful),
            returning=frozenset(address.packed for address, one in servers if one.up and now < one.settled),
        )

    def to_try(self) -> Iterator[tuple[Pool, Address]]:
        """Yield the servers that are judged by clients' requests and get none any more."""
        for _, pool, addresses in self._pools:
            down = [address for address in addresses if not self._servers[address].up]
            if len(down) < len(addresses):
                yield from ((pool, address) for address in down if address not in self._asked)

    def to_ask(self) -> Iterator[tuple[Pool, Address, float]]:
        """Yield the servers that are judged by questions, and seconds from one question to the next."""
        for _, pool, addresses in self._pools:
            if pool.probing is None:
                continue
            for address in addresses:
                server = self._servers[address]
                seconds = float(pool.probing.every)
                if server.doubtful:
                    seconds = 0.0
                elif server.hurried and server.up:
                    seconds = min(seconds, HURRIED_EVERY)
                yield pool, address, seconds

    def told(self, now: float) -> dict[str, dict[Address, Told]]:
        """Return the state of each server of each pool, by the pool's name."""
        found: dict[str, dict[Address, Told]] = {}
        for name, _, addresses in self._pools:
            for address in addresses:
                one = self._servers[address]
                returns_in = max(one.settled - now, 0.0) if one.up else 0.0
                found.setdefault(name, {})[address] = Told(one.up, one.since, one.doubtful, returns_in)
        return found

    def _rise(self, address: Address, server: _Server, now: float) -> None:
        server.rise(now)
        wait = f"{server.settled - now:.0f} s"
        self._tell(address, server, f"is up; clients return to it if it stays so for {wait}", warn=False)

    def _fall(self, address: Address, server: _Server, now: float, why: str) -> None:
        server.fall(now)
        self._tell(address, server, f"is down: {why}", warn=True)

    def _tell(self, address: Address, server: _Server, what: str, *, warn: bool) -> None:
        self.news.append(News(warn, address, f"server {server.name} {address} {what}"))


_DOUBT = "does not answer: the next one gets a copy"


def _is_proof(silent: int, silence: float) -> bool:
    return (silent >= _SECOND_TRY and silence >= _DOWN_AFTER) or (
        silent >= _MANY and silence >= DOUBTED_AFTER
    )
