"""Metrics and status of a running daemon with both families, while real clients of both boot."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.integration.conftest import BASE6
from tests.integration.test_metrics import PORT, of, scraped
from tests.lab import Host, dhcp6, udhcpc
from tests.lab.clients6 import dhclient6
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, RELAY_CORE6, RIS6, Network6
from tests.lab.wire6 import FakeServer6, Station6

Start = Callable[..., Daemon]

PATIENCE = 30.0
CONFIG = f'{BASE6}metrics: 127.0.0.1:{PORT}\naccept_relayed_from: ["{ALTIRIS6}/128"]\n'
OF_RIS = {"server": "ris", "address": RIS6, "family": "6"}


@pytest.fixture(scope="module", autouse=True)
def stage(network: Network, network6: Network6) -> Iterator[None]:
    servers = network.ris, network6.ris
    for server in servers:
        server.start()
    yield
    for server in servers:
        server.stop()


def test_both_families_are_counted_by_the_same_names(
    start: Start, network: Network, network6: Network6, client: Host, station6: Station6
) -> None:
    daemon = start(CONFIG, options=())
    assert udhcpc(client)
    assert dhclient6(client, arch=7, vendor_class="PXEClient:Arch:00007:UNDI:003000")
    station6.send(dhcp6.message(dhcp6.ADVERTISE, (dhcp6.CLIENT_ID, dhcp6.duid_ll(station6.mac))))
    router = FakeServer6(network6.altiris.host)
    for number, peer in enumerate(("fe80::ff:fe00:7", "fe80::7")):
        solicit = dhcp6.solicit(b"\0\4" + bytes(15) + bytes((number,)))
        router.send(dhcp6.relayed(12, solicit, peer=peer), RELAY_CORE6)
    router.close()

    def counted() -> bool:
        counters = daemon.status()["counters6"]
        sources = counters["mac_sources"]
        return bool(sources["eui64"] and sources["none"] and counters["dropped"]["not-for-servers"])

    daemon.wait_for(counted, PATIENCE)
    found, status = scraped(network), daemon.status()
    asked = status["counters6"]["requests"]
    assert asked >= 4
    for family in ("4", "6"):
        assert of(found, "pxerelay_requests_total", interface="vlan10", rule="default", family=family) >= 2
        assert of(found, "pxerelay_replies_total", interface="vlan10", family=family) >= 2
        assert of(found, "pxerelay_interface_active", interface="vlan10", family=family) == 1
        assert of(found, "pxerelay_send_failures_total", family=family) == 0
    assert of(found, "pxerelay_server_requests_total", interface="vlan10", **OF_RIS) >= 2
    assert of(found, "pxerelay_server_replies_total", interface="vlan10", **OF_RIS) >= 2
    assert of(found, "pxerelay_server_answered_total", **OF_RIS) >= 1
    assert of(found, "pxerelay_server_answer_seconds_count", **OF_RIS) >= 1
    dropped = {"interface": "vlan10", "reason": "not-for-servers", "family": "6"}
    assert of(found, "pxerelay_dropped_total", **dropped) == 1
    assert of(found, "pxerelay_mac_source_total", source="frame") >= 2
    assert of(found, "pxerelay_mac_source_total", source="eui64") == 1
    assert of(found, "pxerelay_mac_source_total", source="none") == 1
    assert of(found, "pxerelay_mac_source_total", source="option79") == 0

    families = {last["family"] for last in status["clients"]}
    assert families == {4, 6}
    assert {last["mac"] for last in status["clients"]} >= {client_mac(station6), ""}
    assert status["servers"]["ris"][RIS6]["answered"] >= 1
    assert {row["interface"] for row in status["traffic6"]["requests"]} >= {"vlan10"}
    command = [*PXERELAY, "status", "--socket", str(daemon.socket)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "MACs       " in told
    assert "1 by the client's address, 1 by nobody" in told
    assert f"answers    ris {RIS6}, " in told
    assert "of SOLICITs answered, half of them within" in told


def client_mac(station: Station6) -> str:
    return station.mac.hex(":")


def test_without_dhcpv6_nothing_of_it_is_told(start: Start, network: Network, network6: Network6) -> None:
    assert network6
    daemon = start(CONFIG.replace("dhcpv6: true\n", "").split("accept_relayed_from")[0], options=())
    found = scraped(network)
    labels = {dict(labels).get("family") for samples in found.values() for labels in samples}
    assert labels == {None, "4"}
    assert "pxerelay_mac_source_total" not in found
    assert not {"counters6", "traffic6"} & set(daemon.status())
