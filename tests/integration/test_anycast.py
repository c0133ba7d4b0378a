"""The role's BIRD and its checker beside a relay, and a router that hears them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import BASE
from tests.lab import Host, debian
from tests.lab.bird import Bird
from tests.lab.command import run
from tests.lab.daemon import Daemon
from tests.lab.ospf import OspfRouter
from tests.lab.topology import Network
from tests.role.anycast import rendered
from tests.role.plays import ROLE

Start = Callable[..., Daemon]

ROUTER, RELAY, SHARED = "10.20.0.254", "10.20.0.1", "192.0.2.67"
ANYCAST: dict[str, Any] = {
    "address": SHARED,
    "asn": 65010,
    "peers": [{"address": ROUTER, "asn": 65000, "password": "let me in", "bfd": True}],
    "every": 0.3,
    "rise": 5,
    "communities": ["65010:67"],
}
OVER_OSPF: dict[str, Any] = {
    "address": [SHARED, "2001:db8::67"],
    "ospf": {"interfaces": ["core"], "area": "0.0.0.1", "hello": 1, "dead": 4, "bfd": True},
    "every": 0.3,
    "rise": 5,
}
OF_ROUTER = f"""\
log stderr all;
router id {ROUTER};
protocol device {{ }}
protocol bfd {{ interface "*" {{ interval 100 ms; multiplier 3; }}; }}
protocol bgp relay {{
    local {ROUTER} as 65000;
    neighbor {RELAY} as 65010;
    password "let me in";
    bfd on;
    ipv4 {{ import all; export none; }};
}}
"""
WAIT = 60.0

NONE, WELL, DEGRADED = None, "65010", "65010 65010 65010"


class Site:
    """A relay host with its BIRD and the checker; `tells` what the router knows of the shared addresses."""

    def __init__(
        self,
        network: Network,
        folder: Path,
        daemon: Daemon,
        anycast: dict[str, Any],
        tells: Callable[[], object],
    ) -> None:
        self.daemon, self._network, self._anycast, self._tells = daemon, network, anycast, tells
        self.bird = Bird(network.relay, folder / "relay", rendered(folder, anycast)["anycast.conf"])
        self.program = folder / "pxerelay"
        command = f"{sys.executable} -m pxerelay"
        self.program.write_text(f'#!/bin/sh\nexec {command} "$@" --socket {daemon.socket}\n')
        self.program.chmod(0o755)
        self.log = folder / "checker.log"
        daemon.wait_for(lambda: "BIRD" in self.bird.ask("show status"), WAIT)
        self.checker = self.check()

    def check(self) -> subprocess.Popen[str]:
        """Start the checker as the unit does."""
        times = [str(self._anycast["every"]), "1", str(self._anycast["rise"])]
        with self.log.open("a") as log:
            return self._network.relay.popen(
                ["sh", str(ROLE / "files" / "anycast.sh"), "check", str(self.program), *times],
                stdout=log,
                stderr=log,
                env=self.environment,
            )

    @property
    def environment(self) -> dict[str, str]:
        """Where the checker finds BIRD."""
        client = debian.program("bird2", "usr/sbin/birdcl")
        return os.environ | {"BIRDCL": str(client), "BIRD_SOCKET": str(self.bird.socket)}

    def withdraw(self) -> None:
        """Do what the unit does when the checker has ended."""
        run(["sh", str(ROLE / "files" / "anycast.sh"), "withdraw"], env=self.environment)

    def becomes(self, known: object) -> None:
        """Wait until the router knows this."""
        self.daemon.wait_for(lambda: self._tells() == known, WAIT)

    def close(self) -> None:
        """End what was begun."""
        self.checker.kill()
        self.checker.wait(timeout=WAIT)
        if self.bird.process.poll() is None:
            self.bird.stop()


@pytest.fixture(scope="module")
def router_host(network: Network) -> Host:
    host = network.lab.host("router")
    host.attach(network.segments["core"], "eth0", addresses=[f"{ROUTER}/24"])
    return host


@pytest.fixture
def router(router_host: Host, tmp_path: Path) -> Iterator[Bird]:
    bird = Bird(router_host, tmp_path / "router", OF_ROUTER)
    yield bird
    bird.stop()


@pytest.fixture
def site(network: Network, router: Bird, start: Start, tmp_path: Path) -> Iterator[Site]:
    def path() -> str | None:
        found = re.search(r"BGP.as_path: (.*)", router.ask(f"show route for {SHARED}/32 all"))
        return found[1].strip() if found else None

    with closing(Site(network, tmp_path, start(options=()), ANYCAST, path)) as site:
        yield site


@pytest.fixture
def ospf_router(router_host: Host, tmp_path: Path) -> Iterator[OspfRouter]:
    router = OspfRouter(router_host, tmp_path / "router", "eth0", ROUTER, OVER_OSPF["ospf"]["area"])
    yield router
    router.stop()


@pytest.fixture
def ospf_site(network: Network, ospf_router: OspfRouter, start: Start, tmp_path: Path) -> Iterator[Site]:
    def metrics() -> list[int | None] | str:
        try:
            return ospf_router.metrics(OVER_OSPF["address"])
        except OSError as error:  # it has only been started
            return str(error)

    with closing(Site(network, tmp_path, start(options=()), OVER_OSPF, metrics)) as site:
        yield site


@contextmanager
def hanging(daemon: Daemon) -> Iterator[None]:
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_the_route_follows_the_relays_health(site: Site, router: Bird, network: Network) -> None:
    site.becomes(WELL)
    assert "(65010,67)" in router.ask(f"show route for {SHARED}/32 all")
    said = site.log.read_text()
    assert re.search(r"announced: none.*announced: degraded.*announced: well", said, re.DOTALL), (
        "it is there for who has no other, and then preferred"
    )
    run([str(site.program), "drain"])
    site.becomes(DEGRADED)
    assert "announced: degraded (degraded drained " in site.log.read_text()
    run([str(site.program), "undrain"])
    site.becomes(WELL)
    with hanging(site.daemon):
        site.becomes(NONE)
    site.becomes(WELL)
    site.daemon.process.kill()
    site.daemon.process.wait(timeout=WAIT)
    site.becomes(NONE)
    again = Daemon(network, site.daemon.socket.parent, BASE)
    try:
        site.becomes(WELL)
        network.relay.ip("route add unreachable 10.20.0.10/32", "route add unreachable 10.20.0.20/32")
        site.becomes(DEGRADED)
        network.relay.ip("route del unreachable 10.20.0.10/32", "route del unreachable 10.20.0.20/32")
        site.becomes(WELL)
    finally:
        again.stop()


def test_nothing_is_announced_that_nobody_looks_at(site: Site) -> None:
    site.becomes(WELL)
    site.checker.kill()
    site.checker.wait(timeout=WAIT)
    site.withdraw()
    site.becomes(NONE)
    site.checker = site.check()
    site.becomes(WELL)
    site.bird.stop(signal.SIGKILL)
    site.becomes(NONE)
    run([str(site.program), "drain"])
    assert site.checker.wait(timeout=WAIT) == 1, "what it can't announce ends it, and systemd starts it anew"
    run([str(site.program), "undrain"])


def test_the_host_keeps_its_routes_and_its_own_bgp_port(site: Site, network: Network) -> None:
    site.becomes(WELL)
    assert SHARED not in network.relay.run(["ip", "route", "show", "table", "all"]).stdout
    listening = network.relay.run(["ss", "-Hltn"]).stdout
    assert re.search(r":1790\s", listening)
    assert not re.search(r":179\s", listening)


def test_a_router_that_speaks_ospf_follows_it_in_both_families(
    ospf_site: Site, ospf_router: OspfRouter
) -> None:
    well, degraded, none = [10, 10], [1000, 1000], [None, None]
    ospf_site.becomes(well)
    ospf_site.daemon.wait_for(lambda: ospf_router.watched() == ["up", "up"], WAIT)
    run([str(ospf_site.program), "drain"])
    ospf_site.becomes(degraded)
    assert "announced: degraded (degraded drained " in ospf_site.log.read_text()
    run([str(ospf_site.program), "undrain"])
    ospf_site.becomes(well)
    with hanging(ospf_site.daemon):
        ospf_site.becomes(none)
    ospf_site.becomes(well)
    assert ospf_router.watched() == ["up", "up"], "the relay hung, and not its host"
    ospf_site.bird.stop(signal.SIGKILL)
    ospf_site.becomes(none)
