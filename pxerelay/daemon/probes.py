"""Which families a probe asks by, and what it finds in each, as one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from pxerelay.daemon.flow import Flow
from pxerelay.daemon.prober import ProbeError, Question
from pxerelay.wire.mac import format_mac

_DHCPV6 = 6


async def ask(flows: Sequence[Flow], asked: Question) -> dict[str, Any]:
    """Return what each of the families finds; `flows` are those that are on.

    What DHCPv6 finds is under `ipv6`. A server that is expected by its address is asked by the family of that
    alone, if no family is named. Raises ProbeError if nothing can be asked so.
    """
    flows = _asked_by(flows, asked)
    if asked.interface is None and asked.link_address is None:
        active = dict.fromkeys(port.name for flow in flows for port in flow.ports if not port.waiting)
        if len(active) != 1:
            names = ", ".join(active) or "none"
            raise ProbeError(f"say on which client interface, of those that are active: {names}")
        asked = replace(asked, interface=next(iter(active)))
    if not asked.families:  # those that are on there
        there = [flow for flow in flows if any(port.name == asked.interface for port in flow.ports)]
        flows = there or flows
    if len(flows) > 1:
        found = await asyncio.gather(*(_or_why_not(flow, asked) for flow in flows))
    else:
        found = [await flows[0].probe(asked)]
    answer: dict[str, Any] = {"mac": format_mac(asked.chaddr), "interface": asked.interface}
    for flow, one in zip(flows, found, strict=True):
        answer |= {"ipv6": one} if flow.family == _DHCPV6 else one
    return answer


def _asked_by(flows: Sequence[Flow], asked: Question) -> Sequence[Flow]:
    """Return the families to ask by; ProbeError for one that is off."""
    wanted = set(asked.families) or _family_of(asked.expected)
    if asked.link_address is not None:
        wanted = {_DHCPV6}
    if asked.link_address is not None and asked.families - wanted:
        raise ProbeError("a link-address is DHCPv6's: ask without --family, or with --family 6")
    missing = wanted - {flow.family for flow in flows}
    if missing:
        family = f"DHCPv{max(missing)}"
        raise ProbeError(f"{family} is off here: `{family.lower()}: true` in the configuration turns it on")
    return [flow for flow in flows if not wanted or flow.family in wanted]


def _family_of(server: str | None) -> set[int]:
    """Return the family that a server is expected to answer by, none if it is given by its name."""
    try:
        return {ip_address(server or "").version}
    except ValueError:
        return set()


async def _or_why_not(flow: Flow, asked: Question) -> dict[str, Any]:
    """Return what one of several families finds; where its interface waits, that."""
    waiting = next((port.waiting for port in flow.ports if port.name == asked.interface), "")
    if not waiting:
        return await flow.probe(asked)
    told = {"servers": [], "answers": [], "failures": [], "dropped": f"it waits: {waiting}"}
    return {"mac": format_mac(asked.chaddr), "interface": asked.interface, **told}
