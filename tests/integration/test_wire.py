"""What is on the wire, frame by frame, at both sides of the relay; tests are named by packet rule."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from pxerelay.wire.agentinfo import sub_options
from pxerelay.wire.facts import Facts
from tests.integration.conftest import BASE
from tests.lab import Host
from tests.lab.daemon import Daemon
from tests.lab.frames import ALL_STATIONS, Checksum, internet_sum
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import ACK, NAK, ip, mac, option, reply, request

Start = Callable[..., Daemon]
MAC = "02:00:00:00:00:01"


@pytest.fixture(scope="module")
def client(network: Network) -> Host:
    host = network.add_client("probe", MAC)
    host.ip("address add 10.10.10.77/24 dev eth0")
    return host


@pytest.fixture
def station(client: Host) -> Iterator[Station]:
    with closing(Station(client)) as station:
        yield station


@pytest.fixture
def server(network: Network) -> Iterator[FakeServer]:
    with closing(FakeServer(network.ris.host)) as server:
        yield server


def test_rule_01_unicast_in_transit_is_not_taken(
    start: Start, network: Network, client: Host, station: Station, server: FakeServer
) -> None:
    """A client renews with its server by unicast; the relay host routes that and must not relay it too."""
    daemon = start()
    client.route("10.20.0.0/24", "10.10.10.1")
    gateway = network.relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip()
    station.send(
        request(),
        source="10.10.10.77",
        destination="10.20.0.10",
        hardware=bytes.fromhex(gateway.replace(":", "")),
    )
    arrived = server.receive()
    assert arrived is not None, "the packet must be routed"
    assert (arrived[0], arrived[1]) == (bytes(request()), "10.10.10.77")
    assert server.receive(0.3) is None
    assert daemon.status()["counters"]["requests"] == 0


def test_rule_01_a_broadcast_from_0_0_0_0_is_taken_without_udp_checksum(
    start: Start, station: Station, server: FakeServer
) -> None:
    start()
    station.send(request())
    assert server.receive() is not None


def test_rule_05_07_13_a_relayed_request_is_patched_and_comes_from_port_67(
    start: Start, station: Station, server: FakeServer
) -> None:
    start()
    station.send(request(extra=option(43, b"\1\2\3")) + b"after the end")
    expected = request(extra=option(43, b"\1\2\3")) + b"after the end"
    expected[3] = 1
    expected[24:28] = ip("10.10.10.1")
    assert server.receive() == (bytes(expected), "10.20.0.1", 67)


@pytest.mark.parametrize(("setting", "source"), [("giaddr", "10.10.10.1"), ("10.10.20.1", "10.10.20.1")])
def test_rule_13_the_source_address_is_the_one_chosen(
    start: Start, station: Station, server: FakeServer, setting: str, source: str
) -> None:
    start(f"{BASE}source_address: {setting}\n")
    station.send(request())
    arrived = server.receive()
    assert arrived is not None
    assert arrived[1:] == (source, 67)


def test_rule_09_no_request_goes_back_as_a_broadcast(start: Start, station: Station) -> None:
    """A server address that is the VLAN's broadcast address: the kernel refuses, and the log says why."""
    daemon = start(BASE.replace("10.20.0.10", "10.10.10.255"))
    station.send(request())
    assert [datagram for datagram in station.datagrams(0.5) if datagram.port == 67] == []
    assert daemon.status()["counters"]["send_failures"] == 1
    assert "could not send to 10.10.10.255" in daemon.log
    assert "it is a broadcast address here" in daemon.log


def test_large_requests_arrive_whole(start: Start, station: Station, server: FakeServer) -> None:
    start()
    padding = b"".join(option(224, bytes(255)) for _ in range(4))
    station.send(request(extra=padding))
    arrived = server.receive()
    assert arrived is not None
    assert len(arrived[0]) == len(request(extra=padding)) > 1200


OPTION82 = f'{BASE}option82: {{circuit_id: "{{interface}}", server_override: true}}\n'


def test_rule_11_a_request_too_large_for_option_82_goes_without_and_is_counted(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(OPTION82)
    for size in (300, 1470):
        station.send(request().ljust(size, b"\0"))
        arrived = server.receive()
        assert arrived is not None
        assert (82 in Facts(arrived[0]).options) is (size == 300)
    assert daemon.status()["counters"]["without_option82"] == 1


def test_rule_38_a_narrow_link_elsewhere_costs_nobody_option_82(
    start: Start, network: Network, station: Station, server: FakeServer
) -> None:
    """Of 576 octets, with an address, and not on the way to any server; a narrow way to the server counts."""
    network.relay.ip(
        "link add narrow type veth peer name other-end",
        "link set narrow mtu 576 up",
        "link set other-end up",
        "address add 10.66.0.1/24 dev narrow",
    )
    try:
        start(OPTION82)
        for mtu, there in ((1500, True), (576, False)):
            network.relay.ip(f"route replace 10.20.0.10/32 dev core mtu {mtu}")
            time.sleep(1.2)  # what is known of a way holds for a second
            station.send(request().ljust(570, b"\0"))
            arrived = server.receive()
            assert arrived is not None
            assert (82 in Facts(arrived[0]).options) is there
    finally:
        network.relay.ip("link delete narrow", "route delete 10.20.0.10/32 dev core")


@pytest.mark.parametrize(
    ("destination", "flags"),
    [("255.255.255.255", b"\0"), ("10.10.10.1", b"\x80")],
    ids=["shouted", "to us alone"],
)
def test_rule_12_the_flags_tell_how_a_request_came(
    start: Start, network: Network, station: Station, server: FakeServer, destination: str, flags: bytes
) -> None:
    """RFC 5010, 3: a renewal that the client sends to the relay, because the server named that (RFC 5107)."""
    start(OPTION82)
    own = mac(network.relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip())
    hardware = ALL_STATIONS if destination == "255.255.255.255" else own
    station.send(request(), destination=destination, hardware=hardware, source="10.10.10.77")
    arrived = server.receive()
    assert arrived is not None
    assert (sub_options(Facts(arrived[0]).options[82]) or {})[10] == flags


def sent_to_client(
    server: FakeServer, station: Station, packet: bytearray, source: str = "10.10.10.1"
) -> object:
    """Have the server send a reply to the relay; return the one datagram that reaches the client's wire."""
    server.send(packet, source)
    (datagram,) = [datagram for datagram in station.datagrams(1.0, stop_after=1) if datagram.port == 68]
    assert datagram.source_port == 67
    assert datagram.checksum is Checksum.GOOD, "rule 21: a correct UDP checksum that is not zero"
    assert datagram.source == source
    assert datagram.payload == bytes(packet), "rule 20: no octet of a reply changes"
    return (datagram.hardware, datagram.destination)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (reply(NAK, yiaddr="0.0.0.0"), ("ff:ff:ff:ff:ff:ff", "255.255.255.255")),
        (reply(ACK, flags=0x8000), ("ff:ff:ff:ff:ff:ff", "255.255.255.255")),
        (reply(ACK), (MAC, "10.10.10.100")),
        (reply(yiaddr="0.0.0.0"), ("ff:ff:ff:ff:ff:ff", "255.255.255.255")),
        (reply(ACK, ciaddr="10.10.10.77"), (MAC, "10.10.10.77")),
    ],
    ids=["nak", "broadcast-flag", "yiaddr-by-link-layer", "proxydhcp-offer", "ciaddr"],
)
def test_rule_19_20_21_replies_reach_the_client(
    start: Start, server: FakeServer, station: Station, packet: bytearray, expected: tuple[str, str]
) -> None:
    start()
    assert sent_to_client(server, station, packet) == expected


@pytest.mark.parametrize(("ciaddr", "address"), [("0.0.0.0", "10.10.10.100"), ("10.10.10.77", "10.10.10.77")])
def test_rule_19_a_client_is_never_asked_for_by_arp(
    start: Start, server: FakeServer, station: Station, ciaddr: str, address: str
) -> None:
    """It may have no address yet; and one that only says so is not to fill the kernel's queues."""
    start()
    server.send(reply(ACK, ciaddr=ciaddr), "10.10.10.1")
    assert station.arp_requests_for(address, 0.5) == 0


def test_rule_39_requests_leave_without_df(start: Start, network: Network, station: Station) -> None:
    """So that a router on the way may fragment them: with ICMP filtered nobody would tell us to."""
    start()
    with closing(Station(network.ris.host)) as wire:
        station.send(request().ljust(900, b"\0"))
        frames = [one.octets for one in wire.arriving(1.0) if one.octets[12:14] == b"\x08\0"]
    relayed = [frame for frame in frames if frame[23] == 17 and frame[36:38] == b"\0\x43"]
    assert relayed
    assert all(not frame[20] & 0x40 for frame in relayed)


@pytest.mark.parametrize("flags", [0, 0x8000])
def test_rule_40_every_frame_to_a_client_has_its_checksum(
    start: Start, server: FakeServer, station: Station, flags: int
) -> None:
    """Also on a veth, where the kernel would leave it out: some clients read frames and know no offload."""
    start()
    for extra in (b"", option(12, b"a"), option(12, b"ab")):  # odd and even lengths
        answer = reply(ACK, flags=flags, extra=extra)
        server.send(answer, "10.10.10.1")
        found = [
            one for one in station.arriving(0.5) if one.octets[12:14] == b"\x08\0" and one.octets[23] == 17
        ]
        (frame,) = [one for one in found if one.octets[36:38] == b"\0\x44"]
        assert not frame.offloaded
        udp = frame.octets[34:]
        assert udp[6:8] != b"\0\0"
        assert internet_sum(frame.octets[26:34] + struct.pack("!HH", 17, len(udp)) + udp) == 0xFFFF


def test_rule_22_a_reply_larger_than_the_mtu_comes_in_fragments(
    start: Start, client: Host, server: FakeServer
) -> None:
    start()
    big = reply(ACK, flags=0x8000, extra=b"".join(option(224, bytes(255)) for _ in range(8)))
    with closing(FakeServer(client, port=68)) as listener:
        server.send(big, "10.10.10.1")
        arrived = listener.receive()
    assert arrived is not None
    assert arrived[0] == bytes(big)
    assert len(big) > 2000


def test_rule_17_a_reply_from_a_stranger_is_dropped_and_counted(
    start: Start, network: Network, station: Station
) -> None:
    daemon = start(BASE.replace("altiris: 10.20.0.20", "altiris: 10.20.0.99"))
    with closing(FakeServer(network.altiris.host)) as stranger:
        stranger.send(reply(ACK), "10.10.10.1")
        assert station.datagrams(0.4) == []
    assert daemon.status()["counters"]["dropped"]["not-a-server"] == 1


def test_rule_17_a_reply_with_a_foreign_giaddr_is_dropped_and_counted(
    start: Start, server: FakeServer, station: Station
) -> None:
    daemon = start()
    server.send(reply(ACK, giaddr="10.10.10.3"), "10.10.10.1")
    assert station.datagrams(0.4) == []
    assert daemon.status()["counters"]["dropped"]["not-our-giaddr"] == 1


def test_rule_06_a_request_that_pretends_to_be_ours_is_dropped(
    start: Start, server: FakeServer, station: Station
) -> None:
    daemon = start(f"{BASE}accept_relayed_from: [0.0.0.0/0]\n")
    station.send(request(giaddr="10.10.10.1"), source="10.10.10.77", destination="10.10.10.255")
    assert server.receive(0.4) is None
    assert daemon.status()["counters"]["dropped"]["own-giaddr"] == 1


def test_rubbish_is_counted_and_others_are_served(start: Start, server: FakeServer, station: Station) -> None:
    daemon = start()
    for junk in (b"", b"\1", bytes(235), b"\xff\1\6" + bytes(300), b"\1\1\xff" + bytes(300)):
        station.send(junk)
    station.send(request())
    assert server.receive() is not None
    dropped = daemon.status()["counters"]["dropped"]
    assert (dropped["truncated"], dropped["bad-op"], dropped["bad-hlen"]) == (3, 1, 1)


def test_a_burst_is_relayed_whole_and_in_order(start: Start, server: FakeServer, station: Station) -> None:
    """More than fits one batch of the receiver."""
    start()
    for number in range(200):
        packet = request()
        packet[4:8] = number.to_bytes(4, "big")
        station.send(packet)
    numbers = []
    while (arrived := server.receive(0.5)) is not None:
        numbers.append(int.from_bytes(arrived[0][4:8], "big"))
    assert numbers == list(range(200))


def test_a_client_that_floods_is_held_to_its_limit_and_others_are_served(
    start: Start, server: FakeServer, station: Station
) -> None:
    daemon = start(BASE.replace("max_requests: 0", "max_requests: 5"))
    for _ in range(40):
        station.send(request())
    station.send(request(chaddr="02:00:00:00:00:02"))
    arrived = []
    while (datagram := server.receive(0.3)) is not None:
        arrived.append(datagram[0][28:34].hex(":"))
    assert arrived.count("02:00:00:00:00:02") == 1
    assert 5 <= arrived.count(MAC) <= 10, "one second's worth, or two if the second changed"
    assert daemon.status()["counters"]["dropped"]["flood"] == 40 - arrived.count(MAC)
    warnings = [line for line in daemon.log.splitlines() if line.startswith("<4>")]
    assert len(warnings) == 1, "logged at a bounded rate"
    assert "this client asks more than `max_requests` times a second" in warnings[0]
