"""Interfaces after hundreds of changes at random: what is known of them is what there is (packet rule 24)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from pxerelay.linux import interfaces
from pxerelay.linux.interfaces import listed, watch
from pxerelay.policy.links import Link
from pxerelay.policy.ports import PortTable, assign
from tests.lab.changes import Walk
from tests.lab.daemon import Daemon
from tests.lab.network import Host
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.configs import build
from tests.unit.messages import request

Start = Callable[..., Daemon]
CONFIG = """\
max_requests: 0
default: 10.20.0.10
interfaces:
  vlan10: {}
  "walk*": {}
  roam3: {giaddr: 10.77.1.1}
  wandering-client-interface-4: {}
"""
ROUNDS, STEPS = 25, 20
"""Five hundred changes; a burst of twenty at a time."""

PATIENCE = 7.0
"""Seconds: longer than until the one more list of a burst."""


@pytest.fixture
def walk(network: Network, request: pytest.FixtureRequest) -> Iterator[Walk]:
    walk = Walk(network.relay, random.Random(request.node.name), vrf=has_vrfs(network.relay))
    yield walk
    walk.end()


def has_vrfs(host: Host) -> bool:
    """Whether the kernel has them; that of `make guest` has."""
    try_it = host.run(["ip", "link", "add", "anyvrf", "type", "vrf", "table", "99"], check=False)
    host.run(["ip", "link", "delete", "anyvrf"], check=False)
    return try_it.returncode == 0


class Following:
    """Links and ports as they are put together from changes."""

    def __init__(self) -> None:
        self.config = build(CONFIG)
        self.links: dict[int, Link] = {}
        self.table = PortTable(self.config)

    async def follow(self) -> None:
        """Put them together, without end."""
        async for changes in watch():
            for index, link in changes.changed.items():
                self.links.pop(index, None)
                if link is not None:
                    self.links[index] = link
            self.table.update(changes.changed)

    async def agrees(self) -> bool:
        """Whether all is as somebody sees it who looks now."""
        fresh = {link.index: link for link in await listed()}
        return self.links == fresh and self.table.ports == assign(self.config, fresh.values())


@pytest.mark.parametrize("events", [interfaces.EVENT_BUFFER, 1])
def test_rule_24_what_is_known_is_what_there_is_also_where_events_are_lost(
    network: Network, walk: Walk, monkeypatch: pytest.MonkeyPatch, events: int
) -> None:
    """With the smallest receive buffer that there is the kernel has room for one event or two."""
    monkeypatch.setattr(interfaces, "EVENT_BUFFER", events)

    async def compare() -> None:
        following = Following()
        task = asyncio.create_task(following.follow())
        for number in range(ROUNDS):
            await asyncio.to_thread(walk.go, STEPS)
            deadline = time.monotonic() + PATIENCE
            while not await following.agrees():
                assert time.monotonic() < deadline, f"round {number}"
                await asyncio.sleep(0.02)
        assert lost_events() == (events == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def lost_events() -> bool:
        """Whether a socket that hears groups has lost some (the 9th column of /proc/net/netlink)."""
        rows = [line.split() for line in network.relay.run(["cat", "/proc/net/netlink"]).stdout.splitlines()]
        return any(row[1] == "0" and int(row[3], 16) and int(row[8]) for row in rows[1:])

    with inside(network.relay):
        asyncio.run(compare())


def test_rule_24_a_daemon_knows_what_a_fresh_one_would(
    start: Start, network: Network, walk: Walk, station: Station, server: FakeServer
) -> None:
    daemon, config = start(CONFIG), build(CONFIG)

    def fresh() -> dict[str, Any]:
        with inside(network.relay):
            links = asyncio.run(listed())
        return {
            port.name: {
                "state": port.state,
                "giaddr": str(port.giaddr) if port.giaddr else None,
                "waiting": port.waiting or None,
            }
            for port in assign(config, links)
        }

    for _ in range(ROUNDS):
        walk.go(STEPS)
        daemon.wait_for(lambda: daemon.status()["interfaces"] == fresh(), PATIENCE)
        station.send(request())
        assert server.receive() is not None
    daemon.reload(CONFIG)
    assert daemon.status()["interfaces"] == fresh()
