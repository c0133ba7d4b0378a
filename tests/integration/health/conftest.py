"""Two servers of one kind, the ways in which they fail, and a crowd of clients."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network

import pytest

from tests.lab import Host
from tests.lab.crowd import Client, Crowd
from tests.lab.daemon import Daemon
from tests.lab.servers import Dnsmasq, Pool, Server
from tests.lab.topology import ALTIRIS, BOOT_FILES, CLIENT_VLANS, RIS, Network
from tests.lab.wire import Station

Start = Callable[..., Daemon]

A, B = RIS, ALTIRIS
CONFIG = """\
servers: {{boot: {{addresses: [{a}, {b}], strategy: {strategy}{more}}}}}
default: boot
interfaces: {{vlan10: {{}}, vlan20: {{}}}}
"""


def config(strategy: str = "failover", more: str = "") -> str:
    return CONFIG.format(a=A, b=B, strategy=strategy, more=more)


@pytest.fixture(scope="module")
def servers(network: Network) -> dict[str, Dnsmasq]:
    """Two servers of one kind, each with addresses of its own to give."""
    made = {}
    for host, address, first, last in (("boot1", A, 20, 120), ("boot2", B, 130, 230)):
        pools = [Pool(subnet, str(subnet[first]), str(subnet[last])) for subnet in CLIENT_VLANS.values()]
        core = IPv4Network("10.20.0.0/24")
        pools.append(Pool(core, str(core[first + 10]), str(core[last])))
        made[address] = Dnsmasq(
            Host(network.lab, host), address=address, pools=pools, bootfile=BOOT_FILES[address]
        )
    return made


@pytest.fixture
def both(servers: dict[str, Dnsmasq]) -> Iterator[dict[str, Dnsmasq]]:
    """Have both of them run."""
    for server in servers.values():
        server.path("leases").unlink(missing_ok=True)
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def crowd(station: Station) -> Crowd:
    return Crowd(station)


@contextmanager
def killed(server: Server) -> Iterator[None]:
    """End the process: the kernel says so to whoever asks (ICMP port unreachable)."""
    server.stop()
    yield
    server.start()


@contextmanager
def unplugged(server: Dnsmasq) -> Iterator[None]:
    """Take the host off the network: nobody answers for it."""
    server.host.ip("link set eth0 down")
    yield
    server.host.ip("link set eth0 up")
    server.host.route("10.10.0.0/16", "10.20.0.1")


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Stop the process: when it goes on it answers all that it was asked meanwhile."""
    assert server.process
    os.kill(server.process.pid, signal.SIGSTOP)
    yield
    os.kill(server.process.pid, signal.SIGCONT)


FAILURES = {"killed": killed, "unplugged": unplugged, "frozen": frozen}


def state(daemon: Daemon, address: str) -> str:
    told = daemon.status()["servers"]["boot"][address]
    return "doubtful" if told["doubtful"] else "returning" if told["returns_in"] else told["state"]


def copies(daemon: Daemon) -> dict[str, int]:
    """Return how many requests each server was sent."""
    return {address: row["requests"] for address, row in daemon.status()["servers"]["boot"].items()}


def state_after(crowd: Crowd, seconds: float, daemon: Daemon, address: str) -> str:
    crowd.run(seconds)
    return state(daemon, address)


def who(client: Client) -> list[str]:
    return [server for server, _ in client.offers]
