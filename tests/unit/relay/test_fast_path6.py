"""Decisions of DHCPv6 from memory are those that the relay would make, whatever happens in between."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pxerelay.policy.addresses6 import Address6
from pxerelay.policy.links import Link
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports6 import PortTable6
from pxerelay.policy.sticky6 import StickyClients6
from pxerelay.relay.decision6 import Arrival6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.fast_path6 import FastPath6
from pxerelay.relay.outcome6 import Requests6
from pxerelay.relay.pipeline6 import Pipeline6
from pxerelay.relay.relay6 import Relay6
from pxerelay.wire import eui64
from pxerelay.wire.facts6 import Facts6
from tests.unit.batches6 import MOST, Done, batch6_of, done, of_groups, outcomes6
from tests.unit.configs import CORE, VLAN10, VLAN20, build
from tests.unit.configs6 import (
    CLIENT_MAC,
    LINK10,
    LINK20,
    LINKS,
    OWN10,
    RIS,
    STANDARD6,
    STRANGER,
    answered,
    heard,
    relay6,
    routed,
)
from tests.unit.messages6 import (
    ADVERTISE,
    GROUP,
    IA,
    PXE,
    RELAY_REPL,
    REPLY,
    REQUEST,
    SOLICIT,
    arch,
    asks_for,
    boot,
    ip6,
    message,
    option,
    plain,
    relayed,
    release,
    vendor_class,
)

_CLASSES = (
    "classes: [{name: uefi, vendor_class: HTTPClient, arch: [7, 16], server: altiris},"
    " {name: there, interfaces: [vlan20], arch: 7, server: dhcp}]\n"
)
_FAILOVER = STANDARD6.replace(
    "altiris: [10.20.0.20, 2001:db8:20::20, 2001:db8:20::21]",
    "altiris: {addresses: [10.20.0.20, 2001:db8:20::20, 2001:db8:20::21], strategy: failover}",
)
_HASH = _FAILOVER.replace("failover", "hash")

CONFIGS = {
    "rules only": STANDARD6,
    "pxe_only": STANDARD6 + "dhcp_servers: [dhcp]\npxe_only: true\n",
    "classes": STANDARD6 + _CLASSES,
    "one VLAN's own": STANDARD6.replace("vlan10: {}", "vlan10: {pxe_only: true}"),
    "all that is said": STANDARD6.replace(
        "dhcpv6: true",
        "dhcpv6: {remote_id: relay, enterprise: 32473, relay_id: 00:03:00:01:02:00:00:00:00:09,"
        ' dhcp_servers: all, trusted: ["vlan*"]}',
    )
    + "dhcp_servers: [dhcp]\n",
    "nothing that is said": STANDARD6.replace(
        "dhcpv6: true", "dhcpv6: {interface_id: false, client_mac: false}"
    ),
    "one Interface-Id": STANDARD6.replace("dhcpv6: true", 'dhcpv6: {interface_id: "all"}'),
    "no room in front": STANDARD6.replace(
        "dhcpv6: true",
        f"dhcpv6: {{remote_id: {'x' * 64}, enterprise: 32473, relay_id: '00:02{':0a' * 100}'}}",
    ),
    "source": STANDARD6 + "source_address: giaddr\nsource_ports: any\n",
    "failover": _FAILOVER,
    "a hash": _HASH + "pxe_only: true\n",
    "a hash for all": _HASH + "dhcp_servers: [altiris]\n" + _CLASSES,
}
POOLED = (ip6("2001:db8:20::20"), ip6("2001:db8:20::21"))

_MACS = [
    bytes.fromhex(text)
    for text in ("020000000001", "020000000002", "001122334455", "008064000001", "008064000002")
] + [bytes.fromhex(text) for text in ("525400123456", "deadbeef0001", "020000000030")]

_SERVERS = bytes.fromhex("00030001020000000b01"), bytes.fromhex("00030001020000000b02")
"""DUIDs of servers: in answers from two of a pool, and in requests that are for them."""

_OPTIONS = st.sampled_from(
    [
        *(boot(REQUEST, option(2, duid)) for duid in _SERVERS),
        boot(),
        boot(REQUEST),
        boot(vendor=b"HTTPClient:Arch:00016", number=16),
        boot(vendor=b"HTTPClienx:Arch:00016", number=16),  # looks like the one above, but for this
        boot(number=9),
        plain(),
        plain(REQUEST, option(2, b"\0\3\0\1" + bytes(6))),
        message(SOLICIT, asks_for(59, 23)),
        message(SOLICIT, asks_for(23, 59)),
        message(SOLICIT, asks_for(23, 24)),
        message(SOLICIT, arch(7) + vendor_class(PXE) + vendor_class(b"HTTPClient")),
        message(SOLICIT, vendor_class(b"HTTP") + arch(7)),
        message(SOLICIT, option(65000) * 70),  # more than are read
        message(SOLICIT, vendor_class(PXE))[:-3],  # cut off
        message(SOLICIT, vendor_class(PXE)) + b"\0",  # an octet that is no option
        release(),
        message(99),
        message(ADVERTISE),
        boot(extra=option(17, bytes(1500))),
        boot(extra=option(17, bytes(2100))),
        b"",
        b"\1\2\3",
    ]
)


@st.composite
def _requests(draw: st.DrawFn) -> Arrival6:
    """Return a client's message, mostly as clients send them."""
    mac = draw(st.sampled_from(_MACS))
    source = eui64.link_local(mac)
    if draw(st.integers(0, 9)) == 0:
        source = ip6(draw(st.sampled_from(["fe80::1234", "2001:db8:10::77", OWN10, LINK10, "::", "ff02::1"])))
    found = heard(
        draw(_OPTIONS),
        interface=draw(st.sampled_from([VLAN10, VLAN10, VLAN20, VLAN20, CORE, 99])),
        source=source,
        destination=draw(st.sampled_from([GROUP] * 9 + [ip6(LINK10)])),
        mac=draw(st.sampled_from([mac] * 9 + [None])),
    )
    return _seen(found)


def _seen(arrival: Arrival6) -> Arrival6:
    """Return a message as it comes: frames are looked at for what was sent to ff02::1:2 alone."""
    return arrival if arrival.destination == GROUP else arrival._replace(mac=None)


@st.composite
def _relayed(draw: st.DrawFn) -> Arrival6:
    """Return what a router or a switch has relayed."""
    octets = relayed(draw(_OPTIONS), hops=draw(st.sampled_from([0, 0, 4])), peer="fe80::ff:fe00:1")
    if draw(st.booleans()):
        return routed(octets)
    return heard(octets, source=ip6("fe80::ff:fe00:1"), port=547)


@st.composite
def _replies(draw: st.DrawFn) -> Arrival6:
    """Return what a server sends, or somebody in its name."""
    told = draw(st.sampled_from([b"", *(option(2, duid) for duid in _SERVERS)]))
    inside = message(
        draw(st.sampled_from([ADVERTISE, REPLY])), told + option(23, bytes(draw(st.integers(0, 3))))
    )
    if draw(st.integers(0, 9)) == 0:
        inside = draw(st.sampled_from([b"", b"\2ab", relayed(inside, kind=13), inside + bytes(1400)]))
    name = draw(st.sampled_from([b"vlan10", b"vlan10", b"vlan20", b"all", b"else", None]))
    mac = draw(st.sampled_from(_MACS))
    peer = str(IPv6Address(eui64.link_local(mac)))
    if draw(st.integers(0, 5)) == 0:
        peer = draw(st.sampled_from(["fe80::1234", "2001:db8:10::77", OWN10, "ff02::1", "fec0::ff:fe00:1"]))
    source = draw(st.sampled_from([RIS, RIS, RIS, *POOLED, *POOLED, STRANGER]))
    found = answered(
        inside,
        interface_id=name,
        link=draw(st.sampled_from([LINK10, LINK10, LINK20, "::"])),
        peer=peer,
        hops=draw(st.integers(0, 1)),
        front=draw(st.sampled_from([b"", b"", option(79, b"\0\1" + mac)])),
        behind=draw(st.sampled_from([b"", b"", option(135, b"\x12\x34"), b"\0", option(9, b"\2bcd")])),
        source=source,
    )
    return found._replace(
        interface=draw(st.sampled_from([CORE] * 5 + [VLAN10])), port=draw(st.sampled_from([547] * 5 + [999]))
    )


_ARRIVALS = st.one_of(_requests(), _requests(), _replies(), _relayed())

_SHUT = LINKS[2]._replace(addresses6=LINKS[2].addresses6[1:])
_RENUMBERED = LINKS[2]._replace(
    addresses6=(Address6(IPv6Address("2001:db8:10::9")), Address6(IPv6Address("fe80::ff:fe00:2")))
)
_ANOTHER_MAC = LINKS[2]._replace(hardware=bytes.fromhex("0200aa00ff10"))
_SERVER_ADDRESS = LINKS[1]._replace(
    addresses6=(*LINKS[1].addresses6, Address6(IPv6Address("2001:db8:20::10")))
)
_CHANGES: list[Link] = [LINKS[2], _SHUT, _RENUMBERED, _ANOTHER_MAC, LINKS[1], _SERVER_ADDRESS]
"""What becomes of vlan10 and core: as they were, without an address, with others; with that of a server."""

assert [link.name for link in LINKS[1:3]] == ["core", "vlan10"]


class Both:
    """A relay that is asked about each message, and one with a fast path in front of it."""

    def __init__(self, name: str) -> None:
        self.links = {link.index: link for link in LINKS}
        self.behind: dict[tuple[int, bytes], bytes] = {}
        self.standing = ALL_UP
        self.sticky = StickyClients6(), StickyClients6()
        self.now = 0.0
        self.reload(name)

    def reload(self, name: str) -> None:
        """Have both made anew by a configuration, and by what is known and thought by now."""
        config, links = build(CONFIGS[name]), tuple(self.links.values())
        self._tables = [PortTable6(config, links, "relay1") for _ in range(2)]
        self.plain, one = (
            Relay6(
                config,
                table.ports,
                links,
                standing=self.standing,
                sticky=sticky,
                behind=lambda interface, address: self.behind.get((interface, address)),
            )
            for table, sticky in zip(self._tables, self.sticky, strict=True)
        )
        self._name, self.short, self._one = name, FastPath6(one), one

    def change(self, link: Link) -> None:
        """Have both follow a change of an interface."""
        self.links[link.index] = link
        for table, relay in zip(self._tables, (self.plain, self._one), strict=True):
            change = table.update({link.index: link})
            if change.matters:
                relay.follow(table.ports, change)
        self.short.follow()

    def think(self, down: frozenset[bytes], doubtful: frozenset[bytes]) -> None:
        """Have another standing of servers in force; who is in the middle of a boot keeps the one before."""
        self.now += 50.0
        for one in self.sticky:
            one.pass_time(self.now)
            one.keep(self.standing, self.now)
        self.standing = Standing(down, doubtful)
        self.reload(self._name)

    def hear(self, arrivals: list[Arrival6]) -> int:
        """Hold both equal on a batch; return how many were taken from memory."""
        expected, met = [], []
        for arrival in arrivals:
            decision = self.plain.decide(arrival)
            expected.append(done(arrival, decision))
            if isinstance(decision, ToServers6) and decision.client:
                met.append(decision.client.client_key)
        found, taken = outcomes6(self.short, arrivals)
        assert _but_replies(found) == _but_replies(expected)
        assert Counter(found) == Counter(expected), "of replies it is not known which of two alike is which"
        self.sticky[0].met(met)
        return len(taken)


def _but_replies(found: list[Done]) -> list[Done | None]:
    return [None if isinstance(one.decision, ToPeer) else one for one in found]


_TWISTS: list[dict[str, Any]] = [
    *[{}] * 12,
    {"source": ip6(OWN10)},
    {"source": ip6("fe80::aa:ff:fe00:20")},
    {"source": ip6("::")},
    {"source": ip6("2001:db8:20::10")},
    {"source": STRANGER},
    {"interface": VLAN10},
    {"interface": VLAN20},
    {"interface": CORE},
    {"destination": ip6(LINK10)},
    {"port": 999},
    {"mac": None},
    *[{"mac": mac} for mac in _MACS[1:4]],
]
"""How a message comes that is otherwise like one that came before."""

_HEARD = st.lists(
    st.tuples(st.integers(0, 99), st.sampled_from(_TWISTS), st.sampled_from([None] * 5 + _MACS)),
    min_size=1,
    max_size=MOST,
)
_SCRIPTS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), _HEARD),
        st.tuples(st.just("hear"), _HEARD),
        st.tuples(st.just("hear"), _HEARD),
        st.tuples(st.just("reload"), st.sampled_from(sorted(CONFIGS))),
        st.tuples(st.just("change"), st.sampled_from(_CHANGES)),
        st.tuples(
            st.just("think"),
            st.tuples(st.frozensets(st.sampled_from([*POOLED, RIS])), st.frozensets(st.sampled_from(POOLED))),
        ),
        st.tuples(st.just("frame"), st.tuples(st.sampled_from(_MACS), st.sampled_from(_MACS))),
    ),
    min_size=2,
    max_size=10,
)


def _twisted(like: Arrival6, changes: dict[str, Any], peer: bytes | None) -> Arrival6:
    """Return a message as one that came, but for how it comes; a RELAY-REPL for another peer."""
    octets = bytes(like.message)
    if peer is not None and octets[:1] == b"\x0d" and len(octets) >= 34:
        address = ip6(OWN10) if peer == _MACS[-1] else eui64.link_local(peer)
        changes = {"message": octets[:18] + address + octets[34:], **changes}
    elif peer is not None and like.mac is not None:
        changes = {"mac": peer, "source": eui64.link_local(peer), **changes}
    return _seen(like._replace(**changes))


@settings(max_examples=150, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    name=st.sampled_from(sorted(CONFIGS)),
    pool=st.lists(_ARRIVALS, min_size=1, max_size=6),
    script=_SCRIPTS,
)
def test_the_fast_path_decides_as_the_relay_does(
    name: str, pool: list[Arrival6], script: list[tuple[str, object]]
) -> None:
    """Also after a reload, a change of the network or of what is thought of servers, and of who is where."""
    both = Both(name)
    both.hear(pool)
    for step, what in script:
        if step == "hear":
            assert isinstance(what, list)
            both.hear([_twisted(pool[at % len(pool)], changes, peer) for at, changes, peer in what])
        elif step == "reload":
            both.reload(str(what))
        elif step == "change":
            assert isinstance(what, Link)
            both.change(what)
        elif step == "think":
            assert isinstance(what, tuple)
            both.think(*what)
        else:
            assert isinstance(what, tuple)
            both.behind[VLAN10, eui64.link_local(what[0])] = what[1]
    both.hear(pool)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_like_one_that_was_met_is_not_judged_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests of other clients with like rules, and replies to other clients."""
    both = Both(name)
    others = [bytes.fromhex(f"0200000000{last:02x}") for last in range(0x41, 0x49)]
    asking = [heard(boot(), source=eui64.link_local(mac), mac=mac) for mac in others]
    inside = message(ADVERTISE, option(23, bytes(16)))
    named = {"one Interface-Id": b"all", "nothing that is said": None}.get(name, b"vlan10")
    answers = [
        answered(inside, interface_id=named, peer=str(IPv6Address(eui64.link_local(mac)))) for mac in others
    ]
    pooled = "hash" in name  # of a hash pool these are two groups
    warm = asking if pooled else asking[:1]
    both.hear([*warm, *answers[:1]])
    expected = [done(one, both.plain.decide(one)) for one in (*asking, *answers)]
    if name == "no room in front":
        groups, rest = both.short.take(batch6_of(asking), range(len(asking)))
        assert (groups, rest) == ([], list(range(len(asking))))
        return
    monkeypatch.delattr(Relay6, "decide_on_taken")
    found, taken = outcomes6(both.short, [*asking, *answers])
    assert (found, len(taken)) == (expected, 16)


@pytest.mark.parametrize(
    "name", ["rules only", "pxe_only", "classes", "source", "failover", "a hash for all"]
)
def test_what_comes_in_another_way_is_judged_by_itself(name: str) -> None:
    """Each thing that decides, alone, after a message that is otherwise the same was met."""
    asking = heard(boot())
    answer = answered(message(ADVERTISE, option(23, bytes(16))))
    changed: list[Arrival6] = [
        *(asking._replace(message=boot(REQUEST, option(2, duid))) for duid in _SERVERS),
        *(
            answered(message(ADVERTISE, option(2, duid) + option(23, bytes(12))), source=source)
            for duid, source in zip(_SERVERS, POOLED, strict=True)
        ),
        *(asking._replace(message=boot(REQUEST, option(2, duid))) for duid in _SERVERS),
        answered(message(ADVERTISE, option(2, _SERVERS[0]) + option(23, bytes(12))), source=POOLED[1]),
        *(asking._replace(message=boot(REQUEST, option(2, duid))) for duid in _SERVERS),
        *(_seen(asking._replace(**twist)) for twist in _TWISTS),
        *(answer._replace(**twist) for twist in _TWISTS),
        *(
            asking._replace(message=bytes((kind,)) + bytes(asking.message)[1:])
            for kind in (1, 2, 3, 7, 8, 10, 11, 12, 13, 36, 99)
        ),
        *(
            asking._replace(
                message=message(SOLICIT, IA + asks_for(*codes) + arch(number) + vendor_class(text))
            )
            for codes in ((59, 60), (60, 59), (23, 24))
            for number in (7, 9, 16)
            for text in (PXE, PXE.replace(b"PXE", b"PXF"), PXE[::-1])
        ),
        *(
            asking._replace(message=message(SOLICIT, asks_for(*codes)))
            for codes in ((59, 60), (60, 59), (23, 24))
        ),
        *(
            answered(message(ADVERTISE, option(23, bytes(16))), **how)
            for how in (
                {"interface_id": b"vlan20"},
                {"interface_id": b"vlan30"},
                {"link": LINK20},
                {"interface_id": None},
                {"interface_id": None, "link": LINK20},
                {"peer": "fe80::ff:fe00:2"},
                {"peer": "fe80::1ff:fe00:2"},
                {"peer": OWN10},
                {"peer": "ff80::ff:fe00:1"},
                {"peer": "2001:db8:10::ff:fe00:1"},
                {"hops": 3},
            )
        ),
        answered(relayed(b"\1abc", kind=13)),
        answered(message(RELAY_REPL, option(23, bytes(16)))),
    ]
    both = Both(name)
    both.hear([asking, answer])
    for one in (*changed, *changed):
        both.hear([one, asking, one, answer])


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.relay.any_fast_path._CLIENTS", 10)
    monkeypatch.setattr("pxerelay.relay.fast_path6._ROUTES", 10)
    monkeypatch.setattr("pxerelay.relay.fast_path6._SAID", 10)
    monkeypatch.setattr("pxerelay.wire.option_fingerprint._MOST", 10)
    short = FastPath6(relay6())
    for last in range(100):
        mac = bytes.fromhex(f"0200000000{last:02x}")
        source = eui64.link_local(mac)
        asking = heard(boot(extra=option(17, bytes(last))), source=source, mac=mac)
        answer = answered(message(ADVERTISE, option(23, bytes(last))), peer=str(IPv6Address(source)))
        outcomes6(short, [asking, answer])
        outcomes6(short, [answer])
        sizes = len(short._rules), len(short._routes), len(short._exits), len(short._said)
        assert max(sizes) <= 10
        assert short._reply_forms._count <= 10


def _strangers(short: FastPath6, arrivals: list[Arrival6]) -> list[int]:
    """Return the positions of clients that a batch shows for the first time and that no rule names."""
    groups, rest = short.take(batch6_of(arrivals), range(len(arrivals)))
    found = [at for group in groups if isinstance(group, Requests6) for at in group.strangers]
    found += [at for at in rest if short.decide(arrivals[at], Facts6(arrivals[at].message))[1]]
    return sorted(found)


def test_clients_without_a_rule_are_strangers_once() -> None:
    """Behind routers too; and again when they are to be met anew."""
    short = FastPath6(relay6())
    macs = [bytes.fromhex(text) for text in ("001122334455", "020000000001", "020000000002", "020000000001")]
    coming = [heard(boot(), source=eui64.link_local(mac), mac=mac) for mac in macs]
    coming += [routed(relayed(boot(), peer="fe80::ff:fe00:9")), answered(message(ADVERTISE))]

    assert [_strangers(short, coming), _strangers(short, coming)] == [[1, 2, 4], []]
    short.meet_anew()
    assert [_strangers(short, coming), _strangers(short, coming)] == [[1, 2, 4], []]


def test_a_client_whose_message_is_too_large_was_not_met() -> None:
    short = FastPath6(relay6())
    huge = heard(boot(extra=option(17, bytes(65400))))
    assert _strangers(short, [huge]) == []
    assert _strangers(short, [heard(boot())]) == [0]


LIMITED = STANDARD6 + "max_requests: 3\n"


@settings(max_examples=40)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from(_MACS[:4]), st.booleans(), st.booleans()), max_size=MOST),
        min_size=1,
        max_size=4,
    )
)
def test_as_much_of_a_client_is_too_much_in_groups_as_alone(
    batches: list[list[tuple[bytes, bool, bool]]],
) -> None:
    """Where it is heard counts too, and what is asked in another way."""
    alone, grouped = Pipeline6(MOST), Pipeline6(MOST)
    alone.obey(relay6(LIMITED))
    grouped.obey(relay6(LIMITED))
    for now, batch in enumerate(batches):
        time = now * 0.4
        arrivals = [
            heard(
                boot() if one else plain(),
                source=eui64.link_local(mac),
                mac=mac,
                interface=VLAN10 if two else VLAN20,
            )
            for mac, one, two in batch
        ]
        expected = Counter(
            (one.arrival.interface, one.arrival.mac)
            for one in alone.decide(arrivals, time)
            if isinstance(one.decision, ToServers6)
        )
        read = batch6_of(arrivals)
        taken = grouped.take(read, range(len(arrivals)), time)
        passed = [at for one in taken.groups if isinstance(one, Requests6) for at in one.positions]
        left = grouped.decide([arrivals[at] for at in taken.rest], time)
        found = Counter((arrivals[at].interface, arrivals[at].mac) for at in passed)
        found.update(
            (one.arrival.interface, one.arrival.mac) for one in left if isinstance(one.decision, ToServers6)
        )
        assert found == expected
        flooded = sum(
            isinstance(one.decision, Dropped6) and one.decision.reason is Drop6.FLOOD for one in left
        )
        assert len(taken.too_much) + flooded == len(arrivals) - found.total()
        assert of_groups(arrivals, taken.groups).keys().isdisjoint(taken.too_much)


def test_a_reply_in_a_group_leaves_as_one_alone() -> None:
    """To a client whose frame was heard, to one that nobody knows, to one whose address says who it is."""
    both = Both("rules only")
    both.behind[VLAN10, ip6("fe80::1234")] = CLIENT_MAC
    answers = [
        answered(message(REPLY), peer=peer) for peer in ("fe80::1234", "fe80::5678", "fe80::ff:fe00:1")
    ]
    both.hear(answers)
    assert both.hear(answers) == 2, "the kernel finds the other one"
    (first,) = (decision for decision in [both.plain.decide(answers[0])] if isinstance(decision, ToPeer))
    assert first.hardware == CLIENT_MAC
