"""Many messages at once, without --debug: what is known takes its shortcut, and crowds go in batches."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.integration.conftest import BASE
from tests.lab import Host
from tests.lab.daemon import Daemon
from tests.lab.topology import ALTIRIS, RIS, Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import ACK, NAK, ip, mac, reply, request

Start = Callable[..., Daemon]

MAPPING = {
    "02:00:00:10:00:01": ALTIRIS,
    "02:80:64:00:00:01": ALTIRIS,
    "52:54:00:12:34:56": ALTIRIS,
    "02:00:00:de:ad:01": None,
    "02:00:00:00:00:77": RIS,
}
"""Clients of vlan10, one of each kind of rule, and the server of each."""

PLENTY = 2500
"""Requests sent as fast as this machine can, which makes them a storm."""


@pytest.fixture
def altiris(network: Network) -> Iterator[FakeServer]:
    """Be the other server."""
    with closing(FakeServer(network.altiris.host)) as server:
        yield server


@pytest.fixture(scope="module")
def neighbour(network: Network) -> Host:
    """Add a client to vlan20."""
    return network.add_client("neighbour", "02:00:00:00:00:02", "vlan20")


def received(server: FakeServer, seconds: float = 0.5) -> list[bytes]:
    """Return what a server gets until there is silence."""
    found = []
    while (datagram := server.receive(seconds)) is not None:
        found.append(datagram[0])
    return found


def relayed(octets: bytes | bytearray, giaddr: str) -> bytes:
    """Return a request as it leaves."""
    return bytes(octets[:3]) + bytes((octets[3] + 1,)) + bytes(octets[4:24]) + ip(giaddr) + bytes(octets[28:])


def test_clients_that_ask_again_are_treated_as_the_first_time(
    start: Start, station: Station, neighbour: Host, server: FakeServer, altiris: FakeServer
) -> None:
    daemon = start(options=())
    expected: dict[str, Counter[bytes]] = {RIS: Counter(), ALTIRIS: Counter()}
    with closing(Station(neighbour)) as other:
        for turn in range(6):
            for chaddr, target in MAPPING.items():
                asked = request(chaddr=chaddr, arch=turn % 2 * 7)
                asked[4:8] = turn.to_bytes(4, "big")
                station.send(asked)
                other.send(asked)
                if target:
                    expected[target][relayed(asked, "10.10.10.1")] += 1
                    expected[ALTIRIS if target == RIS else target][relayed(asked, "10.10.20.1")] += 1
            time.sleep(0.02)
        assert Counter(received(server)) == expected[RIS]
        assert Counter(received(altiris)) == expected[ALTIRIS]
    counters = daemon.status()["counters"]
    assert (counters["requests"], counters["sent_to_servers"]) == (48, 48)
    assert Counter(counters["dropped"]).total() == counters["dropped"]["mapped-to-drop"] == 12


def test_replies_that_come_again_go_out_as_the_first_time(
    start: Start, station: Station, server: FakeServer, altiris: FakeServer
) -> None:
    daemon = start(options=())
    expected = Counter[tuple[str, str, bytes]]()
    everyone = "ff:ff:ff:ff:ff:ff", "255.255.255.255"
    for turn in range(6):
        for sender in (server, altiris):
            client = f"02:00:00:00:01:{turn:02x}", f"10.10.10.{turn + 9}"
            for kind, flags, whom in ((ACK, 0, client), (ACK, 0x8000, everyone), (NAK, 0, everyone)):
                answer = reply(kind, yiaddr=client[1], flags=flags)
                answer[28:34] = mac(client[0])
                sender.send(answer, "10.20.0.1")
                expected[whom[0], whom[1], bytes(answer)] += 1
        time.sleep(0.02)
    found = [each for each in station.datagrams(2.0, stop_after=36) if each.port == 68]
    assert Counter((each.hardware, each.destination, each.payload) for each in found) == expected
    counters = daemon.status()["counters"]
    assert (counters["replies"], counters["sent_to_clients"]) == (36, 36)


def test_a_flood_of_known_requests_is_bounded_and_others_are_served(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(BASE.replace("max_requests: 0", "max_requests: 20"), options=())
    for turn in range(5):
        for _ in range(100):
            station.send(request())
        station.send(request(chaddr="02:00:00:00:00:02"))
        time.sleep(0.01 * turn)
    arrived = Counter(octets[28:34].hex(":") for octets in received(server))
    assert arrived["02:00:00:00:00:02"] == 5
    assert 20 <= arrived["02:00:00:00:00:01"] <= 40, "one second's worth, or two if the second changed"
    counters = daemon.status()["counters"]
    assert counters["dropped"]["flood"] == 500 - arrived["02:00:00:00:00:01"]
    assert counters["requests"] == arrived.total()
    warnings = [line for line in daemon.log.splitlines() if "more than `max_requests` times" in line]
    assert len(warnings) == 1, "logged at a bounded rate"


@pytest.mark.parametrize("size", [300, 700, 1472])
@pytest.mark.parametrize("mtu", [1500, 576])
def test_a_storm_arrives_whole_whatever_the_links_take(
    network: Network, start: Start, station: Station, server: FakeServer, mtu: int, size: int
) -> None:
    """Also where the kernel can't cut what is sent at once into datagrams of this size."""
    network.relay.ip(f"link set core mtu {mtu}")
    daemon = start(options=())
    wanted = []
    for number in range(PLENTY):
        asked = request(chaddr=f"02:00:00:02:{number >> 8:02x}:{number & 255:02x}").ljust(size, b"\0")
        station.send(asked)
        wanted.append(relayed(asked, "10.10.10.1"))
    found = received(server, 1.0)
    network.relay.ip("link set core mtu 1500")
    assert sorted(found) == sorted(wanted)
    counters = daemon.status()["counters"]
    assert (counters["requests"], counters["send_failures"], counters["not_received"]) == (PLENTY, 0, 0)


def test_a_crowd_reaches_a_server_that_reads_the_wire(
    network: Network, start: Start, station: Station
) -> None:
    """ISC dhcpd reads frames at the end of a veth pair, where a group sent at once would be one datagram."""
    daemon = start(BASE.replace("default: ris", "default: altiris"), options=())
    network.altiris.start()
    try:
        for number in range(60):
            station.send(request(chaddr=f"02:00:00:03:00:{number:02x}"))
        daemon.wait_for(lambda: daemon.status()["counters"]["sent_to_servers"] == 60)
        daemon.wait_for(lambda: len(_heard(network)) == 60, 5.0)
        assert _heard(network) == {f"02:00:00:03:00:{number:02x}" for number in range(60)}
    finally:
        network.altiris.stop()


def _heard(network: Network) -> set[str]:
    return set(re.findall(r"DHCPDISCOVER from (02:00:00:03:\S+)", network.altiris.log))


def test_one_clients_claims_do_not_hold_up_the_requests_of_others(
    network: Network, start: Start, station: Station, server: FakeServer, altiris: FakeServer
) -> None:
    """A client that says it has addresses which nobody has, and is answered: nothing waits for ARP."""
    daemon = start(options=())
    for number in range(600):
        answer = reply(ACK, ciaddr=f"10.10.10.{2 + number % 250}", yiaddr="0.0.0.0")
        server.send(answer, "10.20.0.1")
    daemon.wait_for(lambda: daemon.status()["counters"]["replies"] == 600)
    for number in range(20):
        station.send(request(chaddr=f"02:80:64:00:00:{number:02x}"))
    assert len(received(altiris)) == 20
    assert daemon.status()["counters"]["send_failures"] == 0
    neighbours = network.relay.run(["ip", "neigh", "show", "dev", "vlan10"]).stdout
    assert "INCOMPLETE" not in neighbours
    assert "FAILED" not in neighbours
