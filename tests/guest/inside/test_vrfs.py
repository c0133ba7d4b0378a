"""VRFs: clients, servers and routers in one; interfaces that move; tests named by packet rule."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pxerelay.linux import sockets
from tests.guest.inside.conftest import Relay, running, sockets_on_port_67
from tests.lab import Host, udhcpc
from tests.lab.daemon import Daemon
from tests.lab.frames import Checksum
from tests.lab.topology import ALTIRIS, BOOT_FILES, RELAY_CORE, RIS, Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.messages import ACK, ip, reply, request

CONFIG = f"""\
max_requests: 0
servers: {{ris: {RIS}, altiris: {ALTIRIS}}}
default: ris
interfaces: {{vlan10: {{}}, vlan20: {{default: altiris}}}}
"""
GIADDR, CLIENT, CLIENT_ADDRESS = "10.10.10.1", "02:00:00:00:00:01", "10.10.10.77"
RED_CORE = "10.20.0.3"
"""The relay's address at the servers, in the VRF."""


class Vrf:
    """A VRF on the relay host, with an interface of its own at the servers."""

    def __init__(self, network: Network, name: str = "red", table: int = 100, core: str = RED_CORE) -> None:
        self.network, self.name, self.core, self._table = network, name, core, table
        self.create()
        mac = f"02:00:00:00:00:{table:02x}"  # the same each time, for the servers keep it in mind
        network.relay.attach(network.segments["core"], f"core-{name}", mac=mac, addresses=[f"{core}/24"])
        self.take(f"core-{name}")

    def create(self) -> None:
        """Make the VRF device."""
        self.network.relay.ip(
            f"link add {self.name} type vrf table {self._table}", f"link set {self.name} up"
        )

    def take(self, interface: str) -> None:
        """Move an interface into the VRF."""
        self.network.relay.ip(f"link set {interface} master {self.name}")

    def remove(self) -> None:
        """Take away the device, if it is still there, and what belongs to it."""
        self.network.relay.run(["ip", "link", "delete", self.name], check=False)
        self.network.relay.detach(f"core-{self.name}")


def settled(daemon: Daemon, vrfs: int) -> None:
    """Wait until the daemon hears so many VRFs, and all its interfaces are active."""
    daemon.wait_for(
        lambda: sockets_on_port_67(daemon) == 1 + vrfs and set(daemon.states().values()) <= {"active"},
    )


@pytest.fixture
def red(network: Network, daemon: Daemon) -> Iterator[Vrf]:
    vrf = Vrf(network)
    yield vrf
    vrf.remove()
    way_back(network, RELAY_CORE)
    settled(daemon, vrfs=0)


@pytest.fixture
def inside_red(red: Vrf, daemon: Daemon) -> Vrf:
    """Have vlan10 in the VRF."""
    red.take("vlan10")
    way_back(red.network, red.core)
    settled(daemon, vrfs=1)
    return red


@pytest.fixture(scope="module")
def client(network: Network) -> Host:
    return network.add_client("probe", CLIENT)


@pytest.fixture
def station(client: Host) -> Iterator[Station]:
    with closing(Station(client)) as station:
        yield station


@pytest.fixture(scope="module")
def bystander_host(network: Network) -> Host:
    return network.add_client("bystander", "02:00:00:00:00:20", vlan="vlan20")


@pytest.fixture
def bystander(bystander_host: Host) -> Iterator[Station]:
    """Return a client of vlan20."""
    with closing(Station(bystander_host)) as station:
        yield station


def way_back(network: Network, gateway: str) -> None:
    """Have the boot server ris reach vlan10 by this address of the relay host."""
    network.ris.host.route("10.10.10.0/24", gateway)


def assert_served(station: Station, server: FakeServer, by: str) -> None:
    """Fail unless a request reaches the server once, from the address `by`, and the reply comes back."""
    station.send(request())
    arrived = server.receive()
    assert arrived is not None
    payload, source, port = arrived
    assert (payload[24:28], source, port) == (ip(GIADDR), by, 67)
    assert server.receive(0.3) is None, "exactly one copy"
    server.send(reply(), GIADDR)
    (frame,) = station.datagrams(2.0, stop_after=1)
    assert (frame.hardware, frame.source, frame.payload) == (CLIENT, GIADDR, bytes(reply()))


def test_rule_27_a_client_in_a_vrf_is_served_by_that_vrf(
    relay: Relay, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    assert_served(station, ris, by=inside_red.core)
    relay.must_say("<6>listening in VRF red\n")
    relay.must_say(f"the default says ris; sent to ris {RIS} with giaddr {GIADDR} in VRF red\n")
    relay.must_say(f"{CLIENT}: OFFER from ris {RIS}, address 10.10.10.100; sent to 10.10.10.100")
    assert "<4>" not in relay.log
    assert (relay.requests, relay.dropped) == (1, {})


def test_a_probe_knows_which_vrf_a_server_is_reached_from(network: Network, red: Vrf) -> None:
    outside = "198.51.100.1"
    with inside(network.relay):
        assert sockets.route_source(RIS) == ip(RELAY_CORE)
        vrf = socket.if_nametoindex(red.name)
        assert sockets.route_source(RIS, vrf) == ip(red.core)
        with pytest.raises(OSError, match="unreachable"):
            sockets.route_source(outside, vrf)
        network.relay.ip(f"route add {outside} dev core-red vrf red")
        assert sockets.route_source(outside, vrf) == ip(red.core)
        with pytest.raises(OSError, match="unreachable"):
            sockets.route_source(outside)


@pytest.mark.usefixtures("inside_red")
def test_rule_27_a_reply_to_ciaddr_reaches_the_client_in_the_vrf(station: Station, ris: FakeServer) -> None:
    ris.send(reply(ACK, ciaddr=CLIENT_ADDRESS), GIADDR)
    (frame,) = station.datagrams(2.0, stop_after=1)
    assert (frame.source, frame.destination, frame.hardware) == (GIADDR, CLIENT_ADDRESS, CLIENT)
    assert frame.checksum is Checksum.GOOD


def test_rule_27_a_real_client_in_a_vrf_boots(inside_red: Vrf, client: Host) -> None:
    with running(inside_red.network.ris):
        lease = udhcpc(client)
    assert lease
    assert (lease.server_id, lease.bootfile) == (RIS, BOOT_FILES[RIS])


def test_rule_27_an_interface_moves_into_a_vrf_and_out_of_it_without_a_restart(
    relay: Relay, network: Network, red: Vrf, station: Station, ris: FakeServer
) -> None:
    assert_served(station, ris, by=RELAY_CORE)
    assert "VRF" not in relay.log
    for _ in range(2):
        red.take("vlan10")
        way_back(network, red.core)
        settled(relay.daemon, vrfs=1)
        assert_served(station, ris, by=red.core)
        network.relay.ip("link set vlan10 nomaster")
        way_back(network, RELAY_CORE)
        settled(relay.daemon, vrfs=0)
        assert_served(station, ris, by=RELAY_CORE)
    assert relay.log.count("<6>listening in VRF red\n") == 2
    assert relay.log.count("<6>no longer listening in VRF red\n") == 2


def test_rule_27_a_vrf_that_is_deleted_and_made_again_disturbs_nobody_else(
    relay: Relay,
    network: Network,
    inside_red: Vrf,
    station: Station,
    bystander: Station,
    ris: FakeServer,
    altiris: FakeServer,
) -> None:
    network.relay.ip("link delete red")
    bystander.send(request())
    assert altiris.receive() is not None
    settled(relay.daemon, vrfs=0)
    way_back(network, RELAY_CORE)
    assert_served(station, ris, by=RELAY_CORE)
    inside_red.create()
    inside_red.take("core-red")
    inside_red.take("vlan10")
    way_back(network, inside_red.core)
    settled(relay.daemon, vrfs=1)
    assert_served(station, ris, by=inside_red.core)
    bystander.send(request())
    assert altiris.receive() is not None
    assert "interface vlan20" not in relay.log, "it never waited"
    assert "<4>" not in relay.log


def test_rule_27_a_vrf_that_is_down_is_waited_for(
    daemon: Daemon, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    inside_red.network.relay.ip("link set red down")
    daemon.wait_for(lambda: daemon.interface("vlan10")["waiting"] == "its VRF red is down")
    inside_red.network.relay.ip("link set red up")
    settled(daemon, vrfs=1)
    assert_served(station, ris, by=inside_red.core)


def test_rule_27_one_address_in_two_vrfs_is_two_client_interfaces(
    daemon: Daemon,
    inside_red: Vrf,
    blue: Vrf,
    station: Station,
    bystander: Station,
    ris: FakeServer,
    altiris: FakeServer,
) -> None:
    settled(daemon, vrfs=2)
    for server, near, by in ((ris, station, inside_red.core), (altiris, bystander, blue.core)):
        near.send(request())
        arrived = server.receive()
        assert arrived is not None
        assert (arrived[0][24:28], arrived[1]) == (ip(GIADDR), by)
        server.send(reply(flags=0x8000), GIADDR)
    assert len(station.datagrams(0.5)) == 1
    assert len(bystander.datagrams(0.5)) == 1


@pytest.fixture
def blue(network: Network, daemon: Daemon) -> Iterator[Vrf]:
    """Have vlan20 in a VRF of its own, with the address of vlan10, and altiris as its server."""
    vrf = Vrf(network, "blue", 200, "10.20.0.4")
    own = "10.10.20.1/24 dev vlan20"
    vrf.take("vlan20")
    network.relay.ip(f"address add {GIADDR}/24 dev vlan20", f"address delete {own}")
    network.altiris.host.route("10.10.10.0/24", vrf.core)
    daemon.wait_for(lambda: daemon.interface("vlan20")["giaddr"] == GIADDR)
    yield vrf
    network.relay.ip(f"address delete {GIADDR}/24 dev vlan20", f"address add {own}")
    network.altiris.host.ip("route delete 10.10.10.0/24")
    vrf.remove()
    daemon.wait_for(lambda: daemon.interface("vlan20")["giaddr"] == "10.10.20.1")


def test_rule_27_routers_may_relay_to_us_in_a_vrf(
    relay: Relay, red: Vrf, ris: FakeServer, altiris: FakeServer
) -> None:
    """No client interface is in it, and the host that is altiris elsewhere is the router here.

    It asks again, as clients do, for nothing tells when the daemon has heard of the VRF's last interface.
    """
    relay.configure(f"default: ris\nservers: {{ris: {RIS}}}\naccept_relayed_from: [{ALTIRIS}]\n")
    arrived = None
    for _ in range(5):
        if arrived is None:
            altiris.send(request(giaddr=RELAY_CORE), red.core)
            arrived = ris.receive(0.5)
    assert arrived is not None
    assert arrived[0][24:28] == ip(RELAY_CORE), "ours in the default VRF, but here it is the router's"
    assert arrived[1] == red.core


def test_rule_27_with_a_giaddr_of_the_default_vrf_servers_are_asked_there(
    relay: Relay, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    relay.configure(CONFIG.replace("vlan10: {}", f"vlan10: {{giaddr: {RELAY_CORE}}}"))
    station.send(request())
    arrived = ris.receive()
    assert arrived is not None
    assert (arrived[0][24:28], arrived[1]) == (ip(RELAY_CORE), RELAY_CORE), f"not {inside_red.core}"
    ris.send(reply(giaddr=RELAY_CORE), RELAY_CORE)
    (frame,) = station.datagrams(2.0, stop_after=1)
    assert frame.source == GIADDR, "the reply goes out by link layer, in whatever VRF the clients are"


def test_rule_27_where_one_socket_hears_all_vrfs_there_is_still_one_copy(
    relay: Relay, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    host = inside_red.network.relay
    host.sysctl("net.ipv4.udp_l3mdev_accept", 1)
    try:
        assert_served(station, ris, by=inside_red.core)
    finally:
        host.sysctl("net.ipv4.udp_l3mdev_accept", 0)
    assert relay.requests == 1


def test_rule_27_two_capabilities_are_enough_for_all_that(daemon: Daemon) -> None:
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (held,) = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")]
    assert int(held, 16) == 1 << 10 | 1 << 13, "CAP_NET_BIND_SERVICE and CAP_NET_RAW"


def test_rule_27_28_a_client_can_not_speak_for_a_server_of_its_vrf_or_of_another(
    inside_red: Vrf, relay: Relay, station: Station, bystander: Station, ris: FakeServer
) -> None:
    """By the VRF's routes, and by those of the VLAN that it sits on; the server itself is heard."""
    forged = reply(ACK, flags=0x8000)
    for attacker, interface in ((station, "vlan10"), (bystander, "vlan20")):
        text = inside_red.network.relay.run(["cat", f"/sys/class/net/{interface}/address"]).stdout
        hardware = bytes.fromhex(text.strip().replace(":", ""))
        attacker.send(forged, source=RIS, destination=GIADDR, ports=(67, 67), hardware=hardware)
    assert [one for one in station.datagrams(0.5) if one.port == 68] == []
    assert "server-on-client-interface" in relay.dropped
    assert_served(station, ris, inside_red.core)
