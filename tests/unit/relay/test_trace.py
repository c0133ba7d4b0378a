"""Which messages those who follow clients are told of, and what."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import pairwise
from typing import Any

import pytest

from pxerelay.daemon.warnings import fields_of
from pxerelay.policy.links import Link
from pxerelay.policy.servers import NamedServer
from pxerelay.relay import trace
from pxerelay.relay.account import Account
from pxerelay.relay.trace import TraceError, Watch, Watches
from pxerelay.relay.trace_view import View4
from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import parse_pattern
from tests.unit.batches import Arrival, batch_of
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, VLAN20, relay
from tests.unit.messages import ip, mac, reply, request

NAMES = {link.index: link.name for link in LINKS}
NOBODY, RIS, ROUTER = ip("0.0.0.0"), ip("10.20.0.10"), ip("10.30.0.1")
CONFIG = {"sha256": "1"}
MINE, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"


class Peer:
    """Who watches: what it was told, and how much it lost."""

    def __init__(self, watches: Watches, pattern: str = MINE, place: str | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.lost = 0
        self.watch = Watch(parse_pattern(pattern), place, self.events.append, self._lose)
        self.first = watches.add(self.watch)

    def _lose(self, count: int) -> None:
        self.lost += count


@pytest.fixture
def watches() -> Watches:
    made = Watches()
    made.obey([View4(relay(), NAMES)], CONFIG)
    return made


def pass_on(watches: Watches, arrivals: list[Arrival], now: float = 0.0, at: float = 1000.0) -> list[int]:
    """Do with a batch what traffic does, and return the positions that somebody wants."""
    batch = batch_of(arrivals)
    wanted = watches.wanting(batch, now)
    for position, who in wanted.items():
        message, index, source, unicast = batch.arrival(position)
        facts = Facts(message)
        view = watches.views[4]
        assert isinstance(view, View4)
        decision = view.relay.decide(message, index, source, unicast, facts)
        account = view.account(facts, index, source, decision)
        for watch in who:
            watch.tell(account, [packet.transaction(message)], [], now, at)
    return sorted(wanted)


def asked(chaddr: str = MINE, index: int = VLAN10, **more: Any) -> Arrival:
    return request(chaddr=chaddr, **more), index, NOBODY, False


def test_only_messages_of_the_clients_that_are_followed_are_wanted(watches: Watches) -> None:
    assert not watches
    Peer(watches, "02:00:00:00:00:0?")
    assert watches
    arrivals: list[Arrival] = [
        asked(),
        asked("02:00:00:00:00:10"),
        (reply(), CORE, RIS, True),
        (b"\1\1\6", VLAN10, NOBODY, False),
        asked(OTHER),
        asked(hlen=8),
        asked(htype=6),
    ]
    assert pass_on(watches, arrivals) == [0, 2, 4, 6]


def test_several_may_follow_one_client(watches: Watches) -> None:
    one, two = Peer(watches), Peer(watches, "*")
    pass_on(watches, [asked(), asked(OTHER)])
    assert [event["mac"] for event in one.events] == [MINE]
    assert [event["mac"] for event in two.events] == [MINE, OTHER]
    watches.remove(one.watch)
    watches.remove(one.watch)
    pass_on(watches, [asked()])
    assert (len(one.events), len(two.events)) == (1, 3)


def test_a_place_is_an_interface_or_a_router(watches: Watches) -> None:
    vlan10, vlan20 = Peer(watches, "*", "vlan10"), Peer(watches, "*", "vlan20")
    router = Peer(watches, "*", "10.30.0.1")
    arrivals: list[Arrival] = [
        asked(),
        asked(index=VLAN20),
        (request(giaddr="10.30.0.1"), CORE, ROUTER, True),
        (request(giaddr="10.30.0.9"), CORE, ROUTER, True),
        (reply(), CORE, RIS, True),
        (reply(giaddr="10.10.20.1"), CORE, RIS, True),
    ]
    pass_on(watches, arrivals)
    seen = [[event["giaddr"] for event in peer.events] for peer in (vlan10, vlan20, router)]
    assert seen == [["10.10.10.1"] * 2, ["10.10.20.1"] * 2, ["10.30.0.1"]]
    assert router.events[0]["router"] == "10.30.0.1"


def test_replies_of_a_giaddr_that_interfaces_share_are_told_where_they_leave() -> None:
    made = Watches()
    text = STANDARD.replace("vlan10: {}", "vlan10: {giaddr: 10.20.0.1}").replace(
        "{default: altiris}", "{default: altiris, giaddr: 10.20.0.1}"
    )
    made.obey([View4(relay(text + "option82: {circuit_id: '{interface}'}\n"), NAMES)], CONFIG)
    here, there = Peer(made, "*", "vlan10"), Peer(made, "*", "vlan20")
    pass_on(made, [asked(), (reply(giaddr="10.20.0.1"), CORE, RIS, True)])
    assert [event["message"] for event in here.events] == ["DISCOVER", "OFFER"]
    assert there.events == []


def test_the_time_to_the_reply_is_told(watches: Watches) -> None:
    peer = Peer(watches)
    pass_on(watches, [(reply(), CORE, RIS, True)], 1.0)
    pass_on(watches, [asked()], 2.0)
    pass_on(watches, [(reply(), CORE, RIS, True)], 2.0125)
    pass_on(watches, [asked()], 6.0)
    pass_on(watches, [(reply(), CORE, RIS, True)], 6.001)
    times = [event["milliseconds"] for event in peer.events if not event["request"]]
    assert times == [None, 12.5, 1.0]


def test_memory_of_requests_has_a_bound(watches: Watches) -> None:
    peer = Peer(watches, "*")
    for number in range(1000):
        pass_on(watches, [asked(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")], float(number))
    assert len(peer.watch._asked) <= 256


def test_more_than_can_be_told_goes_its_way_and_is_counted(
    watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "RATE", 5)
    peer, other = Peer(watches, "*"), Peer(watches, OTHER)
    assert pass_on(watches, [asked()] * 3, 100.0) == [0, 1, 2]
    assert pass_on(watches, [asked(OTHER)] * 3, 100.5) == [0, 1]
    assert pass_on(watches, [asked(OTHER)], 100.9) == []
    assert (peer.lost, other.lost) == (2, 2)
    assert pass_on(watches, [asked()] * 5, 101.1) == [0, 1, 2, 3, 4]


def test_what_changes_is_told(watches: Watches) -> None:
    peer, many = Peer(watches, MINE, "vlan10"), Peer(watches, "*")
    assert peer.first["mapping"] == [
        {
            "family": 4,
            "where": ["vlan10"],
            "reason": "default",
            "rule": "default",
            "choice": "ris",
            "servers": ["ris 10.20.0.10"],
            "dropped": "",
            "lost": [],
        }
    ]
    watches.obey([View4(relay(), NAMES)], CONFIG)
    assert peer.events == many.events == []
    other = View4(relay(STANDARD.replace("default: ris", "default: dhcp")), NAMES)
    watches.obey([other], CONFIG)
    assert [event["event"] for event in peer.events] == ["mapping"]
    assert many.events == []
    watches.obey([View4(relay(), NAMES)], {"sha256": "2"})
    assert [event["event"] for event in peer.events[1:]] == ["reload"]
    assert [event["event"] for event in many.events] == ["reload"]
    down = tuple(Link(link.index, link.name, False, link.mtu, link.addresses) for link in LINKS)
    watches.obey([View4(relay(links=down), NAMES)], {"sha256": "2"})
    assert [event["text"].split(":")[0] for event in peer.events[2:]] == ["vlan10 waiting"]
    assert [event["name"] for event in many.events[1:]] == ["vlan10", "vlan20"]


def test_what_the_mapping_says_is_told_by_place(watches: Watches) -> None:
    default, vlan20 = Peer(watches).first["mapping"]
    assert (default["where"], default["servers"]) == (["vlan10", None], ["ris 10.20.0.10"])
    assert (vlan20["where"], vlan20["reason"], vlan20["rule"]) == (["vlan20"], "interface-default", "vlan20")
    assert vlan20["lost"] == [{"reason": "default", "rule": "default", "choice": "ris"}]
    (dropped,) = Peer(watches, "de:ad:be:ef:00:01", "vlan10").first["mapping"]
    assert (dropped["servers"], dropped["dropped"]) == ([], "the mapping says drop")
    assert Peer(watches, "02:00:*").first["mapping"] == []


def test_places_where_one_rule_chooses_are_told_once(watches: Watches) -> None:
    (everywhere,) = Peer(watches, "00:80:64:00:00:01").first["mapping"]
    assert (everywhere["where"], everywhere["rule"]) == (["vlan10", "vlan20", None], "00:80:64")
    assert everywhere["lost"] == [{"reason": "default", "rule": "default", "choice": "ris"}]


def test_traces_are_few_and_places_must_be_some(watches: Watches) -> None:
    with pytest.raises(TraceError, match="vlan99 is no client interface of this relay; there are: vlan10"):
        Peer(watches, place="vlan99")
    peers = [Peer(watches, f"0{number}:*") for number in range(4)]
    with pytest.raises(TraceError, match=r"4 traces are running already \(00:\*, 01:\*"):
        Peer(watches)
    watches.remove(peers[0].watch)
    Peer(watches)


def test_an_account_goes_through_json() -> None:
    account = Account(
        *(MINE, "vlan10", "0.0.0.0", True),
        servers=(NamedServer("ris", "10.20.0.10"), NamedServer("", "10.20.0.11")),
        server=NamedServer("", str(IPv4Address(RIS))),
        rule="02:00:*",
        dropped="flood",
    )
    assert Account.of_plain({**account.plain, "else": 1}) == account
    assert fields_of(account)._asdict() == {
        "mac": MINE,
        "interface": "vlan10",
        "servers": ("10.20.0.10",),
        "rule": "02:00:*",
        "reason": "flood",
        "family": "",
        "duid": "",
        "peer": "",
    }


def test_of_several_servers_of_which_one_is_the_clients_that_one_is_told() -> None:
    text = "servers: {ris: {addresses: [10.20.0.10, 10.20.0.11], strategy: failover}}\ndefault: ris\n"
    one = relay(text + "interfaces: {vlan10: {}}\n")
    (said,) = trace.mapping_of(View4(one, {}), parse_pattern("02:00:00:00:00:01"), None)
    assert said["servers"] == ["ris 10.20.0.10"]


MANY_PLACES = """
servers: {ris: 10.20.0.10, altiris: 10.20.0.20, arm: 10.20.0.30}
default: ris
interfaces:
  "vlan1*": {}
  "vlan2*": {default: altiris}
  "vlan3*": {pxe_only: true}
  "vlan4*": {default: drop}
accept_relayed_from: [10.30.0.0/16]
classes:
  - {name: here, vendor_class: PXEClient, interfaces: [vlan11, vlan21], server: arm}
rules:
  02:00:00:00:00:02: altiris
"""


def test_places_that_are_alike_are_asked_about_once_and_the_answer_is_the_same() -> None:
    links = tuple(
        Link(10 + number, f"vlan{number}", up=True, mtu=1500, addresses=(IPv4Address(f"10.{number}.0.1"),))
        for number in range(10, 50)
    )
    view = View4(relay(MANY_PLACES, links), {})
    asked_about: list[str] = []
    verdict = view.verdict

    def counted(chaddr: bytes, port: Any) -> trace.Event:
        asked_about.append(port.name if port else "")
        return verdict(chaddr, port)

    view.verdict = counted  # type: ignore[method-assign]
    for client in (MINE, OTHER):
        asked_about.clear()
        told = trace.mapping_of(view, parse_pattern(client), None)
        assert len(asked_about) <= 7, "six kinds of VLAN, and behind a router"
        where = {name: entry for entry in told for name in entry["where"]}
        assert len(where) == 41
        for port in (*view.relay.ports, None):
            alone = verdict(mac(client), port)
            entry = where[port.name if port else None]
            for key in ("reason", "rule", "choice", "servers", "dropped"):
                assert entry[key] == alone[key]
            assert all(lost in alone["lost"] for lost in entry["lost"])


def test_who_samples_takes_nothing_of_what_others_are_told(
    watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "RATE", 5)
    monkeypatch.setattr(trace, "SAMPLE", 3)
    monkeypatch.setattr(trace, "SAMPLE_AT_ONCE", 3)
    events: list[dict[str, Any]] = []
    sampler = Watch(parse_pattern("*"), None, events.append, lambda _: None, sample=True)
    watches.add(sampler)
    with pytest.raises(TraceError, match="one does at a time"):
        watches.add(Watch(parse_pattern("*"), None, events.append, lambda _: None, sample=True))
    peers = [Peer(watches) for _ in range(trace.MOST)]
    with pytest.raises(TraceError, match="traces are running already"):
        Peer(watches)
    pass_on(watches, [asked()] * 10, now=5.0)
    assert len(events) == trace.SAMPLE
    for peer in peers:
        assert len(peer.events) == trace.RATE
        assert peer.lost == trace.RATE
    assert pass_on(watches, [asked(OTHER)], now=5.3) == []
    pass_on(watches, [asked(OTHER), asked(OTHER)], now=6.5)
    assert len(events) == trace.SAMPLE + 2
    watches.remove(sampler)
    for peer in peers:
        watches.remove(peer.watch)
    assert not watches


def test_a_sample_is_spread_over_the_second_and_has_an_exchange_as_a_whole(watches: Watches) -> None:
    """Fifty of them at the beginning of each second would keep other clients' messages waiting."""
    sampler = Watch(parse_pattern("*"), None, lambda _: None, lambda _: None, sample=True)
    watches.add(sampler)
    told = [pass_on(watches, [asked()], now=5 + at / 1000) for at in range(2000)]
    assert [len(one) for one in told[: trace.SAMPLE_AT_ONCE]] == [1] * trace.SAMPLE_AT_ONCE
    later = [at for at, one in enumerate(told) if one][trace.SAMPLE_AT_ONCE :]
    assert 2 * trace.SAMPLE - 2 <= len(later) <= 2 * trace.SAMPLE
    assert min(after - before for before, after in pairwise(later)) >= 1000 // trace.SAMPLE - 1


def test_a_look_tells_what_a_trace_would_begin_with_and_begins_none(watches: Watches) -> None:
    watch = Watch(parse_pattern(MINE), None, lambda _: None, lambda _: None)
    told = watches.look(watch)
    assert not watches
    assert told == watches.add(watch)
    with pytest.raises(TraceError):
        watches.look(Watch(parse_pattern(MINE), "vlan99", lambda _: None, lambda _: None))


def test_who_has_had_its_sample_keeps_no_client_from_the_fast_path(
    watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "SAMPLE", 1)
    monkeypatch.setattr(trace, "SAMPLE_AT_ONCE", 1)
    sampler = Watch(parse_pattern("*"), None, lambda _: None, lambda _: None, sample=True)
    watches.add(sampler)
    watches.renew(5.0)
    assert watches.of_client(mac(MINE)) == [sampler]
    pass_on(watches, [asked()], now=5.1)
    assert watches.of_client(mac(MINE)) == []
    watches.renew(6.5)
    assert watches.of_client(mac(MINE)) == [sampler]
