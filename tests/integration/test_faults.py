"""A fault of ours in one batch: told with where it is, and the next batch is relayed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address

import pytest

from pxerelay.config import config, document
from pxerelay.daemon.traffic4 import Traffic4
from pxerelay.linux import sockets
from pxerelay.policy.links import Link
from pxerelay.policy.ports import assign
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.relay import Relay
from tests.integration.conftest import BASE
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.messages import request

GIADDR = "10.10.10.1"


@pytest.fixture
def relaying(network: Network) -> Iterator[tuple[Traffic4, socket.socket]]:
    """Relay in this process on the relay host's sockets; return what does, and the socket that hears."""
    with inside(network.relay):
        udp, link = sockets.open_udp(), sockets.open_link()
        index = socket.if_nametoindex("vlan10")
    built = config.build(document.parse("pxerelay.yml", BASE))
    links = (Link(index, "vlan10", up=True, mtu=1500, addresses=(IPv4Address(GIADDR),)),)
    with closing(udp), closing(link):
        traffic = Traffic4(udp, link)
        traffic.obey(Relay(built, assign(built, links), links), {index: "vlan10"})
        yield traffic, udp
        traffic.close()


def test_a_batch_that_meets_a_fault_takes_no_other_along(
    relaying: tuple[Traffic4, socket.socket],
    station: Station,
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was to be sent of it is forgotten: its memory has other messages by then."""
    traffic, udp = relaying
    lost, relayed = request(chaddr="02:00:00:30:00:01"), request(chaddr="02:00:00:30:00:02")
    with monkeypatch.context() as patch:
        patch.setattr(FastPath, "decide", _fail)
        station.send(lost)
        assert traffic.readable(udp).datagrams == 1
    assert "a fault of pxerelay: up to 1 messages were lost" in caplog.text
    assert "this one" in caplog.text
    station.send(relayed)
    assert traffic.readable(udp).datagrams == 1
    heard = server.receive()
    assert heard
    assert heard[0][28:34] == relayed[28:34]
    assert server.receive(0.3) is None


def test_a_fault_in_the_bookkeeping_loses_no_message(
    relaying: tuple[Traffic4, socket.socket],
    station: Station,
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where memory is short it is for want of some to count in; what was decided is sent before that."""
    traffic, udp = relaying
    monkeypatch.setattr(traffic.ledger, "enter", _no_memory)
    asked = request(chaddr="02:00:00:30:00:03")
    station.send(asked)
    assert traffic.readable(udp).datagrams == 1
    heard = server.receive()
    assert heard
    assert heard[0][28:34] == asked[28:34]
    assert "up to 1 messages were not counted" in caplog.text


def _no_memory(*_: object) -> None:
    raise MemoryError


def _fail(*_: object) -> None:
    raise IndexError("this one")
