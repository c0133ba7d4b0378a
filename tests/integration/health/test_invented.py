"""Somebody on a client VLAN invents clients, and the servers are silent to all that they do not know."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from pxerelay.wire import packet
from tests.integration.health.conftest import A, B, Start, config, killed, state, who
from tests.lab.crowd import Client, Crowd
from tests.lab.servers import Dnsmasq
from tests.lab.topology import Network
from tests.lab.wire import Station

KNOWN = [
    "dhcp-ignore=tag:!known",
    "dhcp-host=02:00:00:01:*:*,set:real",
    "dhcp-host=02:70:78:65:00:00,set:probe",
]
"""The clients of a `Crowd`, and the one in whose name servers are asked."""


@pytest.fixture
def silent(both: dict[str, Dnsmasq]) -> Iterator[dict[str, Dnsmasq]]:
    """Have both servers answer only clients that they know."""
    for server in both.values():
        server.stop()
        server.extra = KNOWN
        server.start()
    yield both
    for server in both.values():
        server.extra = []


@pytest.fixture(scope="module")
def mallory(network: Network) -> Iterator[Station]:
    """Have a host of its own on vlan10 that belongs to nobody good."""
    with closing(Station(network.add_client("mallory", "02:00:00:00:66:66"))) as station:
        yield station


@contextmanager
def inventing(mallory: Station) -> Iterator[None]:
    """Have fifty PXE clients a second ask that nobody has."""
    ended = threading.Event()

    def invent() -> None:
        for number in itertools.count():
            message = bytearray(Client(number & 0xFFFF, 0.0).message(1))
            message[packet.XID] = b"\x66" + number.to_bytes(3, "big")
            message[packet.CHADDR_START : packet.CHADDR_START + 6] = b"\x02\xee" + number.to_bytes(4, "big")
            mallory.send(message)
            if ended.wait(0.02):
                return

    thread = threading.Thread(target=invent)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("strategy", ["failover", "hash"])
def test_with_a_probe_invented_clients_move_nobody_and_no_server_is_doubted(
    strategy: str, start: Start, silent: dict[str, Dnsmasq], crowd: Crowd, mallory: Station
) -> None:
    """Each real client is sent to its own server, and to no other one."""
    said = {address: len(server.log) for address, server in silent.items()}
    daemon = start(config(strategy, ", probe: true"), options=())
    before = crowd.stream(1, 0.1, 1.6)
    crowd.run(2.0)
    own = {client.number: who(client) for client in before}
    assert all(len(servers) == 1 for servers in own.values())
    with inventing(mallory):
        crowd.run(4.0)
        for _ in range(2):
            stream = crowd.stream(1, 0.3, 4.8)
            crowd.run(5.3)
            assert {client.number: who(client) for client in stream} == own
            assert {state(daemon, A), state(daemon, B)} == {"up"}
    heard = {address: server.log[said[address] :] for address, server in silent.items()}
    for client in before:
        assert [address for address in (A, B) if client.mac.hex(":") in heard[address]] == who(client)
    assert "does not answer" not in daemon.log
    assert "is down" not in daemon.log
    assert heard[A].count("DHCPDISCOVER(eth0) 02:ee:") > 100, "the attack came through"
    assert heard[A].count("DHCPDISCOVER(eth0) 02:70:78:65:00:00") <= 25, "asked, at a bounded rate"


def test_with_a_probe_a_server_that_dies_in_the_attack_is_found_out(
    start: Start, silent: dict[str, Dnsmasq], crowd: Crowd, mallory: Station
) -> None:
    daemon = start(config(more=", probe: true"), options=())
    crowd.run(0.5)
    with inventing(mallory):
        crowd.run(4.0)
        with killed(silent[A]):
            stream = crowd.stream(1, 0.2, 8.0)
            crowd.run(13.0)
            assert state(daemon, A) == "down"
            assert all(who(client) == [B] for client in stream)
            assert max(client.waited or 99.0 for client in stream) < 4.6
            assert state(daemon, B) == "up"
        daemon.wait_for(lambda: state(daemon, A) == "returning", 15)


def test_without_a_probe_what_is_logged_of_servers_has_a_bound(
    start: Start,
    silent: dict[str, Dnsmasq],  # noqa: ARG001  # they run
    crowd: Crowd,
    mallory: Station,
) -> None:
    """Then invented clients do have servers doubted, as docs/threats.md says; any real one ends it."""
    daemon = start(config(), options=())
    with inventing(mallory):
        for _ in range(8):
            stream = crowd.stream(1, 0.1, 0.4)
            crowd.run(3.6)
            assert all(client.offers for client in stream), "a copy more, and nobody without an answer"
    lines = [line for line in daemon.log.splitlines() if "server boot" in line]
    assert len(lines) <= 2 * (6 + 3)
    assert any("does not answer" in line or "is down" in line for line in lines), "the attack works"
