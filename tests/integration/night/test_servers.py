"""A server is gone, and back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.integration.conftest import BASE
from tests.integration.night.conftest import BARE, FOR_RIS, Servers, ask_once, others, survives
from tests.lab.daemon import Daemon
from tests.lab.steady import Steady
from tests.lab.topology import RIS, Network

Relay = Callable[..., Daemon]
Gone = Callable[[Network, Servers], AbstractContextManager[None]]

ELSEWHERE = "10.30.0.10"
"""An address of the server ris behind its own host, which the relay has a route to."""

MOVED = "10.20.0.99"
"""Another address of the server ris, on the servers' network."""

PATIENCE = 30.0
"""Seconds within which a client that asks again has an answer, on a machine that does much else."""

GONE_SECONDS = 4.0
"""Longer than the kernel looks for a neighbour (3 s), which holds what it has for it and then drops it."""

EVERY = 0.002
"""Seconds between two questions to the server that is gone: its clients try again and again."""


@contextmanager
def process_gone(network: Network, servers: Servers) -> Iterator[None]:  # noqa: ARG001
    process = servers.ris.process
    assert process is not None
    process.kill()
    process.wait()
    yield
    servers.ris.start()


@contextmanager
def link_gone(network: Network, servers: Servers) -> Iterator[None]:
    servers.ris.host.ip("link set eth0 down")
    network.relay.ip("neigh flush dev core")
    yield
    servers.ris.host.ip("link set eth0 up")
    servers.ris.host.route("10.10.0.0/16", "10.20.0.1")


@contextmanager
def route_gone(network: Network, servers: Servers) -> Iterator[None]:  # noqa: ARG001
    network.relay.ip("route delete 10.30.0.0/24")
    yield
    network.relay.route("10.30.0.0/24", RIS)


@pytest.fixture(scope="module")
def elsewhere(network: Network, servers: Servers) -> str:
    """Give ris its address behind its own host."""
    servers.ris.host.ip(f"address add {ELSEWHERE}/32 dev lo")
    network.relay.route("10.30.0.0/24", RIS)
    return BASE.replace("ris: 10.20.0.10", f"ris: {ELSEWHERE}") + f"accept_replies_from: [{RIS}]\n"


@pytest.mark.parametrize(("gone", "told"), [(process_gone, 0), (link_gone, 0), (route_gone, 1)])
def test_a_server_is_gone_and_back(
    relay: Relay, network: Network, servers: Servers, elsewhere: str, gone: Gone, told: int
) -> None:
    """Night: a server's process is killed; its link is down and nothing answers ARP; its route is removed.

    Its clients ask all the more. Clients of other servers lose nothing and wait for nothing; the log has a
    line every ten seconds at most, where the kernel says that it could not send; the first question after
    the server is back is answered.
    """
    daemon = relay(elsewhere if gone is route_gone else BASE)
    assert ask_once(network).lost == 0
    with survives(daemon):
        with others(network) as unaware, gone(network, servers):
            with Steady(network.client("vlan10"), prefix=FOR_RIS, every=EVERY) as waiting:
                time.sleep(GONE_SECONDS)
            assert waiting.answered == 0
            assert waiting.sent > 1000
        assert ask_once(network).lost == 0, "the first question afterwards"
        unaware.must_not_have_noticed()
        assert daemon.log.count("could not send to") == told


@contextmanager
def moved(servers: Servers) -> Iterator[None]:
    """Give ris one more address, which its answers leave from."""
    host = servers.ris.host
    host.ip(f"address add {MOVED}/24 dev eth0", f"route replace 10.10.0.0/16 via 10.20.0.1 src {MOVED}")
    try:
        yield
    finally:
        host.route("10.10.0.0/16", "10.20.0.1")
        host.ip(f"address del {MOVED}/24 dev eth0")


def answered(network: Network) -> bool:
    """Whether a client of ris, which asks again and again, has an answer in the end."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if ask_once(network).lost == 0:
            return True
    return False


def test_a_server_answers_from_another_address_of_its_own(
    relay: Relay, network: Network, servers: Servers
) -> None:
    """Night: a server is given one more address, and answers from that; it is told, and others boot."""
    daemon = relay(BASE)
    assert answered(network)
    with survives(daemon), others(network) as unaware:
        with moved(servers):
            with Steady(network.client("vlan10"), prefix=FOR_RIS) as waiting:
                daemon.wait_for(lambda: daemon.status()["counters"]["dropped"]["not-a-server"] > 0, PATIENCE)
            assert waiting.answered == 0
            assert f"dropped a message from {MOVED} on core" in daemon.log
            daemon.reload(f"{BASE}accept_replies_from: [{MOVED}]\n")
            assert answered(network)
        daemon.reload(BASE)
        assert answered(network)
    unaware.must_not_have_noticed(PATIENCE)


SMALL = """\
import sys
from pxerelay import cli
from pxerelay.linux import sockets
sockets.SEND_BUFFER = 212992
sys.exit(cli.main())
"""
"""The daemon with the send buffer that Linux gives where nobody raised net.core.wmem_max."""

DARK = ", ".join(f"10.20.0.{200 + number}" for number in range(8))
"""Addresses on the servers' wire that nobody has."""


def test_many_servers_are_gone_at_once(relay: Relay, network: Network) -> None:
    """Night: a rack of eight servers is dark, and all their clients ask.

    For each of them the kernel holds what waits for ARP, and that fills our send buffer. Clients of other
    servers lose nothing and wait for nothing all the same: their server gets a socket of its own.
    """
    command = (*BARE[: BARE.index(sys.executable)], sys.executable, "-c", SMALL)
    daemon = relay(BASE.replace("ris: 10.20.0.10", f"ris: [{DARK}]"), command=command)
    with others(network) as unaware, Steady(network.client("vlan10"), prefix=FOR_RIS, every=EVERY) as waiting:
        time.sleep(GONE_SECONDS)
    assert waiting.answered == 0
    unaware.must_not_have_noticed()
    again = Steady(network.client("vlan10"), prefix=FOR_RIS, every=EVERY)
    with survives(daemon), others(network) as unaware, again:
        time.sleep(1.5)
    unaware.must_not_have_noticed()
    assert daemon.log.count("could not send to") <= 2 * len(DARK.split())
