"""802.1Q: `eth0.10` and `eth0.20` on one trunk, tagged on the wire; tests are named by packet rule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.guest.inside.conftest import Relay, running
from tests.lab import Dnsmasq, Host, udhcpc
from tests.lab.daemon import Daemon
from tests.lab.frames import Checksum, Datagram
from tests.lab.topology import ALTIRIS, BOOT_FILES, RIS, Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import ip, reply, request

SERVERS = f"max_requests: 0\nservers: {{ris: {RIS}, altiris: {ALTIRIS}}}\ndefault: ris\n"
BY_NAME = SERVERS + "interfaces: {eth0.10: {}, eth0.20: {default: altiris}}\n"
CONFIG = SERVERS + 'interfaces: {"eth0*": {}, eth0.20: {default: altiris}}\n'
"""The glob means the parent too."""

GIADDRS = {None: "10.10.99.1", 10: "10.10.10.1", 20: "10.10.20.1"}
"""The relay's address on the parent, and on each VLAN."""


@pytest.fixture(scope="module")
def trunk(network: Network, daemon: Daemon) -> Host:
    """Put the relay's VLANs on one cable, and return the host at its other end."""
    relay, segment = network.relay, network.lab.segment("trunk")
    relay.attach(segment, "eth0", addresses=[f"{GIADDRS[None]}/24"])
    far = network.lab.host("clients")
    far.attach(segment, "eth0", mac="02:00:00:00:00:01")
    for vlan in (10, 20):
        relay.detach(f"vlan{vlan}")
        for host in (relay, far):
            host.ip(
                f"link add link eth0 name eth0.{vlan} type vlan id {vlan}",
                f"link set eth0.{vlan} up",
            )
        relay.ip(f"address add {GIADDRS[vlan]}/24 broadcast + dev eth0.{vlan}")
    daemon.wait_for(lambda: daemon.states() == dict.fromkeys(("eth0", "eth0.10", "eth0.20"), "active"))
    return far


@pytest.fixture
def station(trunk: Host) -> Iterator[Station]:
    with closing(Station(trunk)) as station:
        yield station


def to_clients(station: Station, seconds: float = 0.4) -> list[Datagram]:
    """Return the frames to port 68 that reach the trunk's far end."""
    return [frame for frame in station.datagrams(seconds) if frame.port == 68]


@pytest.mark.parametrize("config", [BY_NAME, CONFIG], ids=["by-name", "by-glob"])
def test_rule_25_each_vlan_is_relayed_once_and_answered_with_its_own_tag(
    relay: Relay, station: Station, ris: FakeServer, altiris: FakeServer, config: str
) -> None:
    relay.configure(config)
    for vlan, chosen, other in ((10, ris, altiris), (20, altiris, ris)):
        station.send(request(), vlan=vlan)
        arrived = chosen.receive()
        assert arrived is not None
        assert arrived[0][24:28] == ip(GIADDRS[vlan])
        assert chosen.receive(0.3) is None, "exactly one copy"
        assert other.receive(0.1) is None
        answers = [
            reply(giaddr=GIADDRS[vlan]),
            reply(giaddr=GIADDRS[vlan], flags=0x8000),
            reply(giaddr=GIADDRS[vlan], yiaddr="0.0.0.0"),
        ]
        for answer in answers:
            chosen.send(answer, GIADDRS[vlan])
        frames = to_clients(station)
        assert [frame.payload for frame in frames] == [bytes(answer) for answer in answers]
        assert {(frame.vlan, frame.source) for frame in frames} == {(vlan, GIADDRS[vlan])}
        assert all(frame.checksum is Checksum.GOOD for frame in frames)
    assert (relay.requests, relay.dropped) == (2, {})


def test_rule_25_the_parent_serves_only_what_has_no_tag(
    relay: Relay, station: Station, ris: FakeServer
) -> None:
    station.send(request())
    arrived = ris.receive()
    assert arrived is not None
    assert arrived[0][24:28] == ip(GIADDRS[None])
    assert ris.receive(0.3) is None
    ris.send(reply(giaddr=GIADDRS[None]), GIADDRS[None])
    (frame,) = to_clients(station)
    assert frame.vlan is None
    station.send(request(), vlan=30)
    assert ris.receive(0.4) is None, "no device has this VLAN: it is nobody's, not the parent's"
    assert (relay.requests, relay.dropped) == (1, {})


def test_rule_25_a_vlan_that_is_not_ours_is_not_relayed_by_its_parent(
    relay: Relay, station: Station, ris: FakeServer
) -> None:
    """Only the parent serves clients: what comes with a tag is the VLAN devices', which are not named."""
    relay.configure(SERVERS + "interfaces: {eth0: {}}\n")
    station.send(request(), vlan=10)
    assert ris.receive(0.4) is None
    assert relay.dropped == {"not-a-client-interface": 1}


@pytest.mark.usefixtures("daemon")
def test_rule_25_real_clients_boot_from_their_vlans_server(network: Network, trunk: Host) -> None:
    other = Dnsmasq(
        network.altiris.host,
        address=ALTIRIS,
        pools=network.altiris.pools,
        bootfile=BOOT_FILES[ALTIRIS],
    )
    with running(network.ris), running(other):
        leases = {vlan: udhcpc(trunk, f"eth0.{vlan}") for vlan in (10, 20)}
    found = {vlan: lease and (lease.address[:9], lease.bootfile) for vlan, lease in leases.items()}
    assert found == {10: ("10.10.10.", BOOT_FILES[RIS]), 20: ("10.10.20.", BOOT_FILES[ALTIRIS])}
