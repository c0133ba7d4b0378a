"""Servers of which one is chosen, in DHCPv6: by family, by the client, by who is up, by who was named."""

from __future__ import annotations

from hashlib import blake2b
from itertools import product

import pytest

from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.sticky6 import StickyClients6
from pxerelay.relay.decision6 import Arrival6, ToPeer, ToServers6
from pxerelay.relay.pipeline6 import Pipeline6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.server_ids import ServerIds
from pxerelay.wire.packet6 import RELAY_FORW
from tests.unit.configs import VLAN10, build
from tests.unit.configs6 import LINKS, ROUTER, STANDARD6, answered, heard, relay6, routed, to_servers
from tests.unit.messages6 import (
    ADVERTISE,
    INFORMATION_REQUEST,
    REPLY,
    REQUEST,
    SOLICIT,
    boot,
    ip6,
    message,
    option,
    plain,
    relayed,
    release,
)

RENEW, REBIND, DECLINE = 5, 6, 9
A, B = ip6("2001:db8:20::20"), ip6("2001:db8:20::21")
A4 = bytes((10, 20, 0, 20))
DUIDS = {A: b"\0\3\0\1\2\0\0\0\0\x20", B: b"\0\3\0\1\2\0\0\0\0\x21"}
MEMBERS = "[10.20.0.20, 2001:db8:20::20, 2001:db8:20::21, 10.20.0.21]"
POOLED = STANDARD6.replace(
    "[10.20.0.20, 2001:db8:20::20, 2001:db8:20::21]", f"{{addresses: {MEMBERS}, strategy: failover}}"
)
HASHED = POOLED.replace("failover", "hash")
FIRST_DOWN, FIRST_DOUBTED, FIRST_RETURNS = (
    Standing(down=frozenset({A})),
    Standing(doubtful=frozenset({A})),
    Standing(returning=frozenset({A})),
)


def mac(number: int) -> bytes:
    return bytes.fromhex("0080640000") + bytes((number,))


def of(number: int, kind: int = SOLICIT, named: bytes | None = None) -> Arrival6:
    """Return a message of one of the clients that go to the pool, which may name a server."""
    return heard(boot(kind, option(2, named) if named else b""), mac=mac(number))


def chosen(one: Relay6, arrival: Arrival6) -> tuple[bytes, ...]:
    return to_servers(one.decide(arrival)).servers


def told_by(server: bytes, duid: bytes, kind: int = ADVERTISE) -> Arrival6:
    """Return an answer of a server that names itself."""
    return answered(message(kind, option(2, duid)), source=server)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (ALL_UP, (A,)),
        (FIRST_DOWN, (B,)),
        (FIRST_DOUBTED, (A, B)),
        (FIRST_RETURNS, (B,)),
        (Standing(down=frozenset({A, B})), (A, B)),
        (Standing(down=frozenset({A4})), (A,)),
    ],
)
def test_a_failover_goes_by_what_is_thought_of_servers_of_its_family(
    standing: Standing, expected: tuple[bytes, ...]
) -> None:
    assert chosen(relay6(POOLED, standing=standing), of(1)) == expected


def test_the_hash_is_blake2b_over_the_clients_octets_and_the_servers_16() -> None:
    one = relay6(HASHED)
    found = {number: chosen(one, of(number)) for number in range(64)}
    assert set(found.values()) == {(A,), (B,)}
    for number, servers in found.items():
        weights = {server: blake2b(mac(number) + server, digest_size=8).digest() for server in (A, B)}
        assert servers == (max(weights, key=weights.__getitem__),)
    left = relay6(HASHED, standing=FIRST_DOWN)
    assert {chosen(left, of(number)) for number in range(64)} == {(B,)}


@pytest.mark.parametrize("standing", [ALL_UP, FIRST_DOWN, Standing(doubtful=frozenset({A, B}))])
@pytest.mark.parametrize("text", [POOLED, HASHED], ids=["failover", "hash"])
def test_rule_126_a_message_goes_to_the_server_that_it_names(text: str, standing: Standing) -> None:
    """As soon as an answer of that server has passed, whatever is thought of servers since."""
    one = relay6(text, standing=standing)
    for server, duid in DUIDS.items():
        assert isinstance(one.decide(told_by(server, duid)), ToPeer)
    for number, kind, (server, duid) in product(range(8), (REQUEST, RENEW, DECLINE), DUIDS.items()):
        assert chosen(one, of(number, kind, duid)) == (server,)


def test_rule_126_where_it_is_not_known_which_server_that_is_all_of_the_pool_are_asked() -> None:
    """Each but the one that is named discards it (RFC 9915, 16.4, 16.6 and 16.8)."""
    for text, standing in product((POOLED, HASHED), (ALL_UP, FIRST_DOWN)):
        one = relay6(text, standing=standing)
        assert chosen(one, of(1, REQUEST, DUIDS[B])) == (A, B)
        assert chosen(one, heard(release(), mac=mac(1))) == (A, B)
        one.decide(told_by(B, DUIDS[B], REPLY))
        assert chosen(one, of(1, REQUEST, DUIDS[B])) == (B,)
        assert chosen(one, of(1, REQUEST, DUIDS[A])) == (A, B)


def test_rule_126_a_message_that_names_nobody_goes_by_the_choice() -> None:
    one = relay6(POOLED)
    one.decide(told_by(B, DUIDS[B]))
    for kind in (SOLICIT, REBIND, INFORMATION_REQUEST, 4):
        assert chosen(one, of(1, kind)) == (A,)
    damaged = boot(REQUEST, option(2, DUIDS[B])) + b"\0"
    assert chosen(one, heard(damaged, mac=mac(1))) == (A,), "it says nothing (rule 106)"
    assert chosen(one, of(1, REQUEST, b"")) == (A,)


def test_rule_126_a_server_that_is_none_of_the_pool_is_no_reason() -> None:
    ris, duid = ip6("2001:db8:20::10"), b"\0\3\0\1\2\0\0\0\0\x10"
    one = relay6(POOLED)
    one.decide(told_by(ris, duid))
    assert chosen(one, of(1, REQUEST, duid)) == (A,)


def test_rule_126_who_is_no_configured_server_tells_no_duid() -> None:
    """It may be the second address of one that is: then all are asked, and that one answers."""
    one = relay6(POOLED + "accept_replies_from: ['2001:db8:20::/64']\n")
    assert isinstance(one.decide(told_by(ip6("2001:db8:20::99"), DUIDS[B])), ToPeer)
    assert chosen(one, of(1, REQUEST, DUIDS[B])) == (A, B)
    forged = told_by(B, DUIDS[A])._replace(interface=VLAN10, source=ip6("2001:db8:10::66"))
    assert not isinstance(one.decide(forged), ToPeer)
    assert chosen(one, of(1, REQUEST, DUIDS[A])) == (A, B)


def test_rule_126_of_cloned_servers_with_one_duid_the_choice_decides() -> None:
    one = relay6(POOLED)
    for server in (B, A):
        one.decide(told_by(server, DUIDS[A]))
    assert chosen(one, of(1, REQUEST, DUIDS[A])) == (A,)


def test_rule_126_137_behind_routers_answers_tell_the_duid_too() -> None:
    one = relay6(POOLED.replace("default: ris", "default: altiris"))
    inside = relayed(message(ADVERTISE, option(2, DUIDS[B])), kind=13, link="2001:db8:30:1::1")
    answer = answered(inside, source=B, interface_id=None, link="::", peer="2001:db8:30::1")
    assert isinstance(one.decide(answer), ToPeer)
    forward = relayed(boot(REQUEST, option(2, DUIDS[B])), link="2001:db8:30:1::1")
    assert forward[0] == RELAY_FORW
    assert chosen(one, routed(forward, source=ROUTER)) == (B,)


def test_what_was_learnt_of_duids_outlives_a_relay() -> None:
    known, text = ServerIds(), build(POOLED)
    one = relay6(POOLED)
    first = Relay6(text, one.ports, LINKS, server_ids=known)
    first.decide(told_by(B, DUIDS[B]))
    second = Relay6(text, one.ports, LINKS, standing=FIRST_DOWN, server_ids=known)
    assert chosen(second, of(1, REQUEST, DUIDS[B])) == (B,)


def test_the_memory_of_duids_is_bounded() -> None:
    known = ServerIds()
    for number in range(5000):
        known.learn(number.to_bytes(4, "big"), A)
    assert known.of(bytes(4)) is None
    assert known.of((4999).to_bytes(4, "big")) == frozenset({A})
    for number in range(20):
        known.learn(b"clone", bytes(15) + bytes((number,)))
    assert len(known.of(b"clone") or ()) == 8


class Scene:
    """A relay whose servers come and go, and who is booting."""

    def __init__(self, text: str = POOLED) -> None:
        self._text, self.sticky, self._standing = text, StickyClients6(), ALL_UP
        self._pipeline = Pipeline6(16)
        self.think(ALL_UP)
        self.now = 0.0

    def think(self, standing: Standing) -> None:
        """Put another standing of servers into force."""
        if standing != self._standing:
            self.sticky.keep(self._standing, self.now)
        self._standing = standing
        self._pipeline.obey(relay6(self._text, standing=standing, sticky=self.sticky))

    def ask(self, arrival: Arrival6) -> tuple[bytes, ...]:
        """Return the servers that a message goes to."""
        self.now += 1.0
        (outcome,) = self._pipeline.decide([arrival], self.now)
        return to_servers(outcome.decision).servers


def test_rule_109_a_boot_goes_on_where_it_began_though_the_server_is_down() -> None:
    """Of messages that name nobody; the first SOLICIT of a client is all that was seen of it."""
    scene = Scene()
    assert scene.ask(of(1)) == (A,)
    scene.think(FIRST_DOWN)
    assert scene.ask(of(1, REBIND)) == (A,)
    assert scene.ask(of(2)) == (B,), "a client that begins now"
    assert scene.ask(of(1)) == (B,), "a new try goes where somebody answers"
    assert scene.ask(of(1, REBIND)) == (B,), "and stays there"


def test_rule_109_a_client_in_the_middle_of_a_boot_stays_when_its_server_returns() -> None:
    scene = Scene()
    scene.think(FIRST_DOWN)
    assert scene.ask(of(1)) == (B,)
    scene.think(ALL_UP)
    assert scene.ask(of(1)) == (B,), "iPXE asks anew, and must reach the server of the firmware before it"
    assert scene.ask(of(3)) == (A,)


def test_a_sample_is_taken_of_a_client_that_boots_and_of_no_other_message() -> None:
    scene = Scene()
    pool = build(POOLED).pools["altiris"]
    scene.sticky.wanted = {pool}
    for arrival in (of(1, REQUEST), heard(plain(), mac=mac(2)), heard(boot(), mac=bytes(6))):
        scene.ask(arrival)
    assert not scene.sticky.samples
    scene.ask(of(3))
    sample = scene.sticky.samples[pool]
    assert (sample.message, sample.start, sample.vrf) == (boot(), 0, 0)
    assert not scene.sticky.wanted


def test_a_sample_behind_a_router_tells_where_the_clients_message_begins() -> None:
    scene = Scene(POOLED.replace("default: ris", "default: altiris"))
    pool = build(POOLED).pools["altiris"]
    scene.sticky.wanted = {pool}
    arrival = routed(relayed(boot(), link="2001:db8:30:1::1"))
    scene.ask(arrival)
    sample = scene.sticky.samples[pool]
    assert sample.message[sample.start :] == boot()


def test_without_pools_nobody_learns_anything() -> None:
    one = relay6(STANDARD6)
    known = ServerIds()
    plainly = Relay6(build(STANDARD6), one.ports, LINKS, server_ids=known)
    plainly.decide(told_by(A, DUIDS[A]))
    assert known.of(DUIDS[A]) is None
    decision = plainly.decide(of(1, REQUEST, DUIDS[A]))
    assert isinstance(decision, ToServers6)
    assert decision.servers == (A, B)
