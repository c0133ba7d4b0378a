"""ISC Kea in the place of the boot servers: real clients boot from it, `probe` and `doctor` ask it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pxerelay.wire.facts import Facts
from tests.integration.doctor.conftest import Doctor
from tests.lab import Kea, udhcpc
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import ALTIRIS, Network
from tests.lab.wire import Station

Start = Callable[..., Daemon]

KEA = ALTIRIS
BOOT_FILE, NEXT_SERVER = "kea/pxelinux.0", "10.20.0.77"
CONFIG = f"""\
servers: {{kea: {KEA}}}
default: kea
interfaces:
  vlan10: {{}}
  vlan20: {{}}
"""
ELSEWHERE = {"id": 9, "subnet": "10.99.0.0/24", "pools": [{"pool": "10.99.0.10 - 10.99.0.19"}]}
SOON = ("--seconds", "0.3")
SILENT = ("error", "server-silent", f"kea {KEA}")


@contextmanager
def served(network: Network, **instead: Any) -> Iterator[Kea]:
    """Run Kea, with other members of its configuration than it else has."""
    server = Kea(
        network.altiris.host,
        address=KEA,
        pools=network.altiris.pools,
        bootfile=BOOT_FILE,
        next_server=NEXT_SERVER,
        extra=[json.dumps({name.replace("_", "-"): value for name, value in instead.items()})],
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", autouse=True)
def clients(network: Network) -> None:
    network.add_client("listed", "02:00:00:10:00:01")
    network.add_client("kiosk", "02:00:00:20:00:01", "vlan20")


@pytest.fixture
def kea(network: Network) -> Iterator[Kea]:
    with served(network) as server:
        yield server


@pytest.fixture
def doctor(network: Network, tmp_path: Path) -> Doctor:
    return Doctor(network, tmp_path)


@pytest.mark.usefixtures("kea")
def test_clients_of_each_vlan_boot_from_it(start: Start, network: Network) -> None:
    daemon = start(CONFIG)
    for name, broadcast, part in (("listed", False, "10.10.10"), ("kiosk", True, "10.10.20")):
        lease = udhcpc(network.client(name), broadcast=broadcast)
        assert lease
        assert (lease.bootfile, lease.next_server, lease.server_id) == (BOOT_FILE, NEXT_SERVER, KEA)
        assert lease.address.rpartition(".")[0] == part
    counters = daemon.status()["counters"]
    assert (counters["requests"], counters["replies"], counters["send_failures"]) == (4, 4, 0)


@pytest.mark.usefixtures("kea")
def test_it_takes_option_82_and_the_client_never_sees_it(
    start: Start, doctor: Doctor, network: Network
) -> None:
    """As dhcpd it echoes all of it, and goes on calling itself by its own address (no RFC 5107)."""
    option = '{circuit_id: "{interface}", remote_id: relay-1, server_override: true}'
    daemon = start(f"{CONFIG}option82: {option}\n")
    with closing(Station(network.client("listed"))) as station:
        lease = udhcpc(network.client("listed"))
        datagrams = [datagram for datagram in station.datagrams(0.3) if datagram.port == 68]
    assert lease
    assert (lease.bootfile, lease.server_id) == (BOOT_FILE, KEA)
    assert len(datagrams) >= 2
    assert all(82 not in Facts(datagram.payload).options for datagram in datagrams)
    assert daemon.status()["counters"]["without_option82"] == 0
    assert doctor.of(daemon).finds() == []


@pytest.mark.usefixtures("kea")
def test_probe_finds_what_it_offers(start: Start, network: Network) -> None:
    daemon = start(CONFIG)
    command = [*PXERELAY, "probe", "--socket", str(daemon.socket), "--json", "--interface", "vlan10"]
    done = network.relay.run([*command, "--expect", "kea", "02:00:00:10:00:01"])
    (offer,) = json.loads(done.stdout)["answers"]
    assert (offer["known_as"], offer["identifier"]) == (["kea", KEA], KEA)
    assert (offer["boot_file"], offer["next_server"]) == (BOOT_FILE, NEXT_SERVER)


@pytest.mark.parametrize("socket_type", ["raw", "udp"])
def test_doctor_finds_nothing_wrong_with_it(
    start: Start, doctor: Doctor, network: Network, socket_type: str
) -> None:
    listening = {"interfaces": ["eth0"], "dhcp-socket-type": socket_type}
    with served(network, interfaces_config=listening):
        report = doctor.of(start(CONFIG)).report("--every-interface")
    assert report["findings"] == []
    assert [one["answers"][0]["boot_file"] for one in report["servers"]] == [BOOT_FILE, BOOT_FILE]


def test_without_a_subnet_for_giaddr_it_is_silent_and_its_log_says_what_doctor_tells(
    start: Start, doctor: Doctor, network: Network
) -> None:
    with served(network, subnet4=[ELSEWHERE]) as server:
        said = len(server.log)
        (found,) = doctor.of(start(CONFIG)).report(*SOON)["findings"]
        logged = server.log[said:]
    assert (found["severity"], found["code"], found["subject"]) == SILENT
    (advice,) = [one for one in found["advice"] if "giaddr" in one]
    assert advice.startswith("has it a subnet that giaddr 10.10.10.1 is in? ")
    assert "Kea DHCP4_PACKET_NAK_0001" in advice
    assert logged.count("DHCP4_PACKET_NAK_0001") == 2, "once for the BIOS, once for UEFI"


def test_a_giaddr_outside_of_a_subnet_is_one_of_its_relays(
    start: Start, doctor: Doctor, network: Network
) -> None:
    relayed = {**ELSEWHERE, "relay": {"ip-addresses": ["10.10.10.1"]}}
    with served(network, subnet4=[relayed]):
        report = doctor.of(start(CONFIG)).report("--every-interface", *SOON)
    assert [one["code"] for one in report["findings"]] == ["server-silent"]
    answers = {one["interface"]: one["answers"] for one in report["servers"]}
    assert [one["address"] for one in answers["vlan10"]] == ["10.99.0.10"]
    assert answers["vlan20"] == []


def test_where_its_interface_is_down_at_its_start_it_runs_and_hears_nobody(
    start: Start, doctor: Doctor, network: Network
) -> None:
    host = network.altiris.host
    host.ip("link set eth0 down")
    try:
        with served(network) as server:
            host.ip("link set eth0 up", "route replace 10.10.0.0/16 via 10.20.0.1")
            (found,) = doctor.of(start(CONFIG)).report(*SOON)["findings"]
            assert "DHCPSRV_NO_SOCKETS_OPEN" in server.log
            assert server.process
            assert server.process.poll() is None
    finally:
        host.ip("link set eth0 up", "route replace 10.10.0.0/16 via 10.20.0.1")
    assert (found["severity"], found["code"], found["subject"]) == SILENT
    assert any("DHCPSRV_NO_SOCKETS_OPEN" in one for one in found["advice"])


def test_it_answers_past_its_hosts_routes_and_firewall(
    start: Start, doctor: Doctor, network: Network
) -> None:
    """By default it hears and sends at a raw socket: to where on its link the request came from."""
    host = network.altiris.host
    host.ip("route del 10.10.0.0/16")
    rule = ["INPUT", "-p", "udp", "--dport", "67", "-j", "DROP"]
    host.run(["iptables", "-A", *rule])
    network.relay.sysctl("net.ipv4.conf.core.arp_ignore", 1)  # or it would find giaddr on its link
    try:
        with served(network):
            assert doctor.of(start(CONFIG)).finds() == []
    finally:
        network.relay.sysctl("net.ipv4.conf.core.arp_ignore", 0)
        host.run(["iptables", "-D", *rule])
        host.route("10.10.0.0/16", "10.20.0.1")
