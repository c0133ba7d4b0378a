"""Reloads of a configuration with DHCPv6, and what a daemon with it has in memory."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import BASE, BASE6
from tests.integration.test_footprint import OWN, TELLING
from tests.lab import dhcp6
from tests.lab.daemon import Daemon
from tests.lab.topology import Network
from tests.lab.topology6 import Network6
from tests.lab.wire import FakeServer, Station
from tests.lab.wire6 import FakeServer6, Station6
from tests.unit.messages import request

Start = Callable[..., Daemon]

PATIENCE = 20.0
"""Seconds until something is taken for lost: the machine may be busy."""

MOST_MEMORY = 4 << 10
"""KiB that DHCPv6 takes beside DHCPv4."""


def solicit(station: Station6) -> bytes:
    """Return a SOLICIT of a transaction of its own."""
    return dhcp6.solicit(dhcp6.duid_ll(station.mac), xid=int.from_bytes(os.urandom(3), "big"))


def heard(server: FakeServer6, message: bytes) -> dhcp6.Relayed:
    got = server.receive(PATIENCE)
    assert got
    forward = dhcp6.read_relayed(got[0])
    assert forward.inside == message
    return forward


@pytest.mark.parametrize("by", ["reload", "SIGHUP"])
def test_a_reload_changes_both_families_at_once(
    start: Start, station: Station, server: FakeServer, station6: Station6, server6: FakeServer6, by: str
) -> None:
    daemon = start(BASE6)
    message = solicit(station6)
    station6.send(message)
    assert heard(server6, message).one(dhcp6.INTERFACE_ID) == b"vlan10"
    changed = BASE6.replace("dhcpv6: true", 'dhcpv6: {interface_id: "of {interface}", client_mac: false}')
    if by == "reload":
        assert daemon.reload(changed)["rules"] == 4
    else:
        daemon.config.write_text(changed)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: "reloaded" in daemon.log, PATIENCE)
    message = solicit(station6)
    station6.send(message)
    forward = heard(server6, message)
    assert forward.one(dhcp6.INTERFACE_ID) == b"of vlan10"
    assert forward.mac is None
    station.send(request())
    assert server.receive()


def test_a_configuration_that_does_not_load_leaves_dhcpv6_as_it_is(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    assert "dhcpv6" in daemon.reload(BASE6.replace("dhcpv6: true", "dhcpv6: perhaps"))["error"]
    message = solicit(station6)
    station6.send(message)
    assert heard(server6, message).link == "2001:db8:10:10::1"


def test_a_vlan_may_be_for_one_family(
    start: Start, station: Station, server: FakeServer, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6.replace("vlan10: {}", "vlan10: {dhcpv6: false}"))
    assert "ipv6" not in daemon.interface("vlan10")
    assert daemon.interface("vlan20")["ipv6"]["state"] == "active"
    station6.send(solicit(station6))
    station.send(request())
    assert server.receive()
    assert server6.receive(0.5) is None
    assert daemon.reload(BASE6.replace("vlan10: {}", "vlan10: {dhcpv4: false}"))["rules"] == 4
    assert daemon.interface("vlan10")["state"] == "off"
    station.send(request())
    message = solicit(station6)
    station6.send(message)
    assert heard(server6, message).link == "2001:db8:10:10::1"
    assert server.receive(0.5) is None


def relay_some(station6: Station6, server6: FakeServer6) -> None:
    """Relay a thousand SOLICITs and the answers."""
    for _ in range(1000):
        message = solicit(station6)
        station6.send(message)
        got = server6.receive(PATIENCE)
        assert got
        server6.send(dhcp6.answer(got[0], bytes([dhcp6.ADVERTISE]) + message[1:]), got[1])
    assert len(station6.datagrams(PATIENCE, 1000)) == 1000


def test_dhcpv6_takes_little_memory(
    start: Start,
    network6: Network6,
    station: Station,
    server: FakeServer,
    station6: Station6,
    server6: FakeServer6,
) -> None:
    """Once both families have relayed something."""
    assert network6
    used = {}
    for name, config in (("without", BASE), ("with", BASE6)):
        daemon = start(config, options=())
        for at in range(1000):
            station.send(request(chaddr=f"02:00:00:01:{at >> 8:02x}:{at & 255:02x}"))
            assert server.receive()
        if name == "with":
            relay_some(station6, server6)
        used[name] = resident(daemon.process.pid)
        daemon.stop()
    assert used["with"] - used["without"] <= MOST_MEMORY, used


def resident(pid: int) -> int:
    """Return the KiB of a process that are its own (proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    counts = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines[1:])}
    return counts["Private_Clean"] + counts["Private_Dirty"]


OWN6 = """
daemon.flow6 daemon.healthcheck6 daemon.hearing6 daemon.prober6 daemon.survey6 daemon.traffic6
linux.faces linux.groups linux.inbox6 linux.outbox6 linux.sockets6
policy.ports6 policy.sticky6
relay.account6 relay.decision6 relay.fast_path6 relay.ledger6 relay.network6 relay.outcome6 relay.pipeline6
relay.questions6 relay.relay6 relay.server_ids relay.trace6 relay.transactions6 relay.words6
wire.answer6 wire.batch6 wire.client6 wire.eui64 wire.facts6 wire.form6 wire.frames6 wire.packet6
wire.probe6 wire.relayed6
"""
"""Modules that a daemon has for DHCPv6."""


def test_a_daemon_has_imported_what_dhcpv6_needs_and_no_more(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6, command=(sys.executable, "-c", TELLING), options=())
    message = solicit(station6)
    station6.send(message)
    assert heard(server6, message)
    network.relay.ip("link set vlan20 down", "link set vlan20 up")
    assert daemon.reload(BASE6)["rules"] == 4
    os.kill(daemon.process.pid, signal.SIGUSR1)
    told = Path(f"{daemon.config}.modules")
    daemon.wait_for(lambda: told.exists() and bool(told.read_text()), PATIENCE)
    own = {name.partition(".")[2] for name in told.read_text().split() if name.startswith("pxerelay.")}
    assert own == set(OWN.split()) | set(OWN6.split())
