"""Looks after the servers of pools: keeps what is thought of them, asks them, and has the relay know.

Wakes up only where there are pools. What it sends goes out as the relay's own requests do. A server that is
down is tried with a real client's DISCOVER, for some servers answer known clients only: a copy with an xid of
its own, so that the answer is told from the client's, and goes to nobody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address
from typing import Any

from pxerelay.daemon.health_log import HealthLog
from pxerelay.daemon.traffic import Traffic
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

_LATE = 10.0
"""Seconds for which an answer that comes too late still goes to no client."""

_ANSWERS_ALL_THE_SAME = frozenset({Drop.NOT_OUR_GIADDR, Drop.NO_INTERFACE})
"""What would become of answers to an address of ours that no clients are behind, or several interfaces'."""

_LOOKS_EVERY = 0.5
"""Seconds."""

_TRIES_EVERY, _TRY_TAKES = 10.0, 4.0
"""Seconds from one try of a server that is down to the next, and for which its answer is told apart."""

_VENDOR_CLASS = b"PXEClient:Arch:00000:UNDI:002001"
"""What the client says of itself in whose name servers are asked: a PC with a BIOS (RFC 4578, 2)."""


class HealthCheck:
    """What the relay is built with, `standing` and `sticky`, kept; `renew` has it built anew."""

    def __init__(self, traffic: Traffic, renew: Callable[[], None]) -> None:
        self.standing: Standing = ALL_UP
        self._sticky = StickyClients()
        self._traffic = traffic
        self._renew = renew
        self._health = Health()
        self._log = HealthLog()
        self._relay: Relay
        self._timer: asyncio.TimerHandle | None = None
        self._asked_at: dict[IPv4Address, float] = {}
        self._asking: set[IPv4Address] = set()
        self._tried_at: dict[IPv4Address, float] = {}

    def sticky(self, config: Config) -> StickyClients | None:
        """Return who is booting, for a relay of a configuration that has a use for it."""
        return self._sticky if config.pools else None

    def follow(self, relay: Relay) -> None:
        """Look after the servers of a relay from now on; what is known of them stays."""
        loop = asyncio.get_running_loop()
        self._relay = relay
        self._health.follow(relay.config.pools, relay.answers, loop.time())
        for times in (self._asked_at, self._tried_at):
            for address in times.keys() - self._health.addresses:
                del times[address]
        self._log.keep(self._health.addresses)
        if not relay.config.pools:
            self.close()
            self.standing, self._sticky = ALL_UP, StickyClients()
        elif self._timer is None:
            self._timer = loop.call_later(_LOOKS_EVERY, self._look)

    def close(self) -> None:
        """Look no more."""
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

    def _judge(self) -> None:
        """Think anew of the servers, and have the relay know."""
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
                    self._send_sample(address, sample)
        self._sticky.wanted = wanted
        self._sticky.samples.clear()

    def _send_sample(self, address: IPv4Address, sample: Sample) -> None:
        message = bytearray(sample.message)
        message[packet.XID] = os.urandom(4)
        message[packet.FLAGS] |= packet.BROADCAST_FLAG
        decision = ToServers((address.packed,), sample.source, vrf=sample.vrf)

        def tell(answered: bool) -> None:
            """Count for the server that was asked, also if it answers from another address."""
            if answered:
                now = asyncio.get_running_loop().time()
                self._traffic.ledger.transactions.heard(number(address.packed), now)

        self._send(message, decision, _TRY_TAKES, tell)

    def _ask(self, now: float) -> None:
        """Ask the servers that are due, those that are in doubt at once."""
        for pool, address, seconds in self._health.to_ask():
            probing = pool.probing
            if probing is None or address in self._asking:
                continue
            if now - self._asked_at.get(address, -seconds) >= seconds:
                self._asked_at[address] = now
                self._ask_one(pool, address, probing)

    def _ask_one(self, pool: Pool, address: IPv4Address, probing: Probing) -> None:
        loop = asyncio.get_running_loop()

        def tell(answered: bool) -> None:
            self._asking.discard(address)
            if answered:  # perhaps from another address than it was asked at
                self._traffic.ledger.transactions.heard(number(address.packed), loop.time())
            self._health.asked(address, loop.time(), answered=answered)
            self._tell_news()
            if not answered:
                loop.call_soon(self._judge)  # clients that ask again now are in time for the next server

        self._asking.add(address)
        try:
            message, decision = _question(self._relay, pool, address, probing.chaddr)
        except OSError:
            tell(False)  # there is no route to it
        else:
            self._send(message, decision, probing.timeout, tell)

    def _send(
        self, message: bytearray, decision: ToServers, seconds: float, tell: Callable[[bool], None]
    ) -> None:
        """Send a message and tell whether an answer came in time."""
        transaction, questions = packet.transaction(message), self._traffic.questions

        def take(reply: ReceivedReply) -> bool:
            if isinstance(reply.decision, Dropped) and reply.decision.reason not in _ANSWERS_ALL_THE_SAME:
                return False
            if questions.end(transaction):
                tell(True)
            return True

        def give_up() -> None:
            if questions.end(transaction):
                tell(False)
            loop.call_later(_LATE, questions.forget, transaction)

        loop = asyncio.get_running_loop()
        questions.begin(transaction, _ASKER, take)
        self._traffic.send(message, decision)
        loop.call_later(seconds, give_up)


def _question(relay: Relay, pool: Pool, address: IPv4Address, chaddr: bytes) -> tuple[bytearray, ToServers]:
    """Return a DISCOVER for a server, so that the answer comes to us, and how it is sent.

    It seems to come from a VLAN of ours. Where we have none, as behind routers, it comes from our own
    address on the way to the server; OSError if there is no way.
    """
    message = probe.discover(chaddr, os.urandom(4), _VENDOR_CLASS, (0,))
    message[packet.HOPS] = 1
    port = _port(relay, pool, lambda vrf: _is_reached(address, vrf))
    if port is None or port.giaddr is None:
        fixed = relay.config.source_address
        source = fixed.packed if isinstance(fixed, IPv4Address) else sockets.route_source(str(address))
        message[packet.GIADDR] = source
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
