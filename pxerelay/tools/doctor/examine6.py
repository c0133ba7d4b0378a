"""The examination in DHCPv6, beside that of `examine`: facts, then what the servers answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pxerelay.linux.ways import Ways
from pxerelay.policy.ports6 import vrfs_to_hear
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.survey_request import ServerQuery, Survey
from pxerelay.tools.doctor import advertisements, answers6, asking, asking6, gather6, network6
from pxerelay.tools.doctor.asking import CHADDR, Wish
from pxerelay.tools.doctor.facts import Facts
from pxerelay.tools.doctor.facts6 import Asked6, HostFacts6
from pxerelay.tools.doctor.verdict import Code, Finding, warning
from pxerelay.tools.doctor.wire import watched
from pxerelay.tools.doctor.wire6 import Wire6

_KINDS = ((b"PXEClient:Arch:00007:UNDI:003000", (7,)), (b"PXEClient:Arch:00000:UNDI:002001", (0,)))
"""A PC with UEFI asks first; who does not answer it is asked by iPXE on one with a BIOS (RFC 5970, 3.3)."""

_LINGER = 0.05
"""Seconds in which an answer of a silent server is still looked for on the wire."""


async def examine(
    facts: Facts, socket_path: Path, wish: Wish, found: list[Finding]
) -> tuple[HostFacts6, tuple[Asked6, ...]]:
    """Examine what `facts` are of in DHCPv6 too; `found` grows by what is wrong."""
    of6 = gather6.facts(facts, facts.links, facts.wanted6)
    found += network6.findings(of6, wish.interface)
    if not wish.probe:
        return of6, ()
    there = [port for port in of6.active if wish.interface in (None, port.name)]
    found += network6.advertised(await advertisements.heard(there))
    try:
        asked6 = await _probe(facts, of6, socket_path, wish, found)
    except asking.AskError as error:
        found.append(warning(Code.NOT_CHECKED, "servers", f"none was asked by DHCPv6: {error}"))
        return of6, ()
    for one in asked6:
        found += answers6.findings(of6, one)
    return of6, asked6


async def _probe(
    facts: Facts, of6: HostFacts6, socket_path: Path, wish: Wish, found: list[Finding]
) -> tuple[Asked6, ...]:
    """Ask the servers, and return what became of that; `found` grows by what could not be done."""
    errands = gather6.errands(of6, wish.interface, everywhere=wish.everywhere)
    with contextlib.ExitStack() as stack:
        wire = watched(Wire6, wish.chaddr, stack, found)
        async with contextlib.AsyncExitStack() as ours:
            if facts.running:
                asker = asking.by_daemon(socket_path)
            else:
                way_to = stack.enter_context(contextlib.closing(Ways())).to
                relay = Relay6(facts.config, of6.ports, facts.links, facts.answers, way_to=way_to)
                hear = vrfs_to_hear(facts.config, of6.ports, facts.links)
                asker = await ours.enter_async_context(asking6.by_ourselves(relay, hear))
            names = [
                port.name for port in of6.active if not port.vrf and wish.interface in (None, port.name)
            ]  # in a VRF such a frame does not come back
            found += await asking.unheard(asker.hear, CHADDR, names, family=6)
            return await _asked(asker.ask, errands, wish, wire)


async def _asked(
    ask: asking.Ask, wanted: Sequence[ServerQuery], wish: Wish, wire: Wire6 | None
) -> tuple[Asked6, ...]:
    """Have servers asked, those that are silent a second time."""
    found: dict[ServerQuery, Asked6] = {}
    for vendor_class, architectures in _KINDS:
        pending = tuple(one for one in wanted if one not in found or not found[one].is_told)
        if not pending:
            continue
        for part in asking.split(Survey(wish.chaddr, vendor_class, architectures, wish.seconds, pending)):
            told = await ask(part)
            if wire and not all(one["answers"] for one in told):
                await asyncio.sleep(_LINGER)
            frames = wire.frames() if wire else []
            for errand, one in zip(part.errands, told, strict=True):
                seen = tuple(frame for frame in frames if frame.xid == one.get("xid"))
                found[errand] = replace(gather6.asked(one), seen=seen)
    return tuple(found.values())
