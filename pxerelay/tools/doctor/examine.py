"""The whole examination: facts, then what the servers answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from pxerelay.config.loaded import Loaded
from pxerelay.linux import netlink, routes
from pxerelay.linux.ways import Ways
from pxerelay.policy.ports import vrfs_to_hear
from pxerelay.relay.relay import Relay
from pxerelay.relay.survey_request import ServerQuery, Survey
from pxerelay.tools.doctor import (
    answers,
    asking,
    examine6,
    firewall,
    gather,
    host,
    kernel,
    network,
    plan,
)
from pxerelay.tools.doctor.asking import CHADDR, Wish
from pxerelay.tools.doctor.facts import Arrival, Asked, Facts, ServerAnswer, ServerRoute, Service, Sighting
from pxerelay.tools.doctor.facts6 import Asked6, HostFacts6
from pxerelay.tools.doctor.verdict import Code, Finding, note, warning
from pxerelay.tools.doctor.wire import Frame, Wire, watched
from pxerelay.wire import bootserver

_KINDS = ((b"PXEClient:Arch:00000:UNDI:002001", (0,)), (b"PXEClient:Arch:00007:UNDI:003016", (7,)))
"""A PC with a BIOS asks first; who does not answer it is asked by one with UEFI (RFC 4578, 2.1)."""

_LINGER = 0.05
"""Seconds in which a second answer of a server is still looked for on the wire."""

_MOST_SERVICES = 16
"""Boot servers that are asked at port 4011."""


@dataclass(frozen=True)
class Examined:
    """All that was found out; `facts6` is there if DHCPv6 is relayed."""

    facts: Facts
    asked: tuple[Asked, ...]
    findings: tuple[Finding, ...]
    facts6: HostFacts6 | None = None
    asked6: tuple[Asked6, ...] = ()


async def examine(loaded: Loaded, path: Path, socket_path: Path, wish: Wish) -> Examined:
    """Examine this host; gather.ElsewhereError or plan.UnknownNameError if that can't be done so."""
    facts = await gather.facts(loaded, path, socket_path, wish.servers, wish.interface, timeout=wish.timeout)
    servers = tuple(dict.fromkeys(way.server for way in facts.ways))
    found = [*host.findings(facts), *network.findings(facts, servers, wish.interface)]
    asked: tuple[Asked, ...] = ()
    if wish.probe:
        try:
            asked = await _probe(facts, socket_path, servers, wish, found)
        except asking.AskError as error:
            found.append(warning(Code.NOT_CHECKED, "servers", f"none was asked: {error}"))
    for one in asked:
        found += answers.findings(facts, one, asked)
    of6, asked6 = (
        await examine6.examine(facts, socket_path, wish, found) if facts.config.dhcpv6 else (None, ())
    )
    return Examined(facts, asked, tuple(dict.fromkeys(found)), of6, asked6)


async def _probe(
    facts: Facts, socket_path: Path, servers: Collection[IPv4Address], wish: Wish, found: list[Finding]
) -> tuple[Asked, ...]:
    """Ask the servers, and return what became of that; `found` grows by what could not be done."""
    routed = [one for one in servers if any(not way.refused and not way.local for way in _ways(facts, one))]
    errands = tuple(plan.errands(facts, routed, wish.interface, everywhere=wish.everywhere))
    left = sorted(set(routed) - {errand.server for errand in errands})
    if left:
        names = ", ".join(str(facts.named(server)) for server in left)
        found.append(
            note(Code.NOT_CHECKED, "servers", f"not asked, for want of an active interface: {names}")
        )
    with contextlib.ExitStack() as stack:
        wire = watched(Wire, wish.chaddr, stack, found)
        async with contextlib.AsyncExitStack() as ours:
            if facts.running:
                asker = asking.by_daemon(socket_path)
            else:
                way_to = stack.enter_context(contextlib.closing(Ways())).to
                relay = Relay(facts.config, facts.ports, facts.links, facts.answers, way_to=way_to)
                hear = vrfs_to_hear(facts.config, facts.ports, facts.links)
                asker = await ours.enter_async_context(asking.by_ourselves(relay, hear))
            found += await _unheard(facts, asker.hear, wish)
            rounds = _Rounds(facts, asker.ask, wire)
            for kind in _KINDS:
                pending = tuple(one for one in errands if not rounds.is_done(one))
                if pending:
                    await rounds.go(Survey(wish.chaddr, kind[0], kind[1], wish.seconds, pending))
        return tuple([await _with_services(facts, one, wish) for one in rounds.results()])


async def _unheard(facts: Facts, hear: firewall.Hear, wish: Wish) -> list[Finding]:
    """Return what is wrong with the way from client interfaces to the relay's socket."""
    names = [
        port.name for port in facts.active if not port.vrf and wish.interface in (None, port.name)
    ]  # in a VRF such a frame does not come back
    return await asking.unheard(hear, CHADDR, names)


def _ways(facts: Facts, server: IPv4Address) -> list[ServerRoute]:
    return [way for way in facts.ways if way.server == server]


class _Rounds:
    """Surveys one after the other, of which the last that a server was in counts."""

    def __init__(self, facts: Facts, ask: asking.Ask, wire: Wire | None) -> None:
        self._facts = facts
        self._ask = ask
        self._wire = wire
        self._names = {link.index: link.name for link in facts.links}
        self._done: dict[ServerQuery, Asked] = {}

    def is_done(self, errand: ServerQuery) -> bool:
        """Whether a server need not be asked again."""
        known = self._done.get(errand)
        return known is not None and bool(known.error or known.failures or known.answers or known.seen)

    def results(self) -> Sequence[Asked]:
        """Return what became of each errand."""
        return tuple(self._done.values())

    async def go(self, survey: Survey) -> None:
        """Ask all servers of a survey."""
        for part in asking.split(survey):
            before = kernel.filtered()
            told = await self._ask(part)
            frames: list[Frame] = []
            if self._wire:
                await asyncio.sleep(_LINGER)
                frames = self._wire.frames()
            filtered = kernel.filtered() - before
            with contextlib.closing(netlink.Lister()) as lister:
                deaf = await routes.unanswered(lister)
                for errand, one in zip(part.errands, told, strict=True):
                    seen = [frame for frame in frames if frame.xid == one["xid"]]
                    sightings = [await self._sighting(lister, frame) for frame in seen]
                    self._done[errand] = self._asked(one, sightings, filtered, deaf)

    async def _sighting(self, lister: netlink.Lister, frame: Frame) -> Sighting:
        nic = self._facts.nics.get(frame.interface)
        arrival: Arrival | None = None
        if nic:
            arrival = await kernel.refused(lister, frame.source, frame.destination, nic, self._names)
        return Sighting(
            frame.source,
            frame.destination,
            frame.port,
            frame.interface,
            frame.octets,
            frame.fragmented,
            refused=arrival is not None,
            back=arrival.back if arrival else "",
        )

    def _asked(
        self,
        told: dict[str, Any],
        seen: Sequence[Sighting],
        filtered: int,
        deaf: frozenset[tuple[int, IPv4Address]],
    ) -> Asked:
        facts, server = self._facts, IPv4Address(told["server"])
        port = next((port for port in facts.ports if port.name == told["interface"]), None)
        way = facts.way(server, port.vrf if port else 0)
        out = facts.nics.get(way.interface) if way else None
        return Asked(
            server,
            told["interface"],
            IPv4Address(told["giaddr"]) if told["giaddr"] else None,
            mtu=port.mtu if port else 1500,
            error=told["error"] or "",
            failures=tuple(told["failures"]),
            answers=tuple(map(self._answer, told["answers"])),
            seen=tuple(seen),
            watched=self._wire is not None,
            filtered=filtered,
            no_arp=bool(out and way and (out.index, way.gateway or server) in deaf),
        )

    def _answer(self, told: dict[str, Any]) -> ServerAnswer:
        return ServerAnswer(
            source=IPv4Address(told["source"]),
            destination=IPv4Address(told["destination"]),
            interface=self._names.get(told["interface"], str(told["interface"])),
            milliseconds=told["milliseconds"],
            octets=told["octets"],
            dropped=told["dropped"],
            giaddr=IPv4Address(told["giaddr"]),
            address=told["address"],
            boot_file=told["boot_file"],
            boot_servers=tuple((IPv4Address(address), kind) for address, kind in told["boot_servers"]),
        )


async def _with_services(facts: Facts, asked: Asked, wish: Wish) -> Asked:
    """Ask the boot servers that an offer names, and add what became of that."""
    wanted = list(dict.fromkeys(service for answer in asked.answers for service in answer.boot_servers))
    if not wanted or asked.giaddr is None:
        return asked
    port = next((port for port in facts.ports if port.name == asked.interface), None)
    vendor, architectures = _KINDS[0]
    survey = Survey(wish.chaddr, vendor, architectures, wish.seconds, ())
    own, vrf = asked.giaddr, port.vrf if port else 0
    services = [bootserver.Service(*one) for one in wanted[:_MOST_SERVICES]]
    states = await asyncio.gather(*(asking.boot_service(survey, one, own, vrf) for one in services))
    pairs: Iterator[tuple[bootserver.Service, str]] = zip(services, states, strict=True)
    return replace(asked, services=tuple(Service(one.address, state) for one, state in pairs))
