"""Whose frame a DHCPv6 message came in, and what is said where that is not known."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import pytest

from pxerelay.linux import faces, sockets6
from pxerelay.linux.faces import Faces
from pxerelay.linux.groups import Groups
from pxerelay.linux.inbox6 import Inbox6
from pxerelay.wire.batch6 import Batch6
from pxerelay.wire.packet6 import ALL_RELAYS_AND_SERVERS
from tests.lab.frames6 import link_local
from tests.lab.topology import Network
from tests.lab.topology6 import Network6
from tests.lab.wire import inside
from tests.lab.wire6 import Station6

OTHER = bytes.fromhex("020000000077")
PRIVATE = "fe80::1234:5678:9abc:def0"


class Heard(NamedTuple):
    """What hears on the relay host."""

    udp: socket.socket
    inbox: Inbox6
    faces: Faces

    def batch(self, count: int) -> Batch6:
        """Return the next datagrams, once so many are there, without a look at their frames."""
        self.udp.settimeout(20.0)
        self.udp.recv(1, socket.MSG_PEEK)
        self.udp.setblocking(False)
        batch = self.inbox.receive(self.udp)
        assert len(batch) == count
        return batch


@pytest.fixture
def heard(network: Network, network6: Network6) -> Iterator[Heard]:
    assert network6
    with ExitStack() as stack:
        with inside(network.relay):
            udp = stack.enter_context(sockets6.open_udp())
            found = stack.enter_context(closing(Faces()))
            groups = stack.enter_context(closing(Groups(ALL_RELAYS_AND_SERVERS)))
            groups.follow({socket.if_nametoindex("vlan10")})
        assert not groups.failed
        yield Heard(udp, Inbox6(), found)


def test_each_datagram_has_its_own_frame(heard: Heard, station6: Station6) -> None:
    """Also where a hundred come from one address in frames of two hosts by turns."""
    for _ in range(50):
        station6.send(b"\1abc")
        station6.send(b"\1abc", sender=OTHER)
    batch = heard.batch(100)
    heard.faces.look(batch.newest)
    macs = [heard.faces.behind(batch.datagram(at)) for at in range(100)]
    assert macs == [station6.mac, OTHER] * 50
    index = batch.interfaces[0]
    address = socket.inet_pton(socket.AF_INET6, station6.address)
    assert heard.faces.known(index, address) == OTHER
    station6.send(b"\1abc")
    batch = heard.batch(1)
    heard.faces.look(batch.newest)
    assert heard.faces.behind(batch.datagram(0)) == station6.mac
    assert heard.faces.known(index, address) is None, "the address itself says it"


def test_a_message_in_fragments_has_one_too(heard: Heard, station6: Station6) -> None:
    station6.send(b"\1abc" + bytes(5000), source=PRIVATE)
    station6.send(b"\1abc" + bytes(5000), source=link_local(OTHER))
    batch = heard.batch(2)
    heard.faces.look(batch.newest)
    assert [heard.faces.behind(batch.datagram(at)) for at in range(2)] == [station6.mac, station6.mac]


def test_where_frames_were_lost_no_address_is_believed(heard: Heard, station6: Station6) -> None:
    """Else whoever floods could pretend to be others."""
    heard.faces._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
    for _ in range(20):
        station6.send(b"\1abc", source=link_local(OTHER))
    batch = heard.batch(20)
    heard.faces.look(batch.newest)
    assert {heard.faces.behind(batch.datagram(at)) for at in range(20)} == {station6.mac, None}
    station6.send(b"\1abc")
    batch = heard.batch(1)
    heard.faces.look(batch.newest)
    assert heard.faces.behind(batch.datagram(0)) == station6.mac


def test_where_frames_were_forgotten_no_address_is_believed(
    heard: Heard, station6: Station6, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "_MOST_WAITING", 1)
    for _ in range(5):
        station6.send(b"\1abc", source=link_local(OTHER))
    batch = heard.batch(5)
    heard.faces.look(batch.newest)
    macs = [heard.faces.behind(batch.datagram(at)) for at in range(5)]
    assert macs == [None, None, None, None, station6.mac]
