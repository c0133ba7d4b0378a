"""Two relays behind one router, as where they share an address: all is the same whichever a message meets."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from pxerelay.wire import packet
from tests.integration.health.conftest import A, B, state
from tests.lab import Lab
from tests.lab.daemon import Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer
from tests.unit.messages import DISCOVER, OFFER, REQUEST, option, reply, request

ROUTER = "10.20.0.254"
FIRST, SECOND = "10.20.0.1", "10.20.0.102"
RELAYS = (FIRST, SECOND)
NOBODY = bytes((2, 0x70, 0x78, 0x65, 0, 0))
"""In whose name servers are asked, by default."""

CLIENTS = 300
WAIT = 30.0

CONFIG = """\
max_requests: 0
servers: {{boot: {{addresses: [{a}, {b}], strategy: {strategy}, probe: {{every: 1, timeout: 1}}}}}}
default: boot
accept_relayed_from: [{router}]
"""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Build the standard network with a second relay host, and a router that speaks for clients."""
    with Lab(f"it_fleet_{os.getpid()}") as lab:
        network = Network(lab, branches=1).build()
        router = lab.host("router")
        router.attach(network.segments["core"], "eth0", addresses=[f"{ROUTER}/24"])
        yield network


class Server:
    """A boot server that answers questions of some relays, and notes whose messages it was sent."""

    def __init__(self, wire: FakeServer) -> None:
        self._wire = wire
        self._over = threading.Event()
        self.answers_to = set(RELAYS)
        self.met: list[tuple[bytes, int, str]] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            heard = self._wire.receive(0.1)
            if heard is None:
                continue
            message, relay, _ = heard
            if packet.ethernet_chaddr(message) != NOBODY:
                kind = message[message.index(b"\x35\x01") + 2]
                self.met.append((bytes(message[packet.CHADDR])[:6], kind, relay))
            elif relay in self.answers_to:
                offer = reply(OFFER)
                offer[packet.XID], offer[packet.CHADDR] = message[packet.XID], message[packet.CHADDR]
                offer[packet.GIADDR] = message[packet.GIADDR]
                self._wire.send(offer, relay)

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join()


@pytest.fixture
def servers(network: Network) -> Iterator[dict[str, Server]]:
    with ExitStack() as stack:
        made = {}
        for server in network.servers:
            wire = stack.enter_context(closing(FakeServer(server.host)))
            made[server.address] = stack.enter_context(closing(Server(wire)))
        yield made


@pytest.fixture
def router(network: Network) -> Iterator[FakeServer]:
    with closing(FakeServer(network.lab.host("router"))) as wire:
        yield wire


Fleet = Callable[[str], dict[str, Daemon]]


@pytest.fixture
def fleet(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Start a daemon on each relay host; no two share a hash seed, nor the order of the pool's file."""
    started: list[Daemon] = []

    def run(strategy: str) -> dict[str, Daemon]:
        order = [(A, B), (B, A) if strategy == "hash" else (A, B)]
        hosts = (network.relay, network.lab.host(network.branches[0].relay))
        for seed, (host, (a, b)) in enumerate(zip(hosts, order, strict=True), 1):
            monkeypatch.setenv("PYTHONHASHSEED", str(seed))
            folder = tmp_path / host.name
            folder.mkdir()
            text = CONFIG.format(a=a, b=b, strategy=strategy, router=ROUTER)
            started.append(Daemon(network, folder, text, options=(), host=host))
        return dict(zip(RELAYS, started, strict=True))

    yield run
    for daemon in started:
        daemon.stop()
        assert "Traceback" not in daemon.log


def asked(chaddr: bytes, kind: int, server: str = "") -> bytearray:
    """Return a client's message as the router sends it on."""
    named = option(54, bytes(map(int, server.split(".")))) if server else b""
    message = request(kind, chaddr=chaddr.hex(":"), extra=named)
    message[packet.GIADDR] = bytes(map(int, ROUTER.split(".")))
    return message


def clients(seed: int) -> list[bytes]:
    """Return locally administered MACs, by chance, and each once."""
    chance = random.Random(seed)
    return list({bytes((2, *chance.randbytes(5))): None for _ in range(CLIENTS)})


def by_client(servers: dict[str, Server], kind: int) -> dict[bytes, set[str]]:
    """Return the servers that were sent a client's messages of a kind, by the client."""
    found: dict[bytes, set[str]] = {}
    for address, server in servers.items():
        for chaddr, met, _ in tuple(server.met):
            if met == kind:
                found.setdefault(chaddr, set()).add(address)
    return found


@pytest.mark.parametrize("strategy", ["failover", "hash"])
def test_rule_42_all_relays_choose_alike_and_keep_what_another_one_began(
    strategy: str, fleet: Fleet, servers: dict[str, Server], router: FakeServer
) -> None:
    daemons = fleet(strategy)
    crowd = clients(22)
    for chaddr in crowd:
        for relay in RELAYS:
            router.send(asked(chaddr, DISCOVER), relay)
    daemons[FIRST].wait_for(lambda: sum(len(one.met) for one in servers.values()) == 2 * len(crowd), WAIT)
    chosen = by_client(servers, DISCOVER)
    assert all(len(found) == 1 for found in chosen.values()), "both relays choose the same server"
    assert {min(found) for found in chosen.values()} == ({A} if strategy == "failover" else {A, B})
    assert {relay for one in servers.values() for _, _, relay in one.met} == set(RELAYS)

    servers[A].answers_to = {FIRST}
    daemons[SECOND].wait_for(lambda: state(daemons[SECOND], A) == "down", WAIT)
    assert state(daemons[FIRST], A) == "up"
    begun, fresh = clients(42), clients(43)
    for one in servers.values():
        one.met.clear()
    for chaddr in begun:
        router.send(asked(chaddr, DISCOVER), FIRST)
    daemons[FIRST].wait_for(lambda: len(by_client(servers, DISCOVER)) == len(begun), WAIT)
    chosen = by_client(servers, DISCOVER)
    for one in servers.values():
        one.met.clear()
    for chaddr in fresh:
        router.send(asked(chaddr, DISCOVER), SECOND)
    daemons[SECOND].wait_for(lambda: len(servers[B].met) == len(fresh), WAIT)
    assert servers[A].met == [], "the second relay believes it to be down, and new boots go elsewhere"
    for chaddr, (server,) in chosen.items():
        router.send(asked(chaddr, REQUEST, server), SECOND)
    daemons[SECOND].wait_for(lambda: len(by_client(servers, REQUEST)) == len(begun), WAIT)
    met = by_client(servers, REQUEST)
    elsewhere = [chaddr.hex(":") for chaddr in begun if met[chaddr] != chosen[chaddr]]
    assert elsewhere == [], f"{len(elsewhere)} of {len(begun)} REQUESTs"
