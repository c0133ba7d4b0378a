"""Client interfaces without Ethernet (packet rule 41): a real tun device on the relay host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.lab.daemon import Daemon
from tests.lab.frames import Checksum, Datagram
from tests.lab.topology import Network
from tests.lab.tunnel import Tunnel, datagrams
from tests.lab.wire import FakeServer
from tests.unit.messages import ACK, NAK, ip, reply, request

Start = Callable[..., Daemon]
OURS, CLIENT = "10.10.90.1", "10.10.90.2"
CONFIG = "max_requests: 0\ndefault: 10.20.0.10\ninterfaces: {tun0: {}}\n"
SECONDS = 0.5


@pytest.fixture
def tunnel(network: Network) -> Iterator[Tunnel]:
    with closing(Tunnel(network.relay, "tun0", OURS, CLIENT)) as tunnel:
        yield tunnel


def answered(tunnel: Tunnel, server: FakeServer, answer: bytes | bytearray) -> list[Datagram]:
    """Have the server answer, and return what comes out of the tunnel: nothing but IP packets."""
    server.send(answer, OURS)
    packets = tunnel.packets(SECONDS)
    assert {packet[0] >> 4 for packet in packets} <= {4, 6}
    return [datagram for datagram in datagrams(packets) if datagram.ports == (67, 68)]


def test_rule_41_a_reply_leaves_a_tun_as_an_ip_packet(
    start: Start, tunnel: Tunnel, server: FakeServer
) -> None:
    daemon = start(CONFIG)
    assert daemon.interface("tun0") == {"state": "active", "giaddr": OURS, "waiting": None}
    tunnel.send(request())
    arrived = server.receive()
    assert arrived is not None
    assert arrived[0][24:28] == ip(OURS)

    offer = reply(yiaddr=CLIENT, giaddr=OURS)
    (datagram,) = answered(tunnel, server, offer)
    assert (datagram.source, datagram.destination) == (OURS, CLIENT)
    assert datagram.checksum is Checksum.GOOD
    assert datagram.payload == bytes(offer)
    assert daemon.status()["counters"]["sent_to_clients"] == 1


@pytest.mark.parametrize("answer", [reply(yiaddr="0.0.0.0", giaddr=OURS), reply(NAK, giaddr=OURS)])
def test_rule_41_so_does_one_for_all(
    start: Start, tunnel: Tunnel, server: FakeServer, answer: bytearray
) -> None:
    start(CONFIG)
    (datagram,) = answered(tunnel, server, answer)
    assert (datagram.destination, datagram.payload) == ("255.255.255.255", bytes(answer))


def test_rule_41_a_client_that_has_an_address_is_answered_there(
    start: Start, tunnel: Tunnel, server: FakeServer
) -> None:
    """As clients of a VPN ask for options alone (DHCPINFORM, RFC 2131, 3.4)."""
    start(CONFIG)
    asked = request()
    asked[12:16] = ip(CLIENT)
    tunnel.send(asked, source=CLIENT)
    assert server.receive() is not None
    (datagram,) = answered(tunnel, server, reply(ACK, yiaddr="0.0.0.0", ciaddr=CLIENT, giaddr=OURS))
    assert datagram.destination == CLIENT


def test_rule_41_22_a_reply_that_is_larger_than_its_mtu_comes_in_fragments(
    start: Start, network: Network, server: FakeServer
) -> None:
    with closing(Tunnel(network.relay, "tun0", OURS, CLIENT, mtu=576)) as tunnel:
        start(CONFIG)
        offer = reply(yiaddr=CLIENT, giaddr=OURS, extra=bytes(900))
        server.send(offer, OURS)
        packets = tunnel.packets(SECONDS)
        assert max(map(len, packets)) <= 576
        (datagram,) = [one for one in datagrams(packets) if one.ports == (67, 68)]
        assert datagram.payload == bytes(offer)
        assert datagram.checksum is Checksum.GOOD


def test_rule_41_a_tunnel_that_goes_is_waited_for(start: Start, network: Network, server: FakeServer) -> None:
    with closing(Tunnel(network.relay, "tun0", OURS, CLIENT)):
        daemon = start(CONFIG)
        assert daemon.interface("tun0")["state"] == "active"
    daemon.wait_for(lambda: daemon.interface("tun0")["waiting"] == "the interface is not there")
    with closing(Tunnel(network.relay, "tun0", OURS, CLIENT)) as tunnel:
        daemon.wait_for(lambda: daemon.interface("tun0")["state"] == "active")
        assert answered(tunnel, server, reply(yiaddr=CLIENT, giaddr=OURS))
