"""DHCPv6 servers that die, hang and come back, and the clients that boot meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Network
from itertools import cycle

import pytest

from tests.integration.conftest import BASE6
from tests.integration.health.conftest import Start, frozen, killed
from tests.lab import Host, dhcp6
from tests.lab.daemon import Daemon
from tests.lab.frames6 import link_local
from tests.lab.servers6 import DhcpServer6, Dnsmasq6, IscDhcpServer6, Kea6
from tests.lab.topology import ALTIRIS, RIS, Network
from tests.lab.topology6 import ALTIRIS6, CLIENT_VLANS6, CORE6, RIS6, Network6, add_address, pools6
from tests.lab.wire6 import FakeServer6, Station6, settled

A, B = RIS6, ALTIRIS6
MOST = 80
"""Clients that ask in turn while something is waited for; a server has 256 addresses for all of a test."""

PATIENCE = 60.0
"""Seconds that anything may take on a machine with other things to do."""

URLS = {A: "tftp://[2001:db8:20::10]/boot.efi", B: "tftp://[2001:db8:20::20]/boot.efi"}
ROUTER, BEHIND = "2001:db8:20::fe", IPv6Network("2001:db8:30:1::/64")
KINDS: Mapping[str, Callable[..., DhcpServer6]] = {
    "dnsmasq": Dnsmasq6,
    "dhcpd": IscDhcpServer6,
    "kea": Kea6,
}
FAILURES = {"killed": killed, "frozen": frozen}


def config(strategy: str = "failover", more: str = "", *, clients: str = "interfaces: {vlan10: {}}") -> str:
    pool = f'{{addresses: [{RIS}, "{A}", {ALTIRIS}, "{B}"], strategy: {strategy}{more}}}'
    return f"max_requests: 0\ndhcpv6: true\nservers: {{boot: {pool}}}\ndefault: boot\n{clients}\n"


BY_ROUTER = f'accept_relayed_from: ["{ROUTER}"]'
PROBED = ", probe: {every: 3, timeout: 3}"


@contextmanager
def servers(network6: Network6, kind: str) -> Iterator[dict[str, DhcpServer6]]:
    """Run two servers of one kind, each with addresses of its own to give, also beyond a router."""
    subnets = [*CLIENT_VLANS6.values(), BEHIND, CORE6]
    made = {
        like.address: KINDS[kind](
            like.host, address=like.address, pools=pools6(subnets, first), boot_url=URLS[like.address]
        )
        for like, first in zip(network6.servers, (0x100, 0x300), strict=True)
    }
    with ExitStack() as stack:
        for server in made.values():
            server.start()
            stack.callback(server.stop)
        yield made


def row(daemon: Daemon, address: str) -> dict[str, object]:
    found: dict[str, object] = daemon.status()["servers"]["boot"][address]
    return found


def up(daemon: Daemon, *addresses: str) -> bool:
    return all(row(daemon, address)["state"] == "up" for address in addresses)


@dataclass
class Client:
    """A machine that boots; `named` is the DUID of the server that it takes."""

    number: int
    url: str = ""
    named: bytes = b""

    @property
    def mac(self) -> bytes:
        """Its Ethernet address."""
        return b"\x02\x00\x00\x06" + self.number.to_bytes(2, "big")

    @property
    def duid(self) -> bytes:
        """What it calls itself."""
        return dhcp6.duid_ll(self.mac)

    def message(self, kind: int) -> bytes:
        """Return a message of its boot."""
        options = list(dhcp6.read(dhcp6.solicit(self.duid)).options)
        if kind != dhcp6.SOLICIT:
            options.append((dhcp6.SERVER_ID, self.named))
        return dhcp6.message(kind, *options, xid=self.number << 8 | kind)


class Wire:
    """Where clients are: how their messages get to the relay, and what comes back."""

    def __init__(self, station: Station6) -> None:
        self._station = station

    def send(self, client: Client, message: bytes) -> None:
        """Send a message in a client's name."""
        self._station.send(message, source=link_local(client.mac), sender=client.mac)

    def heard(self, seconds: float) -> Iterator[dhcp6.Message]:
        """Yield what comes back."""
        for datagram in self._station.answers(seconds):
            yield dhcp6.read(datagram.payload)


class RoutersWire(Wire):
    """The same behind a router, which is a relay agent."""

    def __init__(self, router: FakeServer6) -> None:
        self._router = router

    def send(self, client: Client, message: bytes) -> None:
        """Send a message in a client's name."""
        link, peer = str(BEHIND[1]), link_local(client.mac)
        mac = (dhcp6.LINK_LAYER_ADDRESS, b"\0\1" + client.mac)
        self._router.send(dhcp6.relayed(dhcp6.RELAY_FORW, message, mac, link=link, peer=peer), str(CORE6[1]))

    def heard(self, seconds: float) -> Iterator[dhcp6.Message]:
        """Yield what comes back."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and (found := self._router.receive(left)):
            yield dhcp6.innermost(found[0])


def boots(wire: Wire, client: Client, kind: int = dhcp6.SOLICIT) -> str:
    """Have a client ask as often as firmware does until a server answers; return the boot URL it is given."""
    message, end = client.message(kind), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        wire.send(client, message)
        for answer in wire.heard(1.0):
            if answer.xid == message[1:4] and answer.one(dhcp6.CLIENT_ID) == client.duid:
                client.url, client.named = answer.boot_url or "", answer.one(dhcp6.SERVER_ID) or b""
                return client.url
    raise AssertionError(f"client {client.number} had no answer")


@pytest.fixture(scope="module")
def router(network: Network, network6: Network6) -> Host:
    """Add a router to the servers' network, which relays for clients behind it."""
    host = network.lab.host("router")
    host.attach(network.segments["core"], "eth0")
    add_address(host, "eth0", f"{ROUTER}/64")
    settled(host)
    for server in network6.servers:
        server.host.route(str(BEHIND), RELAY)
    return host


RELAY = str(CORE6[1])


@pytest.fixture(params=["a VLAN", "a router"])
def where(request: pytest.FixtureRequest, station6: Station6, router: Host) -> Iterator[tuple[Wire, str]]:
    """Return where clients are, and the key by which the relay serves them."""
    if request.param == "a VLAN":
        yield Wire(station6), "interfaces: {vlan10: {}}"
        return
    with closing(FakeServer6(router, ROUTER)) as wire:
        yield RoutersWire(wire), BY_ROUTER


def clients(first: int) -> Iterator[Client]:
    """Yield clients one after the other for a while, no faster than a server's addresses last."""
    end = time.monotonic() + PATIENCE
    for number in cycle(range(first, first + MOST)):
        if time.monotonic() > end:
            return
        yield Client(number)
        time.sleep(0.02)


def falls(daemon: Daemon, wire: Wire, first: int) -> None:
    """Have clients boot until the first server is thought to be down; each of them is answered."""
    for client in clients(first):
        if not up(daemon, A):
            return
        assert boots(wire, client) == URLS[B]
    raise AssertionError(daemon.log)


@pytest.mark.parametrize(("kind", "failure"), [("kea", "killed"), ("dhcpd", "frozen"), ("dnsmasq", "killed")])
def test_clients_go_to_the_next_server_and_back(
    start: Start, network6: Network6, where: tuple[Wire, str], kind: str, failure: str
) -> None:
    """On a VLAN and behind a router alike, for answers to routers pass through us (rule 137)."""
    wire, key = where
    daemon = start(config(clients=key), options=())
    with servers(network6, kind) as made:
        assert boots(wire, Client(1)) == URLS[A]
        with FAILURES[failure](made[A]):
            falls(daemon, wire, 10)
            assert up(daemon, B, RIS, ALTIRIS), "a server is judged by address, and so by family"
            assert f"server boot {A} is down: " in daemon.log
            assert boots(wire, Client(2)) == URLS[B]
        for client in clients(100):
            if up(daemon, A):
                break
            assert boots(wire, client) in (URLS[A], URLS[B]), (
                "while it is tried both are asked, who is first wins"
            )
            assert boots(wire, client, dhcp6.REQUEST) == client.url
        assert up(daemon, A), daemon.log
        assert row(daemon, A)["returns_in"]
        assert boots(wire, Client(3)) == URLS[B], "until it has stayed up for a while"


def test_rule_126_a_boot_ends_at_the_server_that_began_it(
    start: Start, network6: Network6, where: tuple[Wire, str]
) -> None:
    """A REQUEST names it by DUID; also where a restart, or another relay host, never saw its answers."""
    wire, key = where
    text = config(clients=key)
    daemon = start(text, options=())
    with servers(network6, "kea") as made:
        early = Client(1)
        assert boots(wire, early) == URLS[A]
        with killed(made[A]):
            falls(daemon, wire, 10)
        assert not up(daemon, A)
        said = len(made[B].log)
        assert boots(wire, early, dhcp6.REQUEST) == URLS[A]
        assert early.duid.hex(":") not in made[B].log[said:], "the other one is not even asked"
        daemon.stop()
        daemon = start(text, options=())
        late = Client(2)
        late.named = early.named
        assert boots(wire, late, dhcp6.REQUEST) == URLS[A]


def test_a_reload_keeps_what_is_thought_of_servers(
    start: Start, network6: Network6, station6: Station6
) -> None:
    wire = Wire(station6)
    daemon = start(config(), options=())
    with servers(network6, "dnsmasq") as made, killed(made[A]):
        falls(daemon, wire, 10)
        before = row(daemon, A)
        daemon.reload(config() + "pxe_only: true\n")
        after = row(daemon, A)
        assert (after["state"], after["since"]) == ("down", before["since"])
        assert boots(wire, Client(1)) == URLS[B]
        daemon.reload(config().replace("dhcpv6: true", "dhcpv6: false"))
        assert A not in daemon.status()["servers"]["boot"]
        daemon.reload(config())
        assert up(daemon, A, B), "what is judged anew begins anew"


@pytest.mark.parametrize("kind", KINDS)
def test_probes_find_out_while_nobody_boots(
    start: Start, network6: Network6, station6: Station6, kind: str
) -> None:
    daemon = start(config(more=PROBED), options=())
    with servers(network6, kind) as made:
        daemon.wait_for(lambda: up(daemon, A, B), PATIENCE)
        with frozen(made[A]):
            daemon.wait_for(lambda: not up(daemon, A), PATIENCE)
            assert f"server boot {A} is down: 2 questions in a row, no answer" in daemon.log
            assert boots(Wire(station6), Client(1)) == URLS[B]
        daemon.wait_for(lambda: up(daemon, A), PATIENCE)
    assert not any("02:70:78:65:00:00" in line for line in daemon.log.splitlines())


def test_probes_behind_routers_alone_come_from_our_own_network(
    start: Start, network6: Network6, router: Host
) -> None:
    assert router
    daemon = start(config(more=PROBED, clients=BY_ROUTER), options=())
    with servers(network6, "kea") as made:
        daemon.wait_for(lambda: up(daemon, A, B), PATIENCE)
        with killed(made[A]):
            daemon.wait_for(lambda: not up(daemon, A), PATIENCE)
        daemon.wait_for(lambda: up(daemon, A), PATIENCE)
    health = daemon.ask("health")
    assert health["state"] == "degraded", "in IPv4 nobody answers, which its own probes tell"


def test_a_hash_keeps_each_client_on_its_server(start: Start, network6: Network6, station6: Station6) -> None:
    wire = Wire(station6)
    daemon = start(config("hash"), options=())
    with servers(network6, "dhcpd"):
        first = {number: boots(wire, Client(number)) for number in range(24)}
        assert set(first.values()) == set(URLS.values())
        daemon.stop()
        start(config("hash"), options=())
        assert {number: boots(wire, Client(number)) for number in range(24)} == first


def test_what_is_no_pool_is_not_judged(start: Start, network6: Network6, station6: Station6) -> None:
    assert station6
    daemon = start(BASE6, options=())
    with servers(network6, "dnsmasq"):
        assert boots(Wire(station6), Client(1)) == URLS[A]
    assert "state" not in daemon.status()["servers"]["ris"][A]
