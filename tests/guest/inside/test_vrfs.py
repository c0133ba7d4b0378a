"""VRFs: clients, servers and routers in one; interfaces that move; tests named by packet rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.guest.inside.conftest import running
from tests.integration.wire import FakeServer, Station
from tests.lab import Host, udhcpc
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import ALTIRIS, BOOT_FILES, RELAY_CORE, RIS, Network
from tests.unit.messages import ACK, ip, reply, request

Start = Callable[..., Daemon]

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


@pytest.fixture
def red(network: Network) -> Iterator[Vrf]:
    vrf = Vrf(network)
    yield vrf
    vrf.remove()
    way_back(network, RELAY_CORE)


@pytest.fixture
def inside_red(red: Vrf) -> Vrf:
    """Have vlan10 in the VRF."""
    red.take("vlan10")
    way_back(red.network, RED_CORE)
    return red


@pytest.fixture(scope="module")
def client(network: Network) -> Host:
    return network.add_client("probe", CLIENT)


@pytest.fixture
def station(client: Host) -> Iterator[Station]:
    with closing(Station(client)) as station:
        yield station


@pytest.fixture(scope="module")
def vlan20_client(network: Network) -> Host:
    return network.add_client("probe20", "02:00:00:00:00:20", vlan="vlan20")


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
    (frame,) = station.frames(2.0, stop_after=1)
    assert (frame.destination, frame.ip_source, frame.payload) == (CLIENT, GIADDR, bytes(reply()))


def test_rule_27_a_client_in_a_vrf_is_served_by_that_vrf(
    start: Start, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    daemon = start(CONFIG)
    assert_served(station, ris, by=inside_red.core)
    assert "<6>listening in VRF red\n" in daemon.log
    assert f"the default says ris; sent to ris {RIS} with giaddr {GIADDR} in VRF red\n" in daemon.log
    assert f"{CLIENT}: OFFER from ris {RIS}, address 10.10.10.100; sent to 10.10.10.100" in daemon.log
    assert "<4>" not in daemon.log


def test_rule_27_a_reply_to_ciaddr_goes_by_the_vrfs_routes(
    start: Start, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    start(CONFIG)
    inside_red.network.relay.ip(f"neighbour replace {CLIENT_ADDRESS} lladdr {CLIENT} dev vlan10")
    ris.send(reply(ACK, ciaddr=CLIENT_ADDRESS), GIADDR)
    (frame,) = station.frames(2.0, stop_after=1)
    assert (frame.ip_source, frame.ip_destination) == (GIADDR, CLIENT_ADDRESS)
    assert frame.checksum_ok


def test_rule_27_a_real_client_in_a_vrf_boots(start: Start, inside_red: Vrf, client: Host) -> None:
    start(CONFIG)
    with running(inside_red.network.ris):
        lease = udhcpc(client)
    assert lease
    assert (lease.server_id, lease.bootfile) == (RIS, BOOT_FILES[RIS])


def test_rule_27_an_interface_moves_into_a_vrf_and_out_of_it_without_a_restart(
    start: Start, network: Network, red: Vrf, station: Station, ris: FakeServer
) -> None:
    daemon = start(CONFIG)
    assert "VRF" not in daemon.log
    assert_served(station, ris, by=RELAY_CORE)
    for _ in range(2):
        red.take("vlan10")
        way_back(network, red.core)
        daemon.wait_for(lambda: sockets_on_port_67(daemon) == 2, 1)
        assert_served(station, ris, by=red.core)
        network.relay.ip("link set vlan10 nomaster")
        way_back(network, RELAY_CORE)
        daemon.wait_for(lambda: sockets_on_port_67(daemon) == 1, 1)
        assert_served(station, ris, by=RELAY_CORE)
    assert daemon.log.count("<6>listening in VRF red\n") == 2
    assert daemon.log.count("<6>no longer listening in VRF red\n") == 2


def test_rule_27_a_vrf_that_is_deleted_and_made_again_disturbs_nobody_else(
    start: Start,
    network: Network,
    inside_red: Vrf,
    vlan20_client: Host,
    station: Station,
    ris: FakeServer,
    altiris: FakeServer,
) -> None:
    daemon = start(CONFIG)
    with closing(Station(vlan20_client)) as bystander:
        assert_served(station, ris, by=inside_red.core)
        network.relay.ip("link delete red")
        bystander.send(request())
        assert altiris.receive() is not None
        daemon.wait_for(lambda: "no longer listening in VRF red" in daemon.log, 1)
        way_back(network, RELAY_CORE)
        assert_served(station, ris, by=RELAY_CORE)
        assert sockets_on_port_67(daemon) == 1
        inside_red.create()
        inside_red.take("core-red")
        inside_red.take("vlan10")
        way_back(network, inside_red.core)
        daemon.wait_for(lambda: daemon.log.count("<6>listening in VRF red") == 2, 1)
        assert_served(station, ris, by=inside_red.core)
        bystander.send(request())
        assert altiris.receive() is not None
    assert daemon.status()["interfaces"]["vlan20"]["state"] == "active"


def test_rule_27_a_vrf_that_is_down_is_waited_for(
    start: Start, network: Network, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    daemon = start(CONFIG)
    network.relay.ip("link set red down")
    daemon.wait_for(lambda: daemon.interface("vlan10")["waiting"] == "its VRF red is down", 1)
    network.relay.ip("link set red up")
    daemon.wait_for(lambda: daemon.interface("vlan10")["state"] == "active", 1)
    assert_served(station, ris, by=inside_red.core)


def test_rule_27_one_address_in_two_vrfs_is_two_clients_interfaces(
    start: Start,
    network: Network,
    inside_red: Vrf,
    vlan20_client: Host,
    station: Station,
    ris: FakeServer,
    altiris: FakeServer,
) -> None:
    """vlan20 has the address of vlan10, in a VRF of its own, where altiris is its server."""
    blue = Vrf(network, "blue", 200, "10.20.0.4")
    try:
        blue.take("vlan20")
        network.relay.ip(f"address add {GIADDR}/24 dev vlan20", "address delete 10.10.20.1/24 dev vlan20")
        network.altiris.host.route("10.10.10.0/24", blue.core)
        daemon = start(CONFIG)
        assert {port["state"] for port in daemon.status()["interfaces"].values()} == {"active"}
        with closing(Station(vlan20_client)) as other:
            for chosen, near, by in ((ris, station, inside_red.core), (altiris, other, blue.core)):
                near.send(request())
                arrived = chosen.receive()
                assert arrived is not None
                assert arrived[1] == by
                chosen.send(reply(flags=0x8000), GIADDR)
            assert len(station.frames(0.5)) == 1
            assert len(other.frames(0.5)) == 1
    finally:
        network.relay.ip(f"address delete {GIADDR}/24 dev vlan20", "address add 10.10.20.1/24 dev vlan20")
        blue.remove()
        network.altiris.host.run(["ip", "route", "delete", "10.10.10.0/24"])


def test_rule_27_routers_may_relay_to_us_in_a_vrf(
    start: Start, red: Vrf, ris: FakeServer, altiris: FakeServer
) -> None:
    """No client interface is in it, and the host that is altiris elsewhere is the router here."""
    daemon = start(f"default: ris\nservers: {{ris: {RIS}}}\naccept_relayed_from: [{ALTIRIS}]\n")
    altiris.send(request(giaddr=RELAY_CORE), red.core)
    arrived = ris.receive()
    assert arrived is not None
    assert arrived[0][24:28] == ip(RELAY_CORE), "the router's; ours only in the default VRF"
    assert arrived[1] == red.core
    assert daemon.status()["counters"]["dropped"]["own-giaddr"] == 0


@pytest.mark.usefixtures("inside_red")
def test_rule_27_with_a_giaddr_of_the_default_vrf_servers_are_asked_there(
    start: Start, station: Station, ris: FakeServer
) -> None:
    start(CONFIG.replace("vlan10: {}", f"vlan10: {{giaddr: {RELAY_CORE}}}"))
    station.send(request())
    arrived = ris.receive()
    assert arrived is not None
    assert (arrived[0][24:28], arrived[1]) == (ip(RELAY_CORE), RELAY_CORE)
    ris.send(reply(giaddr=RELAY_CORE), RELAY_CORE)
    (frame,) = station.frames(2.0, stop_after=1)
    assert frame.ip_source == GIADDR, "the reply goes out by link layer, in whatever VRF the clients are"


def test_rule_27_where_one_socket_hears_all_vrfs_there_is_still_one_copy(
    start: Start, network: Network, inside_red: Vrf, station: Station, ris: FakeServer
) -> None:
    network.relay.sysctl("net.ipv4.udp_l3mdev_accept", 1)
    try:
        start(CONFIG)
        assert_served(station, ris, by=inside_red.core)
    finally:
        network.relay.sysctl("net.ipv4.udp_l3mdev_accept", 0)


def test_rule_27_two_capabilities_are_enough_for_vrfs(
    network: Network, inside_red: Vrf, station: Station, ris: FakeServer, tmp_path: Path
) -> None:
    bare = ("setpriv", "--bounding-set=-all,+net_raw,+net_bind_service", "--no-new-privs", *PXERELAY)
    daemon = Daemon(network, tmp_path, CONFIG, command=bare)
    assert_served(station, ris, by=inside_red.core)
    assert daemon.stop() == 0


def sockets_on_port_67(daemon: Daemon) -> int:
    """Count the UDP sockets on port 67 in the daemon's network namespace."""
    lines = Path(f"/proc/{daemon.process.pid}/net/udp").read_text().splitlines()
    return sum(" 00000000:0043 " in line for line in lines)
