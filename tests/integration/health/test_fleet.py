"""Two relays behind one router, as where they share an address: all is the same whichever a message meets."""

from __future__ import annotations

import os
import random
import threading
import time
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
WAIT = 60.0

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


class Messages:
    """What clients send by way of the router, again and again until all of it has come to some server."""

    def __init__(self, router: FakeServer, servers: dict[str, Server]) -> None:
        self._router, self._servers = router, servers

    def deliver(self, kind: int, relay: str, named: dict[bytes, str]) -> None:
        """Send a message of a kind for each client to a relay; a REQUEST names the client's server."""
        deadline = time.monotonic() + WAIT
        while missing := named.keys() - self._came(kind, relay):
            assert time.monotonic() < deadline, f"{len(missing)} of {len(named)} came to no server"
            for chaddr in missing:
                self._router.send(asked(chaddr, kind, named[chaddr]), relay)
            again = time.monotonic() + 1.0  # firmware waits longer, and a message of before is too old then
            while named.keys() - self._came(kind, relay) and time.monotonic() < again:
                time.sleep(0.01)

    def _came(self, kind: int, relay: str) -> set[bytes]:
        met = [one for server in self._servers.values() for one in tuple(server.met)]
        return {chaddr for chaddr, what, by in met if (what, by) == (kind, relay)}

    def chosen(self, kind: int) -> dict[bytes, set[str]]:
        """Return the servers that were sent a client's messages of a kind, by the client."""
        found: dict[bytes, set[str]] = {}
        for address, server in self._servers.items():
            for chaddr, met, _ in tuple(server.met):
                if met == kind:
                    found.setdefault(chaddr, set()).add(address)
        return found

    def forget(self) -> None:
        """Begin anew."""
        for server in self._servers.values():
            server.met.clear()


@pytest.mark.parametrize("strategy", ["failover", "hash"])
def test_rule_42_all_relays_choose_alike_and_keep_what_another_one_began(
    strategy: str, fleet: Fleet, servers: dict[str, Server], router: FakeServer
) -> None:
    daemons, messages = fleet(strategy), Messages(router, servers)
    crowd = dict.fromkeys(clients(22), "")
    for relay in RELAYS:
        messages.deliver(DISCOVER, relay, crowd)
    chosen = messages.chosen(DISCOVER)
    assert all(len(found) == 1 for found in chosen.values()), "both relays choose the same server"
    assert {min(found) for found in chosen.values()} == ({A} if strategy == "failover" else {A, B})

    servers[A].answers_to = {FIRST}
    daemons[SECOND].wait_for(lambda: state(daemons[SECOND], A) == "down", WAIT)
    assert state(daemons[FIRST], A) == "up"
    messages.forget()
    messages.deliver(DISCOVER, FIRST, dict.fromkeys(clients(42), ""))
    began = {chaddr: min(found) for chaddr, found in messages.chosen(DISCOVER).items()}
    messages.forget()
    messages.deliver(DISCOVER, SECOND, dict.fromkeys(clients(43), ""))
    assert servers[A].met == [], "the second relay believes it to be down, and new boots go elsewhere"
    messages.deliver(REQUEST, SECOND, began)
    met = messages.chosen(REQUEST)
    elsewhere = [chaddr.hex(":") for chaddr, server in began.items() if met[chaddr] != {server}]
    assert elsewhere == [], f"{len(elsewhere)} of {len(began)} REQUESTs"
