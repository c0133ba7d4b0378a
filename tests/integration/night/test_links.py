"""A link flaps; an address, an interface goes and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.integration.night.conftest import FOR_ALTIRIS, ask_once, others, survives
from tests.lab.daemon import Daemon
from tests.lab.steady import Steady
from tests.lab.topology import Network

Relay = Callable[..., Daemon]

TIMES = 100
FOLLOWED = 1.0
"""Seconds until the state of an interface is followed."""


def flap(network: Network) -> None:
    """Be a bad cable: down and up again, as fast as can be."""
    network.relay.ip(*("link set vlan20 down", "link set vlan20 up") * TIMES)


def readdress(network: Network) -> None:
    """Take the address away and give it back, as somebody's script in a loop does."""
    address = "10.10.20.1/24"
    lines = (f"address delete {address} dev vlan20", f"address add {address} broadcast + dev vlan20")
    network.relay.ip(*lines * TIMES)


def remake(network: Network) -> None:
    """Make the interface anew, and anew, as a hypervisor or networkd may."""
    for _ in range(TIMES // 5):
        network.relay.detach("vlan20")
        network.relay.attach(network.segments["vlan20"], "vlan20", addresses=["10.10.20.1/24"])


@pytest.mark.parametrize("happens", [flap, readdress, remake])
def test_a_client_link_flaps(relay: Relay, network: Network, happens: Callable[[Network], None]) -> None:
    """Night: one VLAN's interface goes down and up a hundred times, loses its address, is made anew.

    The other VLAN loses nothing and waits for nothing. Within a second after the last change the state is
    right, and the VLAN's next question is answered. The log has a few lines, not one for each change.
    """
    daemon = relay()
    with survives(daemon), others(network, "vlan10") as unaware:
        with Steady(network.client("vlan20"), prefix=FOR_ALTIRIS) as flapping:
            start = time.monotonic()
            happens(network)
            took = time.monotonic() - start
            daemon.wait_for(lambda: daemon.states()["vlan20"] == "active", FOLLOWED)
            time.sleep(FOLLOWED)
            assert daemon.states()["vlan20"] == "active"
            settled = time.monotonic()
            time.sleep(0.3)
        assert flapping.lost_after(settled) == 0
        assert ask_once(network, FOR_ALTIRIS, "vlan20").lost == 0
    unaware.must_not_have_noticed()
    lines = daemon.log.count("interface vlan20")
    assert lines <= 4 + 50 * took, "followed in bursts"


def test_the_link_to_the_servers_flaps(relay: Relay, network: Network) -> None:
    """Night: the link to all servers goes down and up, and with its address goes the way to them.

    While it is down nothing can be sent, which is counted and told at a bounded rate; the first question
    after it is up again is answered.
    """
    daemon = relay()
    with survives(daemon), Steady(network.client("vlan10"), prefix=FOR_ALTIRIS, every=0.005) as asking:
        for _ in range(5):
            network.relay.ip("link set core down")
            time.sleep(0.2)
            network.relay.ip("link set core up")
            time.sleep(0.2)
        back = time.monotonic()
        time.sleep(0.5)
    assert asking.lost_after(back) == 0
    assert daemon.status()["counters"]["send_failures"] > 0
    assert daemon.log.count("could not send to") <= 2
