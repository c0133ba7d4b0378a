"""Health checks of the servers of pools: asks and judges them (`relay.health`), and has the relay know.

It runs only while there are pools. A server that is down is tried with a copy of a real client's DISCOVER or
SOLICIT, for some servers answer known clients only. The copy has an xid of its own, so that its answer is not
taken for the client's, and is relayed to nobody. How that is done in either family is for `healthcheck4` and
`healthcheck6` to say.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, Generic, TypeVar

from pxerelay.daemon.health_log import HealthLog
from pxerelay.linux.log import LOGGER
from pxerelay.policy import port_table
from pxerelay.policy.model import Config
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.rules import Policy
from pxerelay.policy.servers import Address, Pool, Probing
from pxerelay.policy.sticky import AnySticky
from pxerelay.relay.health import Health
from pxerelay.relay.transactions import Record

ASKER = "healthcheck"
"""What our questions are counted by."""

_LOOKS_EVERY = 0.5
"""Seconds from one look at the servers to the next."""

_TRIES_EVERY, _TRY_TAKES = 10.0, 4.0
"""Seconds from one try of a server that is down to the next, and for which its answer is waited for."""

_FIRST_ANSWERS = 30.0
"""Seconds after the start within which first answers are awaited, should a DNS name never be answered."""


Sample = TypeVar("Sample")
"""A client's request that looks for servers."""


class FamilyCheck(ABC, Generic[Sample]):
    """What asks the servers of one family, and hears of them. `octets` are those of an address.

    `sticky` has who is booting. Times are monotonic seconds.
    """

    octets: int
    sticky: AnySticky[Sample]

    @abstractmethod
    def forget(self) -> None:
        """Know of nobody who is booting."""

    @abstractmethod
    def addresses(self, pool: Pool) -> tuple[Address, ...]:
        """Return the addresses that a pool stands for."""

    @abstractmethod
    def record(self, server: bytes) -> Record | None:
        """Return what became of requests to a server, given by its octets; None if it was never asked."""

    @abstractmethod
    def heard(self, server: Address, now: float) -> None:
        """Count a reply for a server, also if it answers from another address."""

    @abstractmethod
    async def try_again(self, server: Address, sample: Sample, seconds: float) -> bool:
        """Send a client's request once more, in a transaction of its own; return whether it was answered."""

    @abstractmethod
    async def ask(self, pool: Pool, server: Address, probing: Probing) -> bool:
        """Ask a server in the name of a client that is not there; return whether it answered in time."""


class HealthCheck:
    """Keeps the `standing` that relays are built with; `renew` builds them again.

    `judged`: each server that is asked has answered a first time since the start, or counts as down. Once it
    is so it stays so, whatever servers a reload adds.
    """

    def __init__(self, renew: Callable[[], None]) -> None:
        self.standing: Standing = ALL_UP
        self.judged = False
        self._began: float | None = None
        self._renew = renew
        self._health = Health()
        self._log = HealthLog()
        self._families: tuple[FamilyCheck[Any], ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._asked_at: dict[Address, float] = {}
        self._asking: set[Address] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tried_at: dict[Address, float] = {}

    def follow(self, config: Config, families: Iterable[FamilyCheck[Any]]) -> None:
        """Check the servers of a configuration's pools from now on, of the families that are relayed.

        What is known of them stays.
        """
        loop = asyncio.get_running_loop()
        self._families = tuple(families)
        pools = config.pools
        self._health.follow(pools, [family.addresses for family in self._families], loop.time())
        for times in (self._asked_at, self._tried_at):
            for address in times.keys() - self._health.addresses:
                del times[address]
        self._log.keep(self._health.addresses)
        self._await_first_answers(loop.time())
        if not pools:
            self.close()
            self.standing = ALL_UP
            for family in self._families:
                family.forget()
        elif self._timer is None:
            self._timer = loop.call_later(_LOOKS_EVERY, self._look)

    def close(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def states(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the state of each server of each pool by the pool's name and the address, for programs.

        `doubtful`: it is up, has not answered lately, and the next one gets a copy. `returns_in`: seconds
        until its clients come back to it, 0 if they are there.
        """
        now, clock = asyncio.get_running_loop().time(), datetime.now(timezone.utc)
        return {
            name: {
                str(address): {
                    "state": "up" if one.up else "down",
                    "since": (clock - timedelta(seconds=now - one.since)).isoformat(timespec="seconds"),
                    "doubtful": one.doubtful,
                    "returns_in": round(one.returns_in),
                }
                for address, one in servers.items()
            }
            for name, servers in self._health.told(now).items()
        }

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = loop.call_later(_LOOKS_EVERY, self._look)
        for family in self._families:
            family.sticky.pass_time(now)
        self._judge()
        self._try(now)
        self._ask(now)
        self._await_first_answers(now)

    def _await_first_answers(self, now: float) -> None:
        self._began = now if self._began is None else self._began
        late = now - self._began > _FIRST_ANSWERS
        self.judged = self.judged or late or not self._health.awaits_first_answers

    def _judge(self) -> None:
        """Judge the servers, and build the relay again if any server's state changed."""
        if self._timer is None:
            return  # closed
        now = asyncio.get_running_loop().time()
        self._health.judge(self._record, now)
        standing, before = self._health.standing(now), self.standing
        self._tell_news()
        if standing != before:
            for family in self._families:
                family.sticky.keep(before, now)
            self.standing = standing
            try:
                self._renew()
            except BaseException:
                self.standing = before  # so that the next look tries it again
                raise

    def _tell_news(self) -> None:
        for warn, text in self._log.lines(self._health.news, asyncio.get_running_loop().time()):
            (LOGGER.warning if warn else LOGGER.info)("%s", text)
        self._health.news.clear()

    def _family_of(self, server: bytes) -> FamilyCheck[Any] | None:
        return next((family for family in self._families if family.octets == len(server)), None)

    def _record(self, server: bytes) -> Record | None:
        family = self._family_of(server)
        return family.record(server) if family else None

    def _try(self, now: float) -> None:
        """Try servers that get no requests, each with the next request of its pool that looks for servers."""
        wanted: dict[int, set[Pool]] = {}
        for pool, address in self._health.to_try():
            family = self._family_of(address.packed)
            if family and now - self._tried_at.get(address, -_TRIES_EVERY) >= _TRIES_EVERY:
                sample = family.sticky.samples.get(pool)
                if sample is None:
                    wanted.setdefault(family.octets, set()).add(pool)
                else:
                    self._tried_at[address] = now
                    self._begin(self._try_again(family, address, sample))
        for family in self._families:
            family.sticky.wanted = wanted.get(family.octets, set())
            family.sticky.samples.clear()

    async def _try_again(self, family: FamilyCheck[Any], address: Address, sample: object) -> None:
        if await family.try_again(address, sample, _TRY_TAKES):
            family.heard(address, asyncio.get_running_loop().time())

    def _ask(self, now: float) -> None:
        """Ask the servers that are due; doubtful ones at once."""
        for pool, address, seconds in self._health.to_ask():
            probing, family = pool.probing, self._family_of(address.packed)
            if probing is None or family is None or address in self._asking:
                continue
            if now - self._asked_at.get(address, -seconds) >= seconds:
                self._asked_at[address] = now
                self._asking.add(address)
                self._begin(self._ask_one(family, pool, address, probing))

    def _begin(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(asking)
        self._tasks.add(task)  # asyncio itself may forget it
        task.add_done_callback(self._tasks.discard)

    async def _ask_one(
        self, family: FamilyCheck[Any], pool: Pool, address: Address, probing: Probing
    ) -> None:
        loop, answered = asyncio.get_running_loop(), False
        try:
            answered = await family.ask(pool, address, probing)
        finally:
            self._asking.discard(address)
        if answered:
            family.heard(address, loop.time())
        self._health.asked(address, loop.time(), answered=answered)
        self._tell_news()
        if not answered:
            self._judge()  # clients that ask again now are in time for the next server


AnyPort = TypeVar("AnyPort", bound=port_table.AnyPort)


def port_for(
    ports: Iterable[AnyPort], policy: Policy, pool: Pool, reached: Callable[[int], bool]
) -> AnyPort | None:
    """Return a client interface whose clients go to a pool: by default, by a class, or if a rule names them.

    Of several it is the first one in whose VRF, given by index, the server is `reached`.
    """
    active = [port for port in ports if not port.waiting]
    by_default = [port for port in active if pool in (port.setting.default or policy.default).choice.servers]
    classes = [entry.interfaces for entry in policy.classes if pool in entry.choice.servers]
    by_class = [port for port in active if any(names is None or port.name in names for names in classes)]
    fitting = by_default or by_class or active
    vrfs = dict.fromkeys(port.vrf for port in fitting)
    if len(vrfs) > 1:
        vrf = next(filter(reached, vrfs), fitting[0].vrf)
        fitting = [port for port in fitting if port.vrf == vrf]
    return next(iter(fitting), None)
