"""Clients in the middle of a boot stay where it began, while servers come and go."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from pxerelay.policy import sticky as boots_module
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.sticky import HELD, TURN, StickyClients
from pxerelay.relay.decision import Drop, ToServers
from pxerelay.wire.facts import Facts
from tests.unit.configs import CORE, STANDARD, VLAN10, relay, why
from tests.unit.messages import DISCOVER, REQUEST, ip, message, option, request

A, B, DHCP = (ip(f"10.20.0.{last}") for last in (20, 21, 2))
POOLED = "{addresses: [10.20.0.20, 10.20.0.21], strategy: failover}"
FAILOVER = STANDARD.replace("[10.20.0.20, 10.20.0.21]", POOLED)
CLIENT, OTHER = "00:80:64:00:00:01", "00:80:64:00:00:02"
A_DOWN, A_DOUBTED, A_RETURNS = (
    Standing(down=frozenset({A})),
    Standing(doubtful=frozenset({A})),
    Standing(returning=frozenset({A})),
)


class Scene:
    """A relay whose servers come and go."""

    def __init__(self, text: str = FAILOVER) -> None:
        self._text = text
        self._sticky = StickyClients()
        self._standing = ALL_UP
        self._relay = relay(text, sticky=self._sticky)
        self.now = 0.0

    def ask(self, kind: int, chaddr: str = CLIENT) -> tuple[bytes, ...]:
        """Return the servers that a request of a client goes to."""
        return self.send(request(kind, chaddr=chaddr))

    def send(self, octets: bytearray) -> tuple[bytes, ...]:
        """Return the servers that a request goes to."""
        decision = self._relay.decide(octets, VLAN10, ip("0.0.0.0"))
        assert isinstance(decision, ToServers)
        self._sticky.met((Facts(octets).client_key,))
        return decision.servers

    def think(self, standing: Standing) -> None:
        """Put another standing of servers into force."""
        self._sticky.keep(self._standing, self.now)
        self._standing = standing
        self._relay = relay(self._text, standing=standing, sticky=self._sticky)

    def wait(self, seconds: float) -> None:
        """Let time pass, a second at once as the daemon does."""
        for _ in range(round(seconds)):
            self.now += 1
            self._sticky.pass_time(self.now)


def test_rule_08_a_boot_goes_on_where_it_began_though_the_server_is_down() -> None:
    scene = Scene()
    assert scene.ask(DISCOVER) == (A,)
    scene.think(A_DOWN)
    assert scene.ask(REQUEST) == (A,), "what A offered only A confirms"
    assert scene.ask(DISCOVER, OTHER) == (B,)


def test_rule_08_a_new_try_goes_where_somebody_answers_and_stays_there() -> None:
    scene = Scene()
    scene.ask(DISCOVER)
    scene.think(A_DOWN)
    assert scene.ask(DISCOVER) == (B,)
    assert scene.ask(REQUEST) == (B,)
    scene.think(A_RETURNS)
    scene.think(ALL_UP)
    for kind in (REQUEST, DISCOVER, REQUEST):
        assert scene.ask(kind) == (B,), "its second DISCOVER, iPXE's, has to reach the same server"
    assert scene.ask(DISCOVER, OTHER) == (A,)


def test_a_bootp_request_is_always_a_new_try() -> None:
    scene = Scene()
    octets = message(options=option(60, b"PXEClient") + b"\xff", chaddr=CLIENT)
    assert scene.send(bytearray(octets)) == (A,)
    scene.think(A_DOWN)
    assert scene.send(bytearray(octets)) == (B,)


def test_a_client_of_a_doubted_server_tries_the_next_one_too() -> None:
    scene = Scene()
    scene.ask(DISCOVER)
    scene.think(A_DOUBTED)
    assert scene.ask(DISCOVER) == (A, B)
    assert scene.ask(REQUEST) == (A, B)
    scene.think(ALL_UP)
    assert scene.ask(REQUEST) == (A, B), "whichever it chose"
    assert scene.ask(DISCOVER, OTHER) == (A,)


def test_rule_08_it_is_the_first_of_several_changes_that_counts() -> None:
    scene = Scene()
    scene.ask(DISCOVER)
    scene.think(A_DOWN)
    scene.ask(DISCOVER, OTHER)
    scene.think(ALL_UP)
    assert (scene.ask(REQUEST), scene.ask(REQUEST, OTHER)) == ((A,), (B,))
    assert scene.ask(DISCOVER) == (A,)
    scene.think(Standing(down=frozenset({B})))
    assert scene.ask(REQUEST, OTHER) == (B,)
    assert scene.ask(DISCOVER, OTHER) == (A,)


def test_it_ends_after_a_while() -> None:
    scene = Scene()
    scene.think(A_DOWN)
    scene.ask(DISCOVER)
    scene.think(ALL_UP)
    scene.wait(HELD - 1)
    assert scene.ask(DISCOVER) == (B,)
    scene.wait(1)
    assert scene.ask(DISCOVER) == (A,)


@pytest.mark.parametrize(("seconds", "server"), [(TURN - 1, B), (TURN + 1, B), (2 * TURN + 1, A)])
def test_who_booted_long_ago_keeps_nothing(seconds: float, server: bytes) -> None:
    scene = Scene()
    scene.wait(TURN)
    scene.think(A_DOWN)
    scene.ask(DISCOVER)
    scene.wait(seconds)
    scene.think(ALL_UP)
    assert scene.ask(DISCOVER) == (server,)


def test_what_else_gets_the_requests_goes_on_getting_them() -> None:
    scene = Scene(FAILOVER + "dhcp_servers: [dhcp]\n")
    assert scene.ask(DISCOVER) == (A, DHCP)
    scene.think(A_DOWN)
    assert scene.ask(REQUEST) == (A, DHCP)
    assert scene.ask(DISCOVER) == (B, DHCP)


def test_a_client_of_other_servers_is_let_go_at_once() -> None:
    boots = StickyClients()
    octets = request(chaddr="02:00:00:00:00:01")
    boots.met((Facts(octets).client_key,))
    boots.keep(ALL_UP, 0.0)
    assert boots.standing_for(Facts(octets).client_key) == ALL_UP
    relay(FAILOVER, standing=A_DOWN, sticky=boots).decide(octets, VLAN10, ip("0.0.0.0"))
    assert boots.standing_for(Facts(octets).client_key) is None


def test_a_hash_keeps_its_clients_too() -> None:
    scene = Scene(FAILOVER.replace("failover", "hash"))
    clients = [f"00:80:64:00:00:{last:02x}" for last in range(20)]
    first = {client: scene.ask(DISCOVER, client) for client in clients}
    assert set(first.values()) == {(A,), (B,)}
    scene.think(A_DOWN)
    assert {client: scene.ask(REQUEST, client) for client in clients} == first
    assert {scene.ask(DISCOVER, client) for client in clients} == {(B,)}
    scene.think(ALL_UP)
    assert {scene.ask(REQUEST, client) for client in clients} == {(B,)}
    scene.wait(HELD)
    assert {client: scene.ask(DISCOVER, client) for client in clients} == first


def test_clients_without_an_ethernet_address_are_hashed_by_what_they_have() -> None:
    scene = Scene(STANDARD.replace("ris: 10.20.0.10", f"ris: {POOLED.replace('failover', 'hash')}"))
    found = {
        scene.send(message(htype=32, hlen=0, options=option(53, b"\1") + option(61, bytes((255, last)))))
        for last in range(20)
    }
    assert found == {(A,), (B,)}


def test_a_name_without_an_address_yet_is_not_resolved() -> None:
    text = FAILOVER.replace("[10.20.0.20, 10.20.0.21]", "wds.example.net")
    assert why(relay(text).decide(request(chaddr=CLIENT), VLAN10, ip("0.0.0.0"))) is Drop.NOT_RESOLVED


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boots_module, "_MOST", 10)
    boots = StickyClients()
    for client in range(1000):
        boots.met((client.to_bytes(6, "big"),))
        boots.keep(ALL_UP, 0.0)
        assert len(boots._kept) <= 8
        assert all(len(kept.clients) <= 20 for kept in boots._kept)
    boots.keep(ALL_UP, 0.0)
    assert boots.standing_for((999).to_bytes(6, "big")) == ALL_UP
    boots.pass_time(HELD)
    assert boots._kept == []


def test_a_sample_is_a_discover_of_the_pool_whose_answer_comes_this_way() -> None:
    boots = StickyClients()
    one = relay(FAILOVER, sticky=boots)
    pool = one.config.pools["altiris"]

    def look(octets: bytearray, index: int = VLAN10, source: str = "0.0.0.0") -> None:
        decision = one.decide(octets, index, ip(source), False)
        assert isinstance(decision, ToServers)
        boots.look(decision.pools, [octets], decision.source, decision.vrf)

    boots.wanted = {pool}
    look(request(REQUEST, chaddr=CLIENT))
    look(request(vendor=None, chaddr=CLIENT))
    look(request(chaddr="02:00:00:00:00:01"))
    look(request(chaddr=CLIENT, giaddr="10.30.0.1"), CORE, "10.30.0.1")
    assert boots.samples == {}
    octets = request(chaddr=CLIENT)
    look(octets)
    assert boots.samples[pool].message == octets
    assert octets[24:28] == ip("10.10.10.1")
    assert boots.wanted == set()


def test_replies_of_every_server_of_a_pool_are_taken() -> None:
    one = relay(FAILOVER)
    assert {IPv4Address(A), IPv4Address(B)} < one.config.mentioned
