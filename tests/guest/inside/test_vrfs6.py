"""DHCPv6 in VRFs: clients, servers, and whom the relay believes there (rule 166, as rule 27)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.guest.inside.test_vrfs import Vrf
from tests.lab import Host, dhcp6
from tests.lab.daemon import Daemon
from tests.lab.topology import ALTIRIS, RIS, Network
from tests.lab.topology6 import ALTIRIS6, CLIENT_SUPERNET6, RELAY_CORE6, RIS6, Network6, add_address
from tests.lab.wire6 import FakeServer6, Station6, settled

CONFIG = f"""\
max_requests: 0
dhcpv6: true
servers: {{ris: [{RIS}, "{RIS6}"], altiris: [{ALTIRIS}, "{ALTIRIS6}"]}}
default: ris
interfaces: {{vlan10: {{}}, vlan20: {{default: altiris}}}}
"""
VLAN10, VLAN20 = "2001:db8:10:10::1", "2001:db8:10:20::1"
RED_CORE6 = "2001:db8:20::3"
"""The relay's address at the servers, in the VRF."""

PATIENCE = 60.0
"""Seconds: duplicate address detection takes two, and the guest is slow."""


@pytest.fixture(scope="module")
def network6(network: Network) -> Network6:
    built = Network6(network).build()
    for interface in ("vlan10", "vlan20", "core"):
        settled(network.relay, interface)
    return built


@pytest.fixture
def inside_red(network: Network, network6: Network6, daemon: Daemon) -> Iterator[Vrf]:
    """Have vlan10 in a VRF, which takes its IPv6 addresses away for a moment."""
    assert network6
    vrf = Vrf(network)
    relay = network.relay
    add_address(relay, "core-red", f"{RED_CORE6}/64")
    vrf.take("vlan10")
    relay.run(["ip", "address", "replace", f"{VLAN10}/64", "dev", "vlan10", "nodad"])
    network.ris.host.route(CLIENT_SUPERNET6, RED_CORE6)
    serves(daemon, "vlan10")
    yield vrf
    vrf.remove()
    relay.run(["ip", "address", "replace", f"{VLAN10}/64", "dev", "vlan10", "nodad"])
    network.ris.host.route(CLIENT_SUPERNET6, RELAY_CORE6)
    serves(daemon, "vlan10")


def serves(daemon: Daemon, name: str) -> None:
    """Wait until an interface serves in DHCPv6."""
    daemon.wait_for(lambda: daemon.interface(name)["ipv6"]["state"] == "active", PATIENCE)


@pytest.fixture(scope="module")
def client(network: Network) -> Host:
    return network.add_client("probe", "02:00:00:00:00:01")


@pytest.fixture(scope="module")
def bystander_host(network: Network) -> Host:
    return network.add_client("bystander", "02:00:00:00:00:20", vlan="vlan20")


@pytest.fixture
def station(client: Host) -> Iterator[Station6]:
    settled(client)
    with closing(Station6(client)) as station:
        yield station


@pytest.fixture
def bystander(bystander_host: Host) -> Iterator[Station6]:
    settled(bystander_host)
    with closing(Station6(bystander_host)) as station:
        yield station


@pytest.fixture
def ris(network: Network, network6: Network6) -> Iterator[FakeServer6]:
    assert network6
    with closing(FakeServer6(network.ris.host)) as server:
        yield server


@pytest.fixture
def altiris(network: Network, network6: Network6) -> Iterator[FakeServer6]:
    assert network6
    with closing(FakeServer6(network.altiris.host)) as server:
        yield server


def assert_served(station: Station6, server: FakeServer6, by: str, link: str) -> bytes:
    """Fail unless a SOLICIT reaches the server once, from the address `by`, and the answer comes back."""
    message = dhcp6.solicit(dhcp6.duid_ll(station.mac), xid=int.from_bytes(os.urandom(3), "big"))
    station.send(message)
    arrived = server.receive(10.0)
    assert arrived is not None
    payload, source, port = arrived
    forward = dhcp6.read_relayed(payload)
    assert (forward.inside, forward.link, forward.mac) == (message, link, station.mac.hex(":"))
    assert (source, port) == (by, 547)
    assert server.receive(0.5) is None, "exactly one copy"
    answer = bytes([dhcp6.ADVERTISE]) + message[1:]
    reply = dhcp6.answer(payload, answer)
    server.send(reply, source)
    (frame,) = station.datagrams(10.0, 1)
    assert (frame.payload, frame.hardware) == (answer, station.mac.hex(":"))
    return reply


def test_rule_166_a_client_in_a_vrf_is_served_by_that_vrf(
    daemon: Daemon, inside_red: Vrf, station: Station6, ris: FakeServer6
) -> None:
    assert inside_red
    assert_served(station, ris, RED_CORE6, VLAN10)
    assert "listening in VRF red" in daemon.log
    assert "in VRF red" in daemon.log.partition("SOLICIT")[2]


def test_rule_166_others_stay_in_the_default_vrf(
    daemon: Daemon, inside_red: Vrf, bystander: Station6, altiris: FakeServer6
) -> None:
    assert inside_red
    serves(daemon, "vlan20")
    assert_served(bystander, altiris, RELAY_CORE6, VLAN20)


def test_rule_166_a_client_in_a_vrf_does_not_speak_with_a_servers_voice(
    daemon: Daemon, network: Network, inside_red: Vrf, station: Station6, ris: FakeServer6
) -> None:
    """As rule 141: the kernel delivers what comes in by the VLAN with the server's address as source."""
    assert inside_red
    forged = assert_served(station, ris, RED_CORE6, VLAN10)
    before = daemon.status()["counters6"]
    shown = network.relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip()
    relay = bytes.fromhex(shown.replace(":", ""))
    station.send(forged, source=RIS6, destination=VLAN10, hardware=relay, ports=(547, 547))
    key = "server-on-client-interface"
    daemon.wait_for(lambda: daemon.status()["counters6"] != before, PATIENCE)
    after = daemon.status()["counters6"]
    assert after["dropped"][key] - before["dropped"][key] == 1
    assert after["replies"] == before["replies"]


def test_rule_166_an_interface_leaves_a_vrf_without_a_restart(
    daemon: Daemon, network6: Network6, station: Station6, ris: FakeServer6
) -> None:
    assert network6
    serves(daemon, "vlan10")
    assert_served(station, ris, RELAY_CORE6, VLAN10)
