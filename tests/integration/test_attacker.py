"""A host on a client VLAN, users of a boot server's host and of the relay host: what they try, and gain.

The victim is a client of vlan10, the attacker sits on vlan20. Each attack worked on a version before.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.benchmark.asking import Asking
from tests.benchmark.messages import request_frames, write_frames
from tests.benchmark.programs import program
from tests.integration.conftest import BASE
from tests.lab import Host
from tests.lab.daemon import Daemon
from tests.lab.topology import RIS, Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.messages import ACK, mac, option, reply, request

Start = Callable[..., Daemon]
FIRST_RETRY = 4.0 - 1.0
"""Seconds until a client asks again, at the earliest (RFC 2131 section 4.1)."""

VICTIM = "02:00:00:00:00:01"
VLAN10, VLAN20 = "10.10.10.1", "10.10.20.1"

POOL = "{addresses: [10.20.0.10], strategy: failover}"
CONFIGS = {
    "plain": BASE,
    "option 82": f'{BASE}option82: {{circuit_id: "{{interface}}"}}\n',
    "a pool": BASE.replace("ris: 10.20.0.10", f"ris: {POOL}"),
    "all": BASE.replace("ris: 10.20.0.10", f"ris: {POOL}") + 'option82: {circuit_id: "{interface}"}\n',
}


@pytest.fixture(scope="module")
def attacker_host(network: Network) -> Host:
    """Add a host to vlan20 that does as it likes."""
    return network.add_client("attacker", "02:00:00:00:66:66", "vlan20")


@pytest.fixture
def attacker(attacker_host: Host) -> Iterator[Station]:
    """Open its interface."""
    with closing(Station(attacker_host)) as opened:
        yield opened


@pytest.fixture(params=CONFIGS)
def text(request: pytest.FixtureRequest) -> str:
    """Return each configuration in turn."""
    return CONFIGS[request.param]


def relay_mac(network: Network, interface: str) -> bytes:
    return mac(network.relay.run(["cat", f"/sys/class/net/{interface}/address"]).stdout.strip())


def heard(station: Station, seconds: float = 0.5) -> list[bytes]:
    """Return what reached a client's port 68."""
    return [one.payload for one in station.datagrams(seconds) if one.port == 68]


def dropped(daemon: Daemon, reason: str) -> int:
    return int(daemon.status()["counters"]["dropped"][reason])


@pytest.mark.parametrize("rp_filter", ["0", "2"])
def test_rule_28_a_client_can_not_speak_for_a_server(
    start: Start,
    network: Network,
    station: Station,
    attacker: Station,
    server: FakeServer,
    text: str,
    rp_filter: str,
) -> None:
    """With a server's source address, and the giaddr of another VLAN; and the server itself is heard."""
    network.relay.sysctl("net.ipv4.conf.all.rp_filter", rp_filter)
    network.relay.sysctl("net.ipv4.conf.vlan20.rp_filter", rp_filter)
    daemon = start(text)
    forged = reply(ACK, flags=0x8000, giaddr=VLAN10)
    for _ in range(3):
        attacker.send(
            forged, source=RIS, destination=VLAN10, ports=(67, 67), hardware=relay_mac(network, "vlan20")
        )
    assert heard(station) == []
    assert dropped(daemon, "server-on-client-interface") == 3
    server.send(forged, VLAN10)
    assert heard(station) == [bytes(forged)]


def test_rule_29_a_user_of_a_boot_servers_host_can_not_speak_for_it(
    start: Start, station: Station, server: FakeServer, network: Network, text: str
) -> None:
    """From a high port, as any user may."""
    daemon = start(text)
    forged = reply(ACK, flags=0x8000, giaddr=VLAN10)
    with closing(FakeServer(network.ris.host, port=50067)) as user:
        user.send(forged, VLAN10)
    assert heard(station) == []
    assert dropped(daemon, "not-from-port-67") == 1
    server.send(forged, VLAN10)
    assert heard(station) == [bytes(forged)]


def test_rule_29_servers_behind_nat_may_answer_from_another_port(
    start: Start, station: Station, network: Network, text: str
) -> None:
    start(f"source_ports: any\n{text}")
    answer = reply(ACK, flags=0x8000, giaddr=VLAN10)
    with closing(FakeServer(network.ris.host, port=50067)) as behind_nat:
        behind_nat.send(answer, VLAN10)
    assert heard(station) == [bytes(answer)]


@pytest.mark.parametrize("own", ["127.0.0.1", VLAN10, "10.20.0.1"])
def test_rule_30_a_user_of_the_relay_host_is_neither_server_nor_router(
    start: Start, station: Station, server: FakeServer, network: Network, text: str, own: str
) -> None:
    wide = "accept_relayed_from: [10.0.0.0/8, 127.0.0.0/8]\naccept_replies_from: [10.0.0.0/8, 127.0.0.0/8]\n"
    daemon = start(text + wide + "source_ports: any\n")
    with inside(network.relay):
        user = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with closing(user):
        user.bind((own, 0))
        for message in (reply(ACK, flags=0x8000, giaddr=VLAN10), request(giaddr="10.30.7.1"), request()):
            user.sendto(message, (VLAN10, 67))
    assert heard(station) == []
    assert server.receive(0.2) is None
    assert dropped(daemon, "from-this-host") == 3


def test_rule_31_who_is_not_of_the_vlan_is_not_its_client(
    start: Start, network: Network, attacker: Station, server: FakeServer, text: str
) -> None:
    """By unicast, through the VLAN's router, from an address of elsewhere."""
    network.relay.sysctl("net.ipv4.conf.all.rp_filter", "0")
    network.relay.sysctl("net.ipv4.conf.vlan20.rp_filter", "0")
    daemon = start(text)
    hardware = relay_mac(network, "vlan20")
    attacker.send(request(), source="198.51.100.7", destination=VLAN20, hardware=hardware)
    assert server.receive(0.3) is None
    assert dropped(daemon, "not-of-this-subnet") == 1


def test_rule_33_a_flood_in_the_victims_name_costs_it_nothing(
    start: Start, station: Station, attacker: Station, server: FakeServer, text: str
) -> None:
    """1000 of them on another VLAN, and all of the victim's own requests pass."""
    daemon = start(text.replace("max_requests: 0", "max_requests: 50"), options=())
    until, mine = time.monotonic() + 1.0, 0
    while time.monotonic() < until:
        for _ in range(50):
            attacker.send(request(chaddr=VICTIM))
        asked = request(chaddr=VICTIM)
        asked[4:8] = (0x51000000 + mine).to_bytes(4, "big")
        station.send(asked)
        mine += 1
        time.sleep(0.04)
    passed = set()
    while (one := server.receive(0.5)) is not None:
        if one[0][4] == 0x51:
            passed.add(one[0][4:8])
    assert mine >= 10
    assert len(passed) == mine
    assert dropped(daemon, "flood") > 0


def test_rule_34_35_messages_made_to_be_slow_pass_or_drop_and_others_go_on(
    start: Start, station: Station, attacker: Station, server: FakeServer, text: str
) -> None:
    """512 options in each; addresses of 16 octets whose numbers have one hash."""
    start(text, options=())
    for number in range(300):
        slow = request(
            chaddr=f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}", extra=option(224, b"") * 512
        )
        odd = request(hlen=16)
        odd[28:44] = (7 + number * ((1 << 61) - 1)).to_bytes(16, "little")
        attacker.send(slow)
        attacker.send(odd)
    asked = request(chaddr=VICTIM)
    asked[4:8] = b"\x51\0\0\1"
    begun = time.monotonic()
    station.send(asked)
    while (one := server.receive(2.0)) is not None and one[0][4:8] != asked[4:8]:
        pass
    assert one is not None
    assert time.monotonic() - begun < 1.5


@pytest.mark.alone
def test_rule_36_a_vlan_at_line_rate_has_others_neither_lose_nor_wait(
    start: Start, client: Host, attacker_host: Host, network: Network, tmp_path: Path, text: str
) -> None:
    """Three seconds of invented clients, each with a vendor class of its own: nothing is known of any.

    They are more than can be relayed, so some are dropped. How long others wait is a figure of
    `make bench ARGS=hostile`; here no client may have to ask twice.
    """
    classes = "classes: [{name: http, vendor_class: HTTP, server: ris}]\n"
    daemon = start(text.replace("max_requests: 0", "max_requests: 50") + classes, options=())
    invented = (
        request(
            chaddr=f"06:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}",
            vendor=b"PXEClient:Arch:00000:UNDI:%06d" % n,
        )
        for n in range(20_000)
    )
    flood = write_frames(tmp_path / "flood", request_frames(map(bytes, invented)))
    with Asking(client, network.ris.host) as asking:
        process = attacker_host.popen([str(program("load")), "eth0", str(flood), "90000", "270000"])
        while process.poll() is None:
            asking.until(time.monotonic() + 0.5)
        asking.until(time.monotonic() + 0.5)
        time.sleep(1.0)
    took = [asking.took(number) for number in asking.asked]
    assert process.returncode == 0
    assert len(took) >= 20
    assert max(took) < FIRST_RETRY, "each of its requests is relayed before the client asks again"
    assert dropped(daemon, "more-than-its-share") > 0


@pytest.mark.parametrize("odd", [{"hlen": 16}, {"htype": 32}])
def test_drop_is_kept_whatever_hardware_address_is_claimed(
    start: Start, attacker: Station, server: FakeServer, text: str, odd: dict[str, int]
) -> None:
    daemon = start(text)
    attacker.send(request(chaddr="02:00:00:de:ad:01", **odd))  # type: ignore[arg-type]  # two of its numbers
    assert server.receive(0.3) is None
    assert dropped(daemon, "mapped-to-drop") == 1
