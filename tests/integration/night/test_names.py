"""A server is known by its name, and nobody resolves names any more."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from tests.integration.night.conftest import BARE, FOR_RIS, Vitals, others, survives
from tests.integration.night.test_descriptors import none_left
from tests.integration.test_names import FAST, NAMED
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.dns import Dns
from tests.lab.steady import Steady
from tests.lab.topology import ALTIRIS, RIS, Network

Relay = Callable[..., Daemon]
Dies = Callable[[Dns, Daemon], AbstractContextManager[None]]

COMMAND = (*BARE[: -len(PXERELAY)], sys.executable, "-c", FAST)
"""The daemon, but names are asked for three times a second and not once a minute."""


CONFIG = NAMED + f"accept_replies_from: [{RIS}]\n"
"""What ris says is heard also when the name has just become another server's."""


@pytest.fixture(scope="module")
def dns(network: Network) -> Iterator[Dns]:
    with closing(Dns(network)) as dns:
        yield dns


@contextmanager
def process_gone(dns: Dns, daemon: Daemon) -> Iterator[None]:
    """Nothing listens any more: the resolver is told so at once."""
    dns.stop()
    daemon.wait_for(lambda: failing(daemon), 10)
    yield
    dns.serve(ALTIRIS)


@contextmanager
def link_gone(dns: Dns, daemon: Daemon) -> Iterator[None]:
    """Nothing answers any more: the resolver waits."""
    dns.host.ip("link set eth0 down")
    dns.point(timeout=6)
    daemon.wait_for(lambda: failing(daemon), 15)
    yield
    dns.point(timeout=1)
    dns.serve(ALTIRIS)
    dns.host.ip("link set eth0 up")


@contextmanager
def no_descriptors(dns: Dns, daemon: Daemon) -> Iterator[None]:
    """No descriptor is left, and a question takes some."""
    with none_left(daemon):
        time.sleep(2)
    daemon.wait_for(lambda: "server wds.example.net: " in daemon.log)
    yield
    dns.serve(ALTIRIS)


def answer(daemon: Daemon) -> tuple[list[str], str | None]:
    told = daemon.status()["dns"]["wds.example.net"]
    return told["addresses"], told["error"]


def failing(daemon: Daemon) -> bool:
    return answer(daemon)[1] is not None


@pytest.mark.parametrize("dies", [process_gone, link_gone, no_descriptors])
def test_nobody_resolves_names(relay: Relay, network: Network, dns: Dns, dies: Dies) -> None:
    """Night: the DNS server's process is gone; its link is, and the resolver waits; no descriptor is left.

    The last answer stays in force, also for a reload: neither the clients of the server with the name nor
    those of others lose a packet or wait. The log tells it once or twice. When names are resolved again, to
    another address, that one is used, by itself.
    """
    dns.serve(RIS)
    daemon = relay(CONFIG, command=COMMAND)
    daemon.wait_for(lambda: answer(daemon) == ([RIS], None), 10)
    named = Steady(network.client("vlan10"), prefix=FOR_RIS)
    with survives(daemon), others(network) as unaware, named:
        with dies(dns, daemon):
            time.sleep(2)
            assert Vitals.of(daemon).threads <= 2, "one question waits, and no more are asked"
            assert "error" not in daemon.reload(CONFIG)
            assert answer(daemon)[0] == [RIS]
        daemon.wait_for(lambda: answer(daemon) == ([ALTIRIS], None), 40)
        time.sleep(0.5)
    unaware.must_not_have_noticed()
    assert named.lost == 0
    assert named.answered_by == {RIS, ALTIRIS}
    assert daemon.log.count("<4>server wds.example.net: ") <= 2, "late, and for good"
