"""Health checks of the servers of pools: asks and judges them (`relay.health`), and has the relay know.

It runs only while there are pools. A server that is down is tried with a copy of a real client's DISCOVER,
for some servers answer known clients only. The copy has an xid of its own, so that its answer is not taken
for the client's, and is relayed to nobody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address
from typing import Any

from pxerelay.daemon.health_log import HealthLog
from pxerelay.daemon.own_requests import answers_to, happens
from pxerelay.daemon.traffic4 import Traffic4
from pxerelay.linux import sockets
from pxerelay.linux.log import LOGGER
from pxerelay.policy.model import Config
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports import Port
from pxerelay.policy.servers import Pool, Probing
from pxerelay.policy.sticky import Sample, StickyClients
from pxerelay.relay.decision import Drop, Dropped, ToServers
from pxerelay.relay.health import Health
from pxerelay.relay.questions import ReceivedReply
from pxerelay.relay.relay import Relay
from pxerelay.wire import packet, probe
from pxerelay.wire.batch import number
from pxerelay.wire.facts import Facts

_ASKER = "healthcheck"

_ANSWERS_ALL_THE_SAME = frozenset({Drop.NOT_OUR_GIADDR, Drop.NO_INTERFACE})
"""Drops of replies that answer us all the same: their giaddr is of no client interface, or of several."""

_LOOKS_EVERY = 0.5
"""Seconds from one look at the servers to the next."""

_TRIES_EVERY, _TRY_TAKES = 10.0, 4.0
"""Seconds from one try of a server that is down to the next, and for which its answer is waited for."""

_FIRST_ANSWERS = 30.0
"""Seconds after the start within which first answers are awaited, should a DNS name never be answered."""

_VENDOR_CLASS = b"PXEClient:Arch:00000:UNDI:002001"
"""What the client says of itself in whose name servers are asked: a PC with a BIOS (RFC 4578, 2)."""


class HealthCheck:
    """Keeps what a relay is built with, `standing` and `sticky`; `renew` builds it again.

    `judged`: each server that is asked has answered a first time since the start, or counts as down. Once it
    is so it stays so, whatever servers a reload adds.
    """

    def __init__(self, traffic: Traffic4, renew: Callable[[], None]) -> None:
        self.standing: Standing = ALL_UP
        self.judged = False
        self._began: float | None = None
        self._sticky = StickyClients()
        self._traffic = traffic
        self._renew = renew
        self._health = Health()
        self._log = HealthLog()
        self._relay: Relay
        self._timer: asyncio.TimerHandle | None = None
        self._asked_at: dict[IPv4Address, float] = {}
        self._asking: set[IPv4Address] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tried_at: dict[IPv4Address, float] = {}

    def sticky(self, config: Config) -> StickyClients | None:
        """Return who is booting, for a relay of a configuration that has a use for it."""
        return self._sticky if config.pools else None

    def follow(self, relay: Relay) -> None:
        """Check the servers of a relay's pools from now on; what is known of them stays.

        Those of DHCPv4 only, and none while that is off.
        """
        loop = asyncio.get_running_loop()
        self._relay = relay
        pools = relay.config.pools if relay.config.dhcpv4 else {}
        self._health.follow(pools, relay.answers, loop.time())
        for times in (self._asked_at, self._tried_at):
            for address in times.keys() - self._health.addresses:
                del times[address]
        self._log.keep(self._health.addresses)
        self._await_first_answers(loop.time())
        if not pools:
            self.close()
            self.standing, self._sticky = ALL_UP, StickyClients()
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
        self._sticky.pass_time(now)
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
        self._health.judge(self._traffic.ledger.transactions.record, now)
        standing, before = self._health.standing(now), self.standing
        self._tell_news()
        if standing != before:
            self._sticky.keep(before, now)
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

    def _try(self, now: float) -> None:
        """Try servers that get no requests, each with the next DISCOVER of its pool."""
        wanted = set()
        for pool, address in self._health.to_try():
            if now - self._tried_at.get(address, -_TRIES_EVERY) >= _TRIES_EVERY:
                sample = self._sticky.samples.get(pool)
                if sample is None:
                    wanted.add(pool)
                else:
                    self._tried_at[address] = now
                    self._begin(self._send_sample(address, sample))
        self._sticky.wanted = wanted
        self._sticky.samples.clear()

    async def _send_sample(self, address: IPv4Address, sample: Sample) -> None:
        message = bytearray(sample.message)
        message[packet.XID] = os.urandom(4)
        message[packet.FLAGS] |= packet.BROADCAST_FLAG
        decision = ToServers((address.packed,), sample.source, vrf=sample.vrf)
        if await self._is_answered(message, decision, _TRY_TAKES):
            self._note_reply(address)

    def _note_reply(self, address: IPv4Address) -> None:
        """Count a reply for the server that was asked, also if it answers from another address."""
        now = asyncio.get_running_loop().time()
        self._traffic.ledger.transactions.heard(number(address.packed), now)

    def _ask(self, now: float) -> None:
        """Ask the servers that are due; doubtful ones at once."""
        for pool, address, seconds in self._health.to_ask():
            probing = pool.probing
            if probing is None or address in self._asking:
                continue
            if now - self._asked_at.get(address, -seconds) >= seconds:
                self._asked_at[address] = now
                self._asking.add(address)
                self._begin(self._ask_one(pool, address, probing))

    def _begin(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(asking)
        self._tasks.add(task)  # asyncio itself may forget it
        task.add_done_callback(self._tasks.discard)

    async def _ask_one(self, pool: Pool, address: IPv4Address, probing: Probing) -> None:
        loop, answered = asyncio.get_running_loop(), False
        try:
            try:
                message, decision = _question(self._relay, pool, address, probing.chaddr)
            except OSError:
                pass  # there is no route to it
            else:
                answered = await self._is_answered(message, decision, probing.timeout)
        finally:
            self._asking.discard(address)
        if answered:
            self._note_reply(address)
        self._health.asked(address, loop.time(), answered=answered)
        self._tell_news()
        if not answered:
            self._judge()  # clients that ask again now are in time for the next server

    async def _is_answered(self, message: bytearray, decision: ToServers, seconds: float) -> bool:
        """Send a message, and return whether an answer came in time."""
        complete = asyncio.Event()

        def take(reply: ReceivedReply) -> bool:
            if isinstance(reply.decision, Dropped) and reply.decision.reason not in _ANSWERS_ALL_THE_SAME:
                return False
            complete.set()
            return True

        with answers_to(self._traffic.questions, _ASKER, {packet.transaction(message): take}):
            self._traffic.send(message, decision)
            return await happens(complete, seconds)


def _question(relay: Relay, pool: Pool, address: IPv4Address, chaddr: bytes) -> tuple[bytearray, ToServers]:
    """Return a DISCOVER for a server, so that the answer comes to us, and how it is sent.

    It seems to come from a VLAN of ours. Where we have none, as behind routers, it comes from our own
    address on the way to the server; OSError if there is no way.
    """
    message = probe.discover(chaddr, os.urandom(4), _VENDOR_CLASS, (0,))
    port = _port(relay, pool, lambda vrf: _is_reached(address, vrf))
    if port is None or port.giaddr is None:
        fixed = relay.config.source_address
        source = fixed.packed if isinstance(fixed, IPv4Address) else sockets.route_source(str(address))
        message[packet.GIADDR] = source
        message[packet.HOPS] = 1
        return message, ToServers((address.packed,), source)
    decision = relay.addressed(Facts(message), port, (address.packed,))
    return bytearray(decision.message or message), decision._replace(message=None)


def _port(relay: Relay, pool: Pool, reached: Callable[[int], bool]) -> Port | None:
    """Return a client interface whose clients go to a pool: by default, by a class, or if a rule names them.

    Of several it is the first one in whose VRF, given by index, the server is `reached`.
    """
    active = [port for port in relay.ports if not port.waiting]
    policy = relay.config.policy
    by_default = [port for port in active if pool in (port.setting.default or policy.default).choice.servers]
    classes = [entry.interfaces for entry in policy.classes if pool in entry.choice.servers]
    by_class = [port for port in active if any(names is None or port.name in names for names in classes)]
    fitting = by_default or by_class or active
    vrfs = dict.fromkeys(port.vrf for port in fitting)
    if len(vrfs) > 1:
        vrf = next(filter(reached, vrfs), fitting[0].vrf)
        fitting = [port for port in fitting if port.vrf == vrf]
    return next(iter(fitting), None)


def _is_reached(address: IPv4Address, vrf: int) -> bool:
    try:
        sockets.route_source(str(address), vrf)
    except OSError:
        return False
    return True
