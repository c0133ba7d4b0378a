"""Decisions from memory are those that the relay would make."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address

import pytest

from pxerelay.policy.links import Link
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.rules import Reason
from pxerelay.policy.sticky import StickyClients
from pxerelay.relay.decision import ToClient, ToServers
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.outcome import Replies, Requests
from pxerelay.relay.relay import Relay
from pxerelay.wire.facts import Facts
from tests.unit.batches import MOST, Arrival, batch_of, decide, outcomes
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, VLAN20, bare, relay
from tests.unit.messages import ip, mac, message, option, reply, request

RIS = "10.20.0.10"
CONFIGS = {
    "rules only": STANDARD,
    "pxe_only": STANDARD + "dhcp_servers: [dhcp]\npxe_only: true\n",
    "classes": STANDARD
    + "classes: [{name: uefi, vendor_class: HTTPClient, arch: [7, 16], server: altiris}]\n",
    "one VLAN's own": STANDARD.replace("vlan10: {}", "vlan10: {pxe_only: true}"),
    "option 82": STANDARD + "option82: {circuit_id: '{interface}'}\n",
    "a shared giaddr": STANDARD.replace("vlan10: {}", "vlan10: {giaddr: 10.20.0.1}").replace(
        "{default: altiris}", "{default: altiris, giaddr: 10.20.0.1}"
    )
    + "option82: {circuit_id: '{interface}'}\n",
    "classes by interface": STANDARD
    + "classes: [{name: a, interfaces: [vlan20], arch: 7, server: dhcp},"
    + " {name: b, vendor_class: PXE, interfaces: [vlan10], server: altiris}]\n",
    "source": STANDARD + "source_address: giaddr\nmax_hops: 16\n",
}

FAILOVER = STANDARD.replace(
    "[10.20.0.20, 10.20.0.21]", "{addresses: [10.20.0.20, 10.20.0.21], strategy: failover}"
)
HASH = FAILOVER.replace("failover", "hash")
HASHES = HASH.replace(
    "ris: 10.20.0.10", "ris: {addresses: [10.20.0.10, 10.20.0.11, 10.20.0.20], strategy: hash}"
)
POOLS = {
    "failover": FAILOVER,
    "hash": HASH,
    "a hash by default": HASHES + "pxe_only: true\ndhcp_servers: [dhcp]\n",
    "a hash for all": HASHES + "dhcp_servers: [altiris]\n",
    "both": HASHES.replace(
        "[10.20.0.20, 10.20.0.21], strategy: hash", "[10.20.0.20, 10.20.0.21], strategy: failover"
    )
    + "classes: [{name: uefi, vendor_class: HTTPClient, arch: [7, 16], server: altiris},"
    + " {name: two, vendor_class: PXE, server: [ris, altiris]}]\n",
    "a failover of all with option 82": FAILOVER
    + "dhcp_servers: [altiris]\noption82: {circuit_id: '{interface}'}\n",
}
CONFIGS.update(POOLS)

CLIENTS = [
    *("00:11:22:33:44:55", "00:80:64:00:00:01", "52:54:00:12:34:56"),
    *("de:ad:be:ef:00:01", "02:00:00:00:00:01", "02:00:00:00:00:02"),
]
REQUEST_OPTIONS = [
    None,
    b"",
    b"\xff",
    option(60, b"PXEClient:Arch:00000") + b"\xff",
    option(53, b"\1") + option(60, b"PXEClient") + b"\xff",
    option(60, b"HTTPClient") + option(93, b"\0\x10") + b"\xff",
    option(93, b"\0\7\0\x10") + option(60, b"HTTPClient") + b"\xff",
    option(53, b"\1") + option(60, b"HTTPClienx") + b"\xff",  # looks like the third, but for this
    option(60, b"HTTP") + option(93, b"\0\7") + option(60, b"Client") + b"\xff",  # split
    option(52, b"\1") + option(93, b"\0\7") + b"\xff",  # overload
    option(60, b"PXEClient")[:-3],  # cut off
    option(53, b"\1") + option(60, b"") + option(60, b"PXEClient") + b"\xff",
    b"\0\0" + option(60, b"PXEClient"),  # no END
    option(60, b"PXEClient") + option(82, option(1, b"x")) + b"\xff",
]
REPLY_OPTIONS = [
    *(option(53, bytes((kind,))) for kind in (2, 5, 6, 5, 2)),
    option(53, b"\2") + option(53, b"\6"),
    option(53, b"") + option(53, b"\6"),
    option(12, b"name") + option(53, b"\6"),
    option(53, b"\6")[:2],
    b"",
]
ECHOED = [b"", b"", *(option(82, option(1, name)) for name in (b"vlan10", b"vlan20", b"else"))]
HTTP_FILE = option(60, b"HTTPClient") + b"\xff"


def arrivals(chance: random.Random, count: int) -> list[Arrival]:
    """Return datagrams of few kinds, so that most of them meet one of their own."""
    return [_request(chance) if chance.random() < 0.55 else _reply(chance) for _ in range(count)]


def _request(chance: random.Random) -> Arrival:
    octets = message(
        op=chance.choice([1] * 30 + [0]),
        htype=chance.choice([1] * 20 + [6]),
        hlen=chance.choice([6] * 20 + [0, 16, 17]),
        hops=chance.choice([0] * 8 + [1, 4, 5, 16, 17]),
        giaddr=chance.choice(["0.0.0.0"] * 4 + ["10.30.0.1", "10.10.10.1", "10.31.0.1"]),
        chaddr=chance.choice(CLIENTS),
        options=chance.choice(REQUEST_OPTIONS),
        file=chance.choice([b"", b"", HTTP_FILE]),
        pad=chance.choice([0, 300, 300, 300, 1472, 1500, 2100]),
    )
    index = chance.choice([VLAN10, VLAN20, VLAN10, VLAN20, CORE, 3, 99])
    others = ["10.30.0.2", "192.0.2.1", "10.10.10.9", "10.10.20.9", "10.10.10.1"]
    sources = ["0.0.0.0"] * 20 + ["10.30.0.1"] * 10 + others
    source = chance.choice(sources)
    return octets, index, ip(source), chance.random() < 0.3


def _reply(chance: random.Random) -> Arrival:
    octets = message(
        op=2,
        htype=chance.choice([1] * 20 + [6]),
        hlen=chance.choice([6] * 20 + [0, 16, 17]),
        hops=chance.choice([0, 3, 255]),
        flags=chance.choice([0, 0, 0, 0x8000, 0x7FFF]),
        ciaddr=chance.choice(["0.0.0.0"] * 4 + ["10.10.10.77"]),
        yiaddr=chance.choice(["10.10.10.78", "10.10.10.79", "0.0.0.0"]),
        giaddr=chance.choice(["10.10.10.1", "10.10.20.1", "10.20.0.1", "10.30.0.1"]),
        chaddr=chance.choice(CLIENTS),
        options=chance.choice(REPLY_OPTIONS) + chance.choice(ECHOED) + b"\xff",
        pad=chance.choice([0, 300, 300, 2100]),
    )
    if chance.random() < 0.05:
        octets = octets[: chance.choice([0, 235, 236, 239, 240, 242, 243, 244])]
    index = chance.choice([CORE, CORE, 3, VLAN10, VLAN20])
    return octets, index, ip(chance.choice([RIS, RIS, RIS, "10.20.0.20", "192.0.2.1"])), True


RED, BLUE = 50, 60
IN_VRFS = (
    LINKS[0],
    LINKS[1],
    Link(3, "core-red", up=True, mtu=1500, addresses=(IPv4Address("10.20.0.3"),), vrf=RED),
    Link(VLAN10, "vlan10", up=True, mtu=1500, addresses=(IPv4Address("10.10.10.1"),), vrf=RED),
    Link(VLAN20, "vlan20", up=True, mtu=1500, addresses=(IPv4Address("10.10.10.1"),), vrf=BLUE),
    Link(RED, "red", up=True, mtu=1500, addresses=(), vrf=RED),
    Link(BLUE, "blue", up=True, mtu=1500, addresses=(), vrf=BLUE),
)
NETWORKS = {"plain": LINKS, "VRFs": IN_VRFS}


@pytest.mark.parametrize("links", NETWORKS)
@pytest.mark.parametrize("name", CONFIGS)
def test_shortcuts_decide_as_the_relay_does(name: str, links: str) -> None:
    """Thousands of messages, many of which are like one that went before."""
    chance = random.Random(f"{name} {links}")
    known = 0
    for _ in range(16):
        plain, one = (relay(CONFIGS[name], NETWORKS[links]) for _ in range(2))
        short = FastPath(one)
        met = arrivals(chance, MOST // 2)
        for _ in range(8):
            batch = [*chance.choices(met, k=MOST // 2), *arrivals(chance, MOST // 2)]
            expected = []
            for octets, index, source, unicast in batch:
                patched = bytearray(octets)
                decision = plain.decide(patched, index, source, unicast)
                expected.append((bare(decision), bytes(patched)))
            found, taken = outcomes(short, batch)
            assert found == expected
            known += len(taken)
    assert known > 50 or "option82" in CONFIGS[name], "fast_path are taken"


@pytest.mark.parametrize(
    ("name", "options"),
    [("rules only", option(60, b"HTTPClient") + b"\xff"), ("pxe_only", option(60, b"PXEClient") + b"\xff")],
)
def test_a_client_like_one_that_was_met_is_not_judged_again(
    name: str, options: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = FastPath(relay(CONFIGS[name]))
    other = message(options=options, hops=2, chaddr="02:00:00:00:00:02")
    ((first, _),), _ = outcomes(short, [(message(options=options), VLAN10, ip("0.0.0.0"), False)])
    monkeypatch.delattr(Relay, "decide")
    ((second, patched),), _ = outcomes(short, [(other, VLAN10, ip("0.0.0.0"), False)])
    assert isinstance(first, ToServers)
    assert second == first
    assert (patched[3], patched[24:28]) == (3, ip("10.10.10.1"))


def test_replies_of_a_server_that_was_met_are_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    short = FastPath(relay())
    answers = [(reply(yiaddr=f"10.10.10.{at}"), CORE, ip("10.20.0.10"), True) for at in (70, 71)]
    outcomes(short, answers[:1])
    monkeypatch.delattr(Relay, "decide")
    ((decision, _),), _ = outcomes(short, answers[1:])
    assert isinstance(decision, ToClient)
    assert (decision.address, decision.hardware) == (ip("10.10.10.71"), mac("02:00:00:00:00:01"))


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.relay.any_fast_path._CLIENTS", 10)
    monkeypatch.setattr("pxerelay.relay.fast_path._ROUTES", 10)
    monkeypatch.setattr("pxerelay.relay.fast_path._SOURCES", 10)
    short = FastPath(relay())
    for last in range(100):
        asking = request(chaddr=f"02:00:00:00:00:{last:02x}", giaddr=f"10.30.0.{last}")
        answer = reply(giaddr="10.10.20.1" if last % 2 else "10.10.10.1")
        outcomes(short, [(asking, CORE, ip(f"10.30.0.{last}"), True), (answer, 100 + last, ip(RIS), True)])
        sizes = len(short._rules), len(short._routes), len(short._exits), len(short._places)
        assert max(sizes) <= 10


POOLED = [ip(address) for address in (RIS, "10.20.0.11", "10.20.0.20", "10.20.0.21")]


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("turns_early", [False, True])
def test_shortcuts_decide_as_the_relay_does_while_servers_come_and_go(
    name: str, turns_early: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And clients stay where their boot began, or do not."""
    if turns_early:
        monkeypatch.setattr("pxerelay.policy.sticky._MOST", 3)
        monkeypatch.setattr("pxerelay.relay.client_groups._MOST", 3)
    chance = random.Random(f"{name} {turns_early}")
    known = stayed = 0
    for _ in range(6):
        plain_boots, boots = StickyClients(), StickyClients()
        standing, now = ALL_UP, 0.0
        for _ in range(12):
            plain = relay(POOLS[name], LINKS, standing, plain_boots)
            short = FastPath(relay(POOLS[name], LINKS, standing, boots))
            met = arrivals(chance, MOST // 2)
            for _ in range(3):
                batch = [*chance.choices(met, k=MOST // 2), *arrivals(chance, MOST // 2)]
                expected, clients = [], []
                for octets, index, source, unicast in batch:
                    patched = bytearray(octets)
                    decision = plain.decide(patched, index, source, unicast)
                    expected.append((bare(decision), bytes(patched)))
                    if isinstance(decision, ToServers):
                        clients.append(Facts(octets).client_key)
                stayed += sum(boots.standing_for(client) is not None for client in clients)
                found, taken = outcomes(short, batch)
                assert found == expected
                known += len(taken)
                if not turns_early:
                    plain_boots.met(clients)
            now += chance.choice([10.0, 50.0, 130.0])
            for one in (plain_boots, boots):
                one.pass_time(now)
                one.keep(standing, now)
            if turns_early:
                plain_boots._kept = [kept._replace(clients=set(kept.clients)) for kept in boots._kept]
            down, doubtful, returning = (
                frozenset(chance.sample(POOLED, chance.choice([0, 0, 1, 2]))) for _ in range(3)
            )
            standing = Standing(down, doubtful, returning)
    assert known > 50 or "option 82" in name, "fast_path are taken"
    assert stayed > 50, "clients are in the middle of a boot"


def test_a_hash_is_asked_once_for_each_client(monkeypatch: pytest.MonkeyPatch) -> None:
    short = FastPath(relay(HASH))
    asking = [
        (request(chaddr=f"00:80:64:00:00:{last:02x}"), VLAN10, ip("0.0.0.0"), False) for last in range(20)
    ]
    first, _ = outcomes(short, asking)
    altiris = short._relay.config.pools["altiris"]
    assert {(one.servers, one.reason, one.pools) for one, _ in first if isinstance(one, ToServers)} == {
        ((ip(f"10.20.0.{last}"),), Reason.OUI, (altiris,)) for last in (20, 21)
    }
    monkeypatch.delattr(Relay, "decide")
    monkeypatch.setattr("pxerelay.policy.pools._weight", None)
    assert outcomes(short, asking)[0] == first


def test_what_is_left_out_is_what_is_too_much() -> None:
    short = FastPath(relay())
    batch = [
        (request(chaddr=f"02:00:00:00:00:{last}"), VLAN10, ip("0.0.0.0"), False)
        for last in ("01", "02", "01", "03", "01")
    ]
    outcomes(short, batch)
    (known,), rest = short.take(batch_of(batch))
    assert not rest
    assert isinstance(known, Requests)
    known.leave_out({2, 4})
    left = [bytes(message[28:34]).hex() for message in known.messages]
    assert (left, known.positions) == (["020000000001", "020000000002", "020000000003"], [0, 1, 3])


def strangers(short: FastPath, coming: Sequence[Arrival], leave: Collection[int] = ()) -> list[int]:
    """Return the positions of clients that a batch shows for the first time and that no rule names."""
    batch = batch_of(coming)
    known, rest = short.take(batch, leave)
    told = [*known, *(short.decide(batch, at, Facts(batch.messages[at])) for at in rest)]
    return sorted(at for one in told if not isinstance(one, Replies) for at in one.strangers)


def test_a_client_in_the_middle_of_a_boot_is_a_stranger_too() -> None:
    """It may have had a rule until a moment ago, and fall to a default by a new configuration."""
    boots = StickyClients()
    booting = [request(chaddr=chaddr) for chaddr in ("02:00:00:00:00:01", "00:11:22:33:44:55")]
    boots.met(Facts(one).client_key for one in booting)
    boots.keep(ALL_UP, 0.0)
    short = FastPath(relay(HASH, sticky=boots))
    coming: list[Arrival] = [(octets, VLAN10, ip("0.0.0.0"), False) for octets in booting]

    assert boots.standing_for(Facts(booting[0]).client_key)
    assert [strangers(short, coming), strangers(short, coming)] == [[0], []]
    assert boots.standing_for(Facts(booting[0]).client_key) is None, "its servers are the same now as before"
    boots.keep(ALL_UP, 0.0)
    short.meet_anew()
    assert [strangers(short, coming, leave=(0, 1)), strangers(short, coming, leave=(0, 1))] == [[0], []]


def test_clients_without_a_rule_are_strangers_once() -> None:
    """Whether they are known or not; and again when they are to be met anew."""
    short = FastPath(relay())
    listed, *unlisted = "00:11:22:33:44:55", "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:01"
    coming: list[Arrival] = [
        *((request(chaddr=chaddr), VLAN10, ip("0.0.0.0"), False) for chaddr in (listed, *unlisted)),
        (reply(), CORE, ip(RIS), True),
        (request(chaddr="02:00:00:00:00:03", hlen=16), VLAN10, ip("0.0.0.0"), False),
        (b"\1\1\6\0", VLAN10, ip("0.0.0.0"), False),
    ]

    assert [strangers(short, coming), strangers(short, coming)] == [[1, 2], []]
    short.meet_anew()
    assert [strangers(short, coming), strangers(short, coming)] == [[1, 2], []]
    short.meet_anew()
    assert [strangers(short, coming, leave=range(len(coming))), strangers(short, coming)] == [[1, 2], []]


def test_a_request_that_is_none_of_our_business_meets_nobody() -> None:
    short = FastPath(relay())
    asking = request(chaddr="02:00:00:00:00:01")
    assert strangers(short, [(asking, CORE, ip("0.0.0.0"), False)]) == []
    assert strangers(short, [(asking, VLAN10, ip("0.0.0.0"), False)]) == [0]


def test_what_is_to_be_left_is_left_and_decided_alike() -> None:
    """Known requests and replies of clients that somebody follows; nobody is a stranger less for it."""
    short, plain = FastPath(relay()), relay()
    coming: list[Arrival] = [
        *((request(chaddr=f"02:00:00:00:00:0{last}"), VLAN10, ip("0.0.0.0"), False) for last in (1, 2)),
        *((reply(yiaddr=f"10.10.10.{last}"), CORE, ip(RIS), True) for last in (71, 72)),
    ]
    for _ in range(2):
        outcomes(short, coming)
    batch = batch_of(coming)
    assert short.take(batch)[1] == []
    short.meet_anew()
    batch = batch_of(coming)
    (known, answers), rest = short.take(batch, leave=[1, 2])
    assert isinstance(known, Requests)
    assert isinstance(answers, Replies)
    assert (known.strangers, len(answers.replies), rest) == ([0], 1, [1, 2])
    for at in rest:
        octets, index, source, unicast = coming[at]
        patched = bytearray(octets)
        assert bare(decide(short, batch, at)) == bare(plain.decide(patched, index, source, unicast))
        assert batch.messages[at] == patched
    short.meet_anew()
    assert strangers(short, coming, leave=[1, 2]) == [0, 1]
