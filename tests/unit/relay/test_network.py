"""A relay that followed changes of the network decides as one that was made for the network as it is."""

from __future__ import annotations

import random
from copy import deepcopy
from ipaddress import IPv4Address

import pytest

from pxerelay.policy.links import Link
from pxerelay.policy.ports import PortTable
from pxerelay.relay.askers import Askers
from pxerelay.relay.pipeline import Pipeline
from pxerelay.relay.relay import Relay
from tests.unit.configs import LINKS, build
from tests.unit.relay.test_fast_path import CONFIGS, arrivals
from tests.unit.relay.test_pipeline import MOST, became

RED = 100
"""The index of a VRF, which comes and goes."""

ADDRESSES = [
    (IPv4Address("10.10.10.1"), IPv4Address("10.10.10.2")),
    (IPv4Address("10.10.20.1"),),
    (IPv4Address("10.20.0.1"),),
    (IPv4Address("10.30.0.1"),),
    (),
]


def changes(chance: random.Random, links: dict[int, Link]) -> dict[int, Link | None]:
    """Return what becomes of one link or two, and put it into `links`."""
    changed: dict[int, Link | None] = {}
    for _ in range(chance.choice([1, 1, 2])):
        index = chance.choice([*(link.index for link in LINKS), RED])
        before = next((link for link in LINKS if link.index == index), None)
        if index == RED:
            there = index in links
            link = None if there else Link(RED, "red", up=True, mtu=1500, addresses=(), vrf=RED)
            for one in [one for one in links.values() if one.vrf == RED and one.index != RED]:
                changed[one.index] = links[one.index] = one._replace(vrf=0)
        elif before is None or (index in links and chance.random() < 0.2):
            link = None
        else:
            link = links.get(index, before)._replace(
                up=chance.random() < 0.8,
                mtu=chance.choice([1500, 1400]),
                vrf=RED if RED in links and chance.random() < 0.3 else 0,
                addresses=chance.choice([before.addresses, *ADDRESSES]),
            )
        changed[index] = link
        links.pop(index, None)
        if link is not None:
            links[index] = link
    return changed


@pytest.mark.parametrize("name", [name for name in CONFIGS if "shared" not in name])
def test_a_relay_that_followed_decides_as_a_fresh_one(name: str) -> None:
    chance, config = random.Random(name), build(CONFIGS[name] + "\nmax_requests: 0\n")
    links, askers = {link.index: link for link in LINKS}, Askers()
    table = PortTable(config, links.values(), "h")
    old, followed = Relay(config, table.ports, links.values(), askers=askers), Pipeline(MOST)
    followed.obey(old)
    for step in range(60):
        change = table.update(changes(chance, links))
        if change.matters:
            old.follow(table.ports, change)
            followed.follow(change.indexes)
        ports = PortTable(config, links.values(), "h").ports
        relay, fresh = Relay(config, ports, links.values(), askers=deepcopy(askers)), Pipeline(MOST)
        fresh.obey(relay)
        assert (old.ports, old.vrfs, old.own_addresses) == (relay.ports, relay.vrfs, relay.own_addresses)
        coming = arrivals(chance, MOST)
        assert became(followed, coming, 7.0 + step) == became(fresh, coming, 7.0 + step)
