"""The sockets of VRFs, on ordinary interfaces: what needs no VRF. The rest is in tests/guest."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from pxerelay.linux import sockets
from pxerelay.linux.listener import Taken
from pxerelay.linux.log import LOGGER
from pxerelay.linux.vrfs import VrfSockets
from tests.lab.topology import RELAY_CORE, RIS, Network
from tests.lab.wire import FakeServer, inside
from tests.unit.messages import ip


def on_relay(network: Network, check: Callable[[socket.socket, int], None]) -> None:
    """Call with the relay host's UDP socket and the index of its interface at the servers."""

    async def there() -> None:
        with inside(network.relay), closing(sockets.open_udp()) as main:
            check(main, socket.if_nametoindex("core"))

    asyncio.run(there())


def heard(sock: socket.socket) -> bytes | None:
    """Return what is waiting, after as long as a datagram may take here."""
    sock.settimeout(0.5)
    try:
        return sock.recv(100)
    except TimeoutError:
        return None


def test_such_a_socket_hears_its_interface_and_leaves_the_rest(network: Network) -> None:
    def check(main: socket.socket, core: int) -> None:
        with closing(FakeServer(network.ris.host)) as server:
            with closing(sockets.open_udp_in(core, main)) as bound:
                server.send(b"one", RELAY_CORE)
                assert heard(bound) == b"one"
            server.send(b"two", RELAY_CORE)
            assert heard(main) == b"two"

    on_relay(network, check)


def test_the_way_to_a_server_is_that_of_where_it_is_asked_from(network: Network) -> None:
    def check(_: socket.socket, core: int) -> None:
        assert sockets.route_source(RIS) == sockets.route_source(RIS, core) == ip(RELAY_CORE)
        assert sockets.route_source(RIS, socket.if_nametoindex("vlan10")) == ip("10.10.10.1")

    on_relay(network, check)


@pytest.mark.parametrize("everywhere", [True, False])
def test_nobody_else_gets_the_port_then(network: Network, everywhere: bool) -> None:
    def check(main: socket.socket, core: int) -> None:
        with closing(sockets.open_udp_in(core, main)), socket.socket(type=socket.SOCK_DGRAM) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not everywhere:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"core")
            with pytest.raises(OSError, match="in use") as refused:
                other.bind(("", 67))
            assert refused.value.errno == errno.EADDRINUSE

    on_relay(network, check)


def test_they_come_and_go_with_what_is_to_be_heard(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    def check(main: socket.socket, core: int) -> None:
        vrfs = VrfSockets(main, lambda _: Taken(0))
        with closing(vrfs):
            assert vrfs.follow({core: "red"}) == {core}
            assert vrfs.follow({core: "red"}) == {core}
            assert vrfs.follow({}) == set()
            assert vrfs.follow({core: "red"}) == {core}

    said = log_of(lambda: on_relay(network, check), caplog)
    assert said == ["listening in VRF red", "no longer listening in VRF red", "listening in VRF red"]


def test_what_can_not_be_opened_is_told_once_and_the_others_are_heard(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    def check(main: socket.socket, core: int) -> None:
        vrfs = VrfSockets(main, lambda _: Taken(0))
        with closing(vrfs):
            for _ in range(3):
                assert vrfs.follow({core: "red", -1: "gone"}) == {core}

    said = log_of(lambda: on_relay(network, check), caplog)
    assert sorted(said) == ["can't listen in VRF gone: Invalid argument", "listening in VRF red"]


def test_what_can_not_be_opened_is_tried_again_until_it_ends(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pxerelay.linux.vrfs._TRY_AGAIN", 0.05)

    async def there() -> None:
        tries: list[None] = []

        def again() -> None:
            tries.append(None)
            vrfs.follow({-1: "gone"})

        with inside(network.relay), closing(sockets.open_udp()) as main:
            vrfs = VrfSockets(main, lambda _: Taken(0), again)
            with closing(vrfs):
                again()
                await asyncio.sleep(0.5)
                assert len(tries) > 2
            tries.clear()
            await asyncio.sleep(0.2)
            assert not tries

    asyncio.run(there())


def log_of(act: Callable[[], None], caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what is logged meanwhile."""
    with caplog.at_level(logging.INFO, LOGGER.name):
        act()
    return [record.getMessage() for record in caplog.records]
