"""What must hold for any octets that arrive at port 547, and relays to hold it against.

The first octet of an input chooses the relay, and whether clients have one of several servers, the second one
how the datagram comes (`first_octets`); the rest is the datagram. The rules are written down here a second
time, in other words than the relay's. What the fast path makes of a datagram, when it has met others and when
it has met this one, is what the relay makes of it.
"""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

from pxerelay.policy.pools import Standing
from pxerelay.policy.sticky6 import StickyClients6
from pxerelay.relay.account6 import Narrator6
from pxerelay.relay.decision6 import Arrival6, Decision6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.fast_path6 import FastPath6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.server_ids import ServerIds
from pxerelay.wire import eui64
from pxerelay.wire.facts6 import Facts6
from tests.fuzz.reading6 import (
    Options,
    eui64_mac,
    layers_of,
    names_a_server,
    numbers_of,
    options_of,
    strings_of,
)
from tests.unit.batches6 import Done, done, outcomes6
from tests.unit.configs import CORE, VLAN10, VLAN20
from tests.unit.configs6 import (
    ALTIRIS,
    LINK10,
    LINK20,
    LINKS,
    OWN10,
    OWN20,
    OWN_CORE,
    RIS,
    STANDARD6,
    answered,
    heard,
    relay6,
)
from tests.unit.messages6 import (
    ADVERTISE,
    GROUP,
    REQUEST,
    SERVER_DUID,
    boot,
    ip6,
    message,
    option,
    plain,
    release,
)

VLAN30 = 30
WAITING = LINKS[2]._replace(
    index=VLAN30, name="vlan30", addresses=(), addresses6=LINKS[2].addresses6[1:], subnets=()
)
ALL_LINKS = (*LINKS, WAITING)

_WITH_VLAN30 = STANDARD6.replace("vlan10: {}", "vlan10: {}\n  vlan30: {}")
_SELECTIVE = """
dhcp_servers: dhcp
pxe_only: true
max_hops: 8
classes: [{name: uefi, arch: 7, vendor_class: PXEClient, server: dhcp}]
"""
_TRUSTING = _WITH_VLAN30.replace(
    "dhcpv6: true",
    'dhcpv6: {trusted: ["vlan*"], remote_id: relay, enterprise: 32473, dhcp_servers: all, '
    "relay_id: 00:03:00:01:02:00:00:00:00:09}",
)
_NAMELESS = _WITH_VLAN30.replace("dhcpv6: true", 'dhcpv6: {interface_id: "all", client_mac: false}').replace(
    "  ris: [10.20.0.10, 2001:db8:20::10]", "  ris: wds.example.net"
)

_CONFIGS = (
    _WITH_VLAN30,
    _WITH_VLAN30 + _SELECTIVE,
    _TRUSTING + "dhcp_servers: dhcp\n",
    _NAMELESS + "pxe_only: true\n",
)
RELAYS = tuple(relay6(text, ALL_LINKS) for text in _CONFIGS)
"""As it comes; with pxe_only, a class and dhcp_servers; with trusted switches, and dhcp_servers for all; with
one Interface-Id for all, pxe_only and a server that is not resolved yet."""


def _pooled(text: str) -> str:
    """Return a configuration in which each client has one of the servers of altiris."""
    pool = "{addresses: [10.20.0.20, 2001:db8:20::20, 2001:db8:20::21], strategy: hash}"
    return re.sub(r"altiris: \[.*\]$", f"altiris: {pool}", text, count=1, flags=re.MULTILINE)


POOLED = tuple(relay6(_pooled(text), ALL_LINKS) for text in _CONFIGS)
"""The same, but each client has one of two servers."""

_BEHIND = tuple(
    tuple(relay6(change(text), ALL_LINKS) for text in _CONFIGS) for change in (lambda text: text, _pooled)
)
"""Relays with a fast path in front of them: as they come, and pooled."""

PLAIN, CHOOSY, TRUSTS, NAMELESS = range(4)
"""The relays by what is told apart of them."""


class Way(NamedTuple):
    """How a datagram comes."""

    interface: int
    source: str
    destination: bytes = GROUP
    port: int = 546
    mac: str | None = "02:00:00:00:00:01"


_OWN = ip6(OWN_CORE)
ARRIVALS = (
    Way(VLAN10, "fe80::ff:fe00:1"),
    Way(VLAN20, "fe80::ff:fe00:1"),
    Way(VLAN10, "fe80::211:22ff:fe33:4455", mac="00:11:22:33:44:55"),
    Way(VLAN10, "fe80::1234", mac=None),
    Way(VLAN10, "2001:db8:10::77", mac="52:54:00:12:3f:01"),
    Way(VLAN20, "fe80::deaf", mac="de:ad:be:ef:00:01"),
    Way(VLAN10, "fe80::30", mac="02:00:00:00:00:30"),
    Way(VLAN10, "fe80::ff:fe00:1", port=547),
    Way(VLAN10, "fe80::ff:fe00:1", ip6(LINK10)),
    Way(VLAN30, "fe80::ff:fe00:1"),
    Way(99, "fe80::ff:fe00:1"),
    Way(VLAN10, "::"),
    Way(VLAN10, OWN10),
    Way(CORE, "2001:db8:20::10", _OWN, 547, None),
    Way(CORE, "2001:db8:20::2", _OWN, 547, None),
    Way(CORE, "2001:db8:20::20", _OWN, 1024, None),
    Way(CORE, "2001:db8:20::66", _OWN, 547, None),
    Way(CORE, "2001:db8:30::1", _OWN, 547, None),
    Way(CORE, "2001:db8:30::1", _OWN, 1000, None),
    Way(VLAN20, "2001:db8:30::2", ip6(LINK20), 547, None),
    Way(VLAN10, "2001:db8:30::1", ip6("ff05::1:3"), 547, None),
    Way(CORE, OWN_CORE, _OWN, 547, None),
)
"""Clients of several kinds, a switch, an interface that waits, one of nobody; servers, stranger, routers."""

_ROUTERS = IPv6Network("2001:db8:30::/48")
_SERVERS = {"2001:db8:20::10", "2001:db8:20::2", "2001:db8:20::20", "2001:db8:20::21"}
_PORTS = {VLAN10: ("vlan10", LINK10, OWN10), VLAN20: ("vlan20", LINK20, OWN20)}
_OURS = {LINK10, LINK20, OWN_CORE}
_NAMES = {link.index: link.name for link in ALL_LINKS}
_NARRATORS = {id(one): Narrator6(one) for one in (*RELAYS, *POOLED)}
_POOLED = 0x80
_TWO = {str(IPv6Address(one)) for one in ALTIRIS}
_OF_THE_MAPPING = {Drop6.MAPPED_TO_DROP, Drop6.NOT_PXE, Drop6.NO_IPV6_SERVER, Drop6.NOT_RESOLVED}


def first_octets(relay: int, arrival: int, *, pooled: bool = False) -> bytes:
    """Return the octets that choose a relay and an arrival."""
    return bytes((relay + _POOLED * pooled, arrival))


def check(octets: bytes) -> Decision6 | None:
    """Relay one datagram and return the decision, None for no input.

    AssertionError, or whatever the relay raises, if something does not hold.
    """
    if len(octets) < 2:
        return None
    which, way, before = octets[0] % len(RELAYS), ARRIVALS[octets[1] % len(ARRIVALS)], octets[2:]
    pooled = octets[0] >= _POOLED
    one = _anew((POOLED if pooled else RELAYS)[which], pooled=pooled)
    message = bytearray(before)
    arrival = _arrival(way, memoryview(message))
    facts = Facts6(arrival.message)
    decision = one.decide(arrival, facts)
    line = _NARRATORS[id(one)].tell(arrival, facts, _NAMES.get(way.interface, "eth9"), decision)
    assert line.isprintable(), "nothing a client sends may shape the log"
    assert _bare(one.decide(arrival)) == _bare(decision), "it goes the same way again"
    assert message == before, "no message is changed"
    taken_by_fast_path(octets)
    if isinstance(decision, Dropped6):
        if decision.reason in _OF_THE_MAPPING:
            assert not recipients(which, way, before), "only whom the mapping drops is dropped for it"
    elif isinstance(decision, ToServers6):
        _check_request(which, way, before, decision, pooled=pooled)
    else:
        _check_reply(which, way, before, decision)
    return decision


def _anew(one: Relay6, *, pooled: bool) -> Relay6:
    """Return a relay that has heard nothing yet, but that two clients are in the middle of a boot.

    That began when one of two servers was down.
    """
    one._server_ids = ServerIds()
    one.sticky = None
    if pooled:
        one.sticky = StickyClients6()
        one.sticky.met(bytes.fromhex(mac) for mac in ("020000000001", "001122334455"))
        one.sticky.keep(Standing(down=frozenset(ALTIRIS[:1])), 0.0)
    return one


def _arrival(way: Way, octets: bytes | memoryview) -> Arrival6:
    """Return a datagram as it comes; frames are looked at for what was sent to ff02::1:2 alone."""
    mac = bytes.fromhex(way.mac.replace(":", "")) if way.mac and way.destination == GROUP else None
    return Arrival6(octets, way.interface, ip6(way.source), way.port, way.destination, mac)


def taken_by_fast_path(octets: bytes) -> bool:
    """Hold the fast path equal to the relay; return whether it takes a datagram that it has met.

    Both hear others, the datagram of an input twice, and all of them once more in one batch.
    """
    which, way, pooled = octets[0] % len(RELAYS), ARRIVALS[octets[1] % len(ARRIVALS)], octets[0] >= _POOLED
    plain_ = _anew((POOLED if pooled else RELAYS)[which], pooled=pooled)
    short = FastPath6(_anew(_BEHIND[pooled][which], pooled=pooled))
    arrival = _arrival(way, octets[2:])

    def expected(one: Arrival6) -> Done:
        decision = plain_.decide(one)
        if plain_.sticky and isinstance(decision, ToServers6) and decision.client:
            plain_.sticky.met((decision.client.client_key,))
        return done(one, decision)

    for one in (*_OTHERS, arrival, arrival):
        wanted = expected(one)
        (found,), _ = outcomes6(short, [one])
        assert found == wanted, "it becomes what it becomes without a fast path"
    batch = [*_OTHERS, arrival]
    together = [expected(one) for one in batch]
    every, taken = outcomes6(short, batch)
    assert [one for one in every if not isinstance(one.decision, ToPeer)] == [
        one for one in together if not isinstance(one.decision, ToPeer)
    ]
    assert Counter(every) == Counter(together), "of replies it is not known which of two alike is which"
    return len(_OTHERS) in taken


_OFFER = message(ADVERTISE, option(2, SERVER_DUID) + option(23, bytes(16)))
_OTHERS: list[Arrival6] = [
    heard(octets, interface=index, source=eui64.link_local(mac), mac=mac)
    for mac in (bytes.fromhex("020000000001"), bytes.fromhex("001122334455"))
    for index in (VLAN10, VLAN20)
    for octets in (boot(), plain())
]
_OTHERS += [heard(release()), heard(boot(REQUEST, option(2, SERVER_DUID)))]
_OTHERS += [
    answered(_OFFER, peer=peer, source=source)
    for peer, source in (("fe80::ff:fe00:1", RIS), ("fe80::211:22ff:fe33:4455", ALTIRIS[1]))
]
_OTHERS += [answered(_OFFER, interface_id=b"vlan20", link=LINK20, source=ALTIRIS[1])]


def _bare(decision: Decision6) -> Decision6:
    """Return a decision without the message that it was made of."""
    return decision if isinstance(decision, ToPeer) else decision._replace(client=None)


def _check_request(which: int, way: Way, before: bytes, decision: ToServers6, *, pooled: bool) -> None:
    kind = before[0]
    assert kind not in (2, 7, 10, 13), "what servers say never goes up"
    assert way.source not in {"::", OWN10, OWN_CORE}
    expected = recipients(which, way, before)
    servers = {str(IPv6Address(server)) for server in decision.servers}
    if pooled and expected >= _TWO:
        assert servers & _TWO, "it goes to one of several"
        assert names_a_server(before) or not servers >= _TWO, "to all if nobody knows which it names"
        expected -= _TWO - servers
    assert servers == expected, "just the client's servers"
    assert len(set(decision.servers)) == len(decision.servers)
    header = decision.header
    assert header[0] == 12
    assert header[18:34] == ip6(way.source)
    (*around, (last, inside)), whole = options_of(header + before, 34)
    assert (last, inside, whole) == (9, before, True), "what came is inside, octet by octet"
    name, link, _ = _PORTS.get(way.interface, ("", "::", ""))
    expected_around: Options = []
    if name:
        expected_around.append((18, b"all" if which == NAMELESS else name.encode()))
    if kind == 12:
        assert header[1] == before[1] + 1 <= (4, 8, 4, 4)[which]
        assert before[1] < 8
        switch = way.source.startswith("fe80::") and way.destination == GROUP and which == TRUSTS
        assert switch or IPv6Address(way.source) in _ROUTERS, "only who may relay to us does"
        assert way.destination[0] != 0xFF or way.destination == GROUP
        assert header[2:18] == ip6(link if switch else "::")
        if which == TRUSTS:
            expected_around.append((53, _RELAY_ID))
        if way.port != 547:
            expected_around.append((135, way.port.to_bytes(2, "big")))
        layers, _ = layers_of(before)
        assert not {str(IPv6Address(layer.link)) for layer in layers} & _OURS, "no loops"
        assert len(layers) <= 9
    else:
        assert name, "clients are served on client interfaces only"
        assert way.destination == GROUP
        assert header[1:18] == b"\0" + ip6(link)
        if which != NAMELESS and way.mac:
            expected_around.append((79, b"\0\1" + bytes.fromhex(way.mac.replace(":", ""))))
        if which == TRUSTS:
            expected_around += [(37, (32473).to_bytes(4, "big") + b"relay"), (53, _RELAY_ID)]
    assert around == expected_around


_RELAY_ID = bytes.fromhex("00030001020000000009")


def _check_reply(which: int, way: Way, before: bytes, decision: ToPeer) -> None:
    assert before[0] == 13
    assert way.port == 547
    assert way.source in _SERVERS - ({"2001:db8:20::10"} if which == NAMELESS else set())
    options, _ = options_of(before, 34, most=255)
    inside = next(value for code, value in options if code == 9)
    assert bytes(decision.message) == inside, "what is inside leaves octet by octet"
    assert len(inside) >= 4
    peer = before[18:34]
    assert decision.address == peer
    assert peer[0] != 0xFF
    text = str(IPv6Address(peer))
    assert text not in {"::", "::1", *_OURS}
    assert IPv6Address(peer).ipv4_mapped is None
    below = inside[0] == 13
    named = next((value for code, value in options if code == 18), None)
    link = str(IPv6Address(before[2:18]))
    if which == NAMELESS:
        by_name = [index for index, port in _PORTS.items() if named == b"all" and port[1] == link]
    else:
        by_name = [index for index, port in _PORTS.items() if named == port[0].encode()]
    by_link = [index for index, port in _PORTS.items() if port[1] == link]
    found = by_link if named is None else by_name
    if not found:
        assert named is None
        assert link == "::"
        assert below, "a client's interface is never guessed"
    link_local = (int(IPv6Address(peer)) >> 118) == 0x3FA
    if below:
        told = next((value for code, value in options if code == 135), b"")
        port = int.from_bytes(told, "big") if len(told) == 2 else 0
        assert decision.udp_port == (port or 547)
        assert decision.hardware is None
        assert IPv6Address(peer) in _ROUTERS or (link_local and which == TRUSTS and found)
        if not link_local:
            assert decision.port is None
            return
    else:
        assert decision.udp_port == 546
    assert decision.port
    assert [decision.port.index] == found, "it goes where our Interface-Id, else link-address, says"
    own = _PORTS[found[0]][2] if link_local else _PORTS[found[0]][1]
    assert decision.source == ip6(own)
    assert text != _PORTS[found[0]][2]
    if not below and peer[11:13] == b"\xff\xfe" and not (peer[8] ^ 2) & 1:
        assert decision.hardware == bytes((peer[8] ^ 2,)) + peer[9:11] + peer[13:16]


def recipients(which: int, way: Way, before: bytes) -> set[str]:
    """Return the addresses that a request is for: the mapping once more, in other words."""
    layers, (_, options) = layers_of(before)
    mac, direct = (way.mac or "").replace(":", ""), not layers
    if layers:
        told = next((value for code, value in layers[-1].options if code == 79), b"")
        mac = told[2:].hex() if len(told) == 8 and told[:2] == b"\0\1" else eui64_mac(layers[-1].peer)
        direct = which == TRUSTS and way.source.startswith("fe80::")
    said = options or []
    strings = [text for code, value in said if code == 16 for text in strings_of(value)]
    architectures = numbers_of(said, 61)
    boot_wanted = 59 in numbers_of(said, 6)
    starts = any(text.startswith((b"PXEClient", b"HTTPClient")) for text in strings)
    boots = starts or boot_wanted or any(code == 61 for code, _ in said)
    codes = {code for code, _ in said}
    silent = 2 in codes and not codes & {16, 61} and not boot_wanted
    ris, altiris, dhcp = {"2001:db8:20::10"}, {"2001:db8:20::20", "2001:db8:20::21"}, {"2001:db8:20::2"}
    if which == NAMELESS:
        ris = set()
    always = dhcp if which in (CHOOSY, TRUSTS) else set()
    default = altiris if direct and way.interface == VLAN20 else ris
    if mac == "deadbeef0001":
        return set()
    if mac == "001122334455" or mac.startswith("008064") or re.match("525400123.", mac):
        chosen = altiris
    elif mac == "020000000030":
        chosen = set()
    elif silent and which == CHOOSY:
        chosen = default | dhcp
    elif which == CHOOSY and 7 in architectures and any(text.startswith(b"PXEClient") for text in strings):
        chosen = dhcp
    else:
        chosen = default
    if silent:
        return chosen | always
    if which == CHOOSY:
        return (chosen or always) if boots else always
    if which == NAMELESS:
        return chosen if boots else set()
    return chosen | always
