"""Real clients, real servers, the relay between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv4Network

import pytest

from pxerelay.wire.facts import Facts
from tests.integration.conftest import BASE
from tests.lab import Dnsmasq, Host, udhcpc
from tests.lab.daemon import Daemon
from tests.lab.servers import Pool
from tests.lab.topology import ALTIRIS, BOOT_FILES, CLIENTS, RIS, Network
from tests.lab.trial import boot
from tests.lab.wire import Station

Start = Callable[..., Daemon]


@pytest.fixture(scope="module", autouse=True)
def stage(network: Network) -> Iterator[None]:
    for server in network.servers:
        server.start()
    for client in CLIENTS:
        network.add_client(client.name, client.mac)
    network.add_client("kiosk", "02:00:00:20:00:01", "vlan20")
    yield
    for server in network.servers:
        server.stop()


def test_each_client_of_one_vlan_boots_from_its_own_server(start: Start, network: Network) -> None:
    daemon = start()
    outcomes = boot(network, CLIENTS)
    assert [(outcome.client.name, outcome.offered) for outcome in outcomes if not outcome.ok] == []
    counters = daemon.status()["counters"]
    assert counters["dropped"]["mapped-to-drop"] >= 1
    assert counters["send_failures"] == 0


def test_debug_tells_the_story_of_a_boot(start: Start, network: Network) -> None:
    daemon = start()
    assert udhcpc(network.client("listed"))
    story = [
        line for line in daemon.log.splitlines() if "02:00:00:10:00:01" in line and line.startswith("<7>")
    ]
    assert any(
        "on vlan10: DISCOVER (PXEClient, x86 BIOS), "
        f"rule 02:00:00:10:00:01 ({daemon.config}:8) says altiris; "
        "sent to altiris 10.20.0.20 with giaddr 10.10.10.1" in line
        for line in story
    )
    assert any(
        "OFFER from altiris 10.20.0.20" in line and "boot file altiris/bstrap.0" in line for line in story
    )
    assert any("ACK from altiris" in line and "on vlan10" in line for line in story)


def test_a_client_of_another_vlan_gets_that_vlans_default(start: Start, network: Network) -> None:
    start()
    lease = udhcpc(network.client("kiosk"))
    assert lease
    assert lease.address.startswith("10.10.20.")
    assert lease.bootfile == BOOT_FILES[ALTIRIS]


def test_a_client_that_wants_broadcast_gets_it(start: Start, network: Network) -> None:
    daemon = start()
    lease = udhcpc(network.client("default"), broadcast=True)
    assert lease
    assert lease.bootfile == BOOT_FILES[RIS]
    assert "OFFER from ris 10.20.0.10" in daemon.log
    assert "sent to everyone on vlan10" in daemon.log


def test_a_mapping_line_removed_moves_the_client_at_a_reload(start: Start, network: Network) -> None:
    daemon = start()
    client = network.client("listed")
    before = udhcpc(client)
    answer = daemon.reload(BASE.replace('  "02:00:00:10:00:01": altiris\n', ""))
    after = udhcpc(client)
    assert before
    assert after
    assert (before.bootfile, after.bootfile) == (BOOT_FILES[ALTIRIS], BOOT_FILES[RIS])
    assert answer["rules"] == 3


def test_pxe_only_sends_others_to_the_dhcp_servers(start: Start, network: Network) -> None:
    """The boot server altiris never hears a client that is not booting from the network."""
    start(f"{BASE}dhcp_servers: [ris]\npxe_only: true\n")
    heard = len(network.altiris.log)
    lease = udhcpc(network.client("listed"), vendor_class=None, arch=None)
    assert lease
    assert lease.server_id == RIS
    assert "02:00:00:10:00:01" not in network.altiris.log[heard:]


@pytest.fixture(scope="module")
def branch(network: Network) -> Iterator[Host]:
    """Put a client behind a router that relays to us; the router's relay agent is dnsmasq's."""
    router, client = network.lab.host("router"), network.lab.host("branch")
    lan = network.lab.segment("lan")
    router.attach(network.segments["core"], "core", addresses=["10.20.0.30/24"])
    router.attach(lan, "lan", addresses=["10.30.0.1/24"])
    router.sysctl("net.ipv4.ip_forward", 1)
    client.attach(lan, "eth0", mac="02:80:64:00:00:30")
    for server in network.servers:
        server.host.route("10.30.0.0/24", "10.20.0.30")
    helper = [
        "dnsmasq",
        "--keep-in-foreground",
        "--port=0",
        "--user=root",
        "--conf-file=/dev/null",
        "--pid-file",
    ]
    process = router.popen(
        [*helper, "--dhcp-relay=10.30.0.1,10.20.0.1", "--log-facility=-"], log="router.log"
    )
    yield client
    process.terminate()
    process.wait(timeout=5)


def test_a_client_behind_a_router_is_answered_straight_through_it(
    start: Start, network: Network, branch: Host
) -> None:
    far = network.lab.host("boot3")
    far.attach(network.segments["core"], "eth0", addresses=["10.20.0.50/24"])
    far.route("10.30.0.0/24", "10.20.0.30")
    server = Dnsmasq(
        far,
        address="10.20.0.50",
        pools=[Pool(IPv4Network("10.30.0.0/24"), "10.30.0.100", "10.30.0.149")],
        bootfile="far.0",
    )
    server.start()
    config = BASE.replace("altiris: 10.20.0.20", "altiris: 10.20.0.50") + "accept_relayed_from: [10.30.0.1]\n"
    daemon = start(config)
    lease = udhcpc(branch)
    server.stop()
    assert lease
    assert (lease.bootfile, lease.address.rpartition(".")[0]) == ("far.0", "10.30.0")
    assert "rule 02:80:64" in daemon.log
    assert "with giaddr 10.30.0.1" in daemon.log
    counters = daemon.status()["counters"]
    assert counters["requests"] >= 2
    assert counters["replies"] == 0, "the server answers the router, not us"


def test_a_router_that_is_not_named_may_not_relay_to_us(start: Start, branch: Host) -> None:
    daemon = start()
    assert udhcpc(branch, tries=2) is None
    assert daemon.status()["counters"]["dropped"]["relay-not-accepted"] >= 2


@pytest.mark.parametrize(
    ("name", "boot_file", "server_id"),
    [("listed", BOOT_FILES[ALTIRIS], ALTIRIS), ("default", BOOT_FILES[RIS], "10.10.10.1")],
    ids=["dhcpd", "dnsmasq"],
)
def test_servers_take_option_82_and_the_client_never_sees_it(
    start: Start, network: Network, name: str, boot_file: str, server_id: str
) -> None:
    """Both servers echo it; dnsmasq also calls itself as server_override says, which dhcpd does not know."""
    start(f'{BASE}option82: {{circuit_id: "{{interface}}", remote_id: relay-1, server_override: true}}\n')
    with closing(Station(network.ris.host)) as at_ris, closing(Station(network.altiris.host)) as at_altiris:
        with closing(Station(network.client(name))) as station:
            lease = udhcpc(network.client(name))
            datagrams = [datagram for datagram in station.datagrams(0.3) if datagram.port == 68]
        asked = [
            Facts(datagram.payload).options for datagram in at_ris.datagrams(0.1) + at_altiris.datagrams(0.1)
        ]
    assert lease
    assert (lease.bootfile, lease.server_id) == (boot_file, server_id)
    assert len(datagrams) >= 2
    assert all(82 not in Facts(datagram.payload).options for datagram in datagrams)
    assert asked
    assert all(options[82].startswith(b"\x01\x06vlan10\x02\x07relay-1\x0b\x04") for options in asked)
