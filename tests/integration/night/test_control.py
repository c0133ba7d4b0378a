"""The control socket is flooded: monitoring went mad, or a script hangs a thousand times."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest

from tests.integration.night.conftest import descriptors, others, survives
from tests.lab.daemon import Daemon
from tests.lab.topology import Network
from tests.lab.wire import Station
from tests.unit.messages import request

Relay = Callable[..., Daemon]

PEERS = 1000
SERVED = 16 + 4
"""Peers that the daemon serves at once, and what else it may open meanwhile."""

ANSWERS = 32 << 20
"""Octets of sixteen answers at once, and of what they are made from; a second time takes no more."""

SOON = 2.0
"""Seconds until a command has its answer once the flood is over."""


@contextmanager
def flood(daemon: Daemon, says: bytes) -> Iterator[None]:
    """Have peers connect, say something and stay; whom the kernel turns away has come for nothing."""
    with ExitStack() as stack:
        for _ in range(PEERS):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            peer.setblocking(False)
            with suppress(BlockingIOError, BrokenPipeError):  # turned away, or told off already
                peer.connect(str(daemon.socket))
                peer.send(says)
        yield


@pytest.mark.parametrize(
    "says",
    [b"", b'{"command": ', b"\xff\xfe nonsense\n", b"x" * 100_000, b'{"command": "status"}\n'],
    ids=["nothing", "half a line", "garbage", "a huge line", "status and never reads"],
)
def test_the_control_socket_is_flooded(relay: Relay, network: Network, says: bytes) -> None:
    """Night: a thousand peers connect at once; they say nothing, half a line, garbage, a huge line, or ask.

    No packet is lost or waits, the daemon serves a few at a time and has few descriptors for them. When they
    have gone, a command has its answer within two seconds.
    """
    daemon = relay()
    before = len(descriptors(daemon))
    with survives(daemon), others(network) as unaware:
        with flood(daemon, says):
            for _ in range(20):
                assert len(descriptors(daemon)) - before <= SERVED
                time.sleep(0.1)
        start = time.monotonic()
        assert daemon.status()["config"]["rules"] == 4
        assert time.monotonic() - start < SOON
    unaware.must_not_have_noticed()


def test_peers_never_take_their_answer(relay: Relay, network: Network) -> None:
    """Night: peers ask for all unknown clients, a megabyte, and never read a word of it.

    After five seconds the daemon has nothing open for them any more, though they are still there.
    """
    daemon = relay()
    many_unknown(network, daemon)
    before = len(descriptors(daemon))
    with others(network) as unaware:
        everybody_is_given_up(daemon, before)
        with survives(daemon, growth=ANSWERS):
            everybody_is_given_up(daemon, before)
            assert len(daemon.ask("unknown")["clients"]) > 4000, "who reads is answered in full"
    unaware.must_not_have_noticed()


def everybody_is_given_up(daemon: Daemon, before: int) -> None:
    """Have as many ask as are served at once, and wait until the daemon has hung up on them."""
    with ExitStack() as stack:
        for _ in range(16):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            peer.connect(str(daemon.socket))
            peer.sendall(b'{"command": "unknown"}\n')
        daemon.wait_for(lambda: len(descriptors(daemon)) > before + 10)
        daemon.wait_for(lambda: len(descriptors(daemon)) <= before + 1, 12)


def many_unknown(network: Network, daemon: Daemon) -> None:
    """Let more clients be heard than the daemon remembers."""
    with closing(Station(network.client("vlan10"))) as station:
        for number in range(5000):
            station.send(request(chaddr=f"02:00:00:bb:{number >> 8:02x}:{number & 255:02x}"))
            time.sleep(0.01 if number % 50 == 0 else 0)
    daemon.wait_for(lambda: daemon.status()["counters"]["requests"] >= 5000, 10)
