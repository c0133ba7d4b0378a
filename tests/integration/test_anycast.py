"""The role's BIRD and its checker beside a relay, and a router that hears them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import BASE
from tests.lab import Host, debian
from tests.lab.command import run
from tests.lab.daemon import Daemon
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


class Bird:
    """BIRD on a host, out of Debian's package."""

    def __init__(self, host: Host, folder: Path, config: str) -> None:
        folder.mkdir()
        (folder / "bird.conf").write_text(config)
        self.socket, self.log = folder / "bird.ctl", folder / "log"
        command = debian.program_with_libraries("bird2", "usr/sbin/bird")
        files = ("-c", folder / "bird.conf", "-s", self.socket, "-P", folder / "bird.pid")
        with self.log.open("w") as log:
            self.process = host.popen([*command, "-f", *map(str, files)], stdout=log, stderr=log)

    def ask(self, question: str) -> str:
        """Return what its client says."""
        client = debian.program("bird2", "usr/sbin/birdcl")
        return run([str(client), "-s", str(self.socket), question], check=False).stdout

    def path(self) -> str | None:
        """Return the path to the shared address by which it would send, None if it knows none."""
        found = re.search(r"BGP.as_path: (.*)", self.ask(f"show route for {SHARED}/32 all"))
        return found[1].strip() if found else None

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it."""
        self.process.send_signal(number)
        self.process.wait(timeout=WAIT)


class Site:
    """A relay host with its BIRD and the checker, and a router."""

    def __init__(self, network: Network, folder: Path, router: Bird, daemon: Daemon) -> None:
        self.router, self.daemon, self._network, self._folder = router, daemon, network, folder
        self.bird = Bird(network.relay, folder / "relay", rendered(folder, ANYCAST)["anycast.conf"])
        self.program = folder / "pxerelay"
        command = f"{sys.executable} -m pxerelay"
        self.program.write_text(f'#!/bin/sh\nexec {command} "$@" --socket {daemon.socket}\n')
        self.program.chmod(0o755)
        self.log = folder / "checker.log"
        daemon.wait_for(lambda: "BIRD" in self.bird.ask("show status"), WAIT)
        self.checker = self.check()

    def check(self) -> subprocess.Popen[str]:
        """Start the checker as the unit does."""
        times = [str(ANYCAST["every"]), "1", str(ANYCAST["rise"])]
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

    def becomes(self, path: str | None) -> None:
        """Wait until the router has the route by this path."""
        self.daemon.wait_for(lambda: self.router.path() == path, WAIT)

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
def site(network: Network, router_host: Host, start: Start, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        router = Bird(router_host, tmp_path / "router", OF_ROUTER)
        stack.callback(router.stop)
        site = Site(network, tmp_path, router, start(options=()))
        stack.callback(site.close)
        yield site


@contextmanager
def hanging(daemon: Daemon) -> Iterator[None]:
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_the_route_follows_the_relays_health(site: Site, network: Network) -> None:
    site.becomes(WELL)
    assert "(65010,67)" in site.router.ask(f"show route for {SHARED}/32 all")
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
