"""Sockets that only send, each out of a buffer of its own (`sockets.open_lane`)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from pxerelay.linux import sockets
from pxerelay.wire.packet import UNSET
from tests.lab.topology import RELAY_CORE, RIS, Network
from tests.lab.wire import FakeServer, inside


def with_lane(network: Network, check: Callable[[socket.socket, socket.socket], None]) -> None:
    """Call with the relay host's UDP socket, and a lane beside it."""
    with (
        inside(network.relay),
        closing(sockets.open_udp()) as main,
        closing(sockets.open_lane(1, main)) as lane,
    ):
        check(main, lane)


@pytest.mark.parametrize(("source", "seen"), [(UNSET, RELAY_CORE), (bytes((10, 10, 10, 1)), "10.10.10.1")])
def test_a_lane_sends_as_the_first_socket_does(
    network: Network, server: FakeServer, source: bytes, seen: str
) -> None:
    control = [(socket.IPPROTO_IP, sockets.IP_PKTINFO, sockets.packet_info(source))]

    def check(main: socket.socket, lane: socket.socket) -> None:
        for sock in (main, lane):
            sock.sendmsg([b"one"], control, 0, (RIS, 67))
            assert server.receive() == (b"one", seen, 67)

    with_lane(network, check)


def test_what_comes_is_heard_by_the_first_socket_alone(network: Network, server: FakeServer) -> None:
    def check(main: socket.socket, lane: socket.socket) -> None:
        for number in range(10):
            server.send(bytes((number,)), RELAY_CORE)
        main.settimeout(1.0)
        assert [main.recv(10) for _ in range(10)] == [bytes((number,)) for number in range(10)]
        with pytest.raises(BlockingIOError):
            lane.recv(10)

    with_lane(network, check)


def test_nobody_else_gets_the_port_beside_a_lane(network: Network) -> None:
    def check(_main: socket.socket, _lane: socket.socket) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(("", 67))

    with_lane(network, check)


def test_there_is_a_lane_where_the_loopback_interface_is_down(network: Network, server: FakeServer) -> None:
    def check(_main: socket.socket, lane: socket.socket) -> None:
        control = [(socket.IPPROTO_IP, sockets.IP_PKTINFO, sockets.packet_info(UNSET))]
        lane.sendmsg([b"one"], control, 0, (RIS, 67))

    network.relay.ip("link set lo down")
    try:
        with_lane(network, check)
        assert server.receive() == (b"one", RELAY_CORE, 67)
    finally:
        network.relay.ip("link set lo up")
