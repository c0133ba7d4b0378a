"""Processor time for each message of DHCPv6 at a steady rate, ours and the peers' in turn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from tests.benchmark.messages import CLIENTS, macs
from tests.benchmark.peers import DnsmasqOfOne6, Floor6, IscOfOne6, Mapped6
from tests.benchmark.results import Bound, Result, Say
from tests.benchmark.rig import Run, rig
from tests.benchmark.rig6 import Rig6, Wires6, replies6, requests6
from tests.benchmark.steady import MESSAGES, SECONDS, as_table, costs_of, plain_runs
from tests.lab.relays import RelayAgent

RATE = 20_000
"""Messages a second: what the peers bear."""

FEW = 100
"""Clients that a peer asks its kernel for: the fewer they are, the sooner it finds each."""


class _Case(NamedTuple):
    """A relay, how many clients ask or are answered, and whether the relay host's kernel knows them."""

    name: str
    kind: type[RelayAgent]
    clients: int = CLIENTS
    known: bool = False
    interface_id: bytes | None = None


_KNOWN = FEW, True
REQUEST_CASES: Sequence[_Case] = (
    _Case("pxerelay", Mapped6),
    _Case("C floor", Floor6),
    _Case("ISC dhcrelay -6", IscOfOne6),
    _Case(f"dnsmasq, of {FEW} clients that its kernel knows", DnsmasqOfOne6, *_KNOWN),
    _Case("pxerelay, each request from a client never met before", Mapped6, RATE * (SECONDS + 1)),
)
REPLY_CASES: Sequence[_Case] = (
    _Case("pxerelay", Mapped6, interface_id=b"vlan10"),
    _Case(f"ISC dhcrelay -6, to {FEW} clients that its kernel knows", IscOfOne6, *_KNOWN),
    _Case(f"dnsmasq, to {FEW} clients that its kernel knows", DnsmasqOfOne6, *_KNOWN),
)


def requests6_part(rounds: int, say: Say) -> Result:
    """Measure requests at 20,000 a second, as firmware sends them."""
    runs = _in_turn(REQUEST_CASES, rounds, say, replies=False)
    costs = costs_of(runs)
    ours, isc = costs["pxerelay"], costs[REQUEST_CASES[2].name]
    return Result(
        "requests6",
        [as_table(f"DHCPv6: requests, {RATE:,} a second", runs, costs, REQUEST_CASES[2].name)],
        [
            Bound("CPU per request of DHCPv6, of ISC dhcrelay's", ours / isc, 0.25),
            Bound("CPU per request of DHCPv6, of dnsmasq's", ours / costs[REQUEST_CASES[3].name], 0.7),
            Bound("CPU per request of DHCPv6, of the C floor's", ours / costs["C floor"], 1.3),
            Bound("requests of DHCPv6 lost", sum(run.lost for run in runs["pxerelay"]), 0),
        ],
        plain_runs(runs),
    )


def replies6_part(rounds: int, say: Say) -> Result:
    """Measure replies at 20,000 a second; ours leave by link layer, the peers' by the kernel."""
    runs = _in_turn(REPLY_CASES, rounds, say, replies=True)
    costs = costs_of(runs)
    ours, isc, dnsmasq = (costs[case.name] for case in REPLY_CASES)
    return Result(
        "replies6",
        [as_table(f"DHCPv6: replies, {RATE:,} a second", runs, costs, REPLY_CASES[1].name)],
        [
            Bound("CPU per reply of DHCPv6, of ISC dhcrelay's", ours / isc, 0.35),
            Bound("CPU per reply of DHCPv6, of dnsmasq's", ours / dnsmasq, 1.1),
            Bound("replies of DHCPv6 lost", sum(run.lost for run in runs["pxerelay"]), 0),
        ],
        plain_runs(runs),
    )


def _in_turn(cases: Sequence[_Case], rounds: int, say: Say, *, replies: bool) -> dict[str, list[Run]]:
    """Run every case once a round, so that what the machine does meanwhile meets all alike."""
    runs: dict[str, list[Run]] = {case.name: [] for case in cases}
    for turn in range(rounds):
        for case in cases:
            run = _run(case, replies=replies)
            runs[case.name].append(run)
            say(f"round {turn + 1}: {case.name} {run.cpu_us:.2f} us, {run.lost} lost")
    return runs


def _run(case: _Case, *, replies: bool) -> Run:
    chance, who = random.Random(1), macs(case.clients)
    wires = type("Known6", (Wires6,), {"neighbours": who}) if case.known else Wires6
    with rig(case.kind, wires=wires, made=Rig6) as one:
        assert isinstance(one, Rig6)
        count = max(MESSAGES, case.clients)
        if replies:
            frames = one.reply_file6(replies6(who, count, chance, case.interface_id))
            go = partial(one.replies, frames)
        else:
            frames = one.request_file6(requests6(who, count, chance))
            go = partial(one.requests, frames)
        go(RATE, RATE)
        return go(RATE, RATE * SECONDS)
