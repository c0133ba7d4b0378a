"""What must hold for any octets that arrive at port 67, and relays to hold it against.

The first octet of an input chooses the relay, whether clients have one of several servers, and where the
datagram comes from (see `first_octet`); the
rest is the datagram. The rules are written down here a second time, in other words than the relay's.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network

from pxerelay.policy.links import Link
from pxerelay.policy.pools import Standing
from pxerelay.policy.ports import Port
from pxerelay.policy.sticky import StickyClients
from pxerelay.relay.account import Narrator
from pxerelay.relay.decision import Decision, Drop, Dropped, ToClient, ToServers
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.relay import Relay
from pxerelay.wire import packet
from pxerelay.wire.batch import number
from pxerelay.wire.facts import Facts
from pxerelay.wire.frames import ETHERNET, IP_HEADER, UDP_HEADER, Framing, Reply
from tests.unit.batches import Arrival, outcomes
from tests.unit.configs import CORE, LEASELESS, LINKS, STANDARD, VLAN10, VLAN20, bare, relay
from tests.unit.messages import ip, reply, request

VLAN30 = 30
WAITING_LINKS = (*LINKS, Link(VLAN30, "vlan30", up=True, mtu=1500, addresses=()))
ROUTERS = IPv4Network("10.30.0.0/16")

_SELECTIVE = """
dhcp_servers: dhcp
pxe_only: true
classes: [{name: uefi, arch: 7, vendor_class: PXEClient, server: dhcp}]
option82: {circuit_id: "{interface}", remote_id: relay, server_override: true, trusted: [vlan20]}
"""
_SHARED = """
pxe_only: true
option82: {circuit_id: "{interface}", link_selection: true, relay_id: 00:03:00:01:02:00:00:00:00:01}
"""
_BARE = "option82: {link_selection: true, server_override: true}\nsource_address: giaddr"

_CONFIGS = (
    (STANDARD, LINKS),
    (LEASELESS + _SELECTIVE, LINKS),
    (
        STANDARD.replace("vlan10: {}", "vlan10: {giaddr: 10.20.0.1}").replace(
            "default: altiris}", "default: altiris, giaddr: 10.20.0.1}"
        )
        + _SHARED,
        LINKS,
    ),
    (
        LEASELESS.replace("addresses: 10.20.0.10,", "addresses: wds.example.net,").replace(
            "vlan10: {}", "vlan10: {}\n  vlan30: {}"
        )
        + _BARE,
        WAITING_LINKS,
    ),
)
RELAYS = tuple(relay(text, links) for text, links in _CONFIGS)
"""Without option 82; with ids; for VLANs that share a giaddr; without ids, and a server not resolved yet."""


def _pooled(text: str) -> str:
    """Return a configuration in which each client has one of the servers of altiris."""
    pool = "{addresses: [10.20.0.20, 10.20.0.21], strategy: hash, leases: false}"
    return re.sub(r"altiris: (\[.*\]|\{.*\})$", f"altiris: {pool}", text, count=1, flags=re.MULTILINE)


POOLED = tuple(relay(_pooled(text), links) for text, links in _CONFIGS)
"""The same, but each client has one of two servers."""

_WITH_IDS, _SHARING, _UNRESOLVED = 1, 2, 3

ARRIVALS = (
    (VLAN10, "0.0.0.0"),
    (VLAN20, "0.0.0.0"),
    (CORE, "10.20.0.10"),
    (CORE, "10.20.0.20"),
    (CORE, "10.30.0.1"),
    (CORE, "10.99.0.1"),
    (VLAN30, "0.0.0.0"),
    (99, "0.0.0.0"),
)
"""Interface and sender: clients, servers, a router, a stranger, a waiting interface, one of nobody."""

_NAMES = {link.index: link.name for link in WAITING_LINKS}
_NARRATORS = {id(one): Narrator(one) for one in (*RELAYS, *POOLED)}
_POOLED, _UNICAST = 0x40, 0x80
_MTU = 576
_IP_AND_UDP = IP_HEADER.size + UDP_HEADER.size


def first_octet(relay_: int, arrival: int, *, unicast: bool = False, pooled: bool = False) -> bytes:
    """Return the octet that chooses a relay and an arrival."""
    return bytes((relay_ + len(RELAYS) * arrival + _UNICAST * unicast + _POOLED * pooled,))


def check(octets: bytes) -> Decision | None:
    """Relay one datagram and return the decision, None for no input.

    AssertionError, or whatever the relay raises, if something does not hold.
    """
    if not octets:
        return None
    which = octets[0] % len(RELAYS)
    index, sender = ARRIVALS[octets[0] // len(RELAYS) % len(ARRIVALS)]
    pooled = bool(octets[0] & _POOLED)
    one, before = (POOLED if pooled else RELAYS)[which], octets[1:]
    one._askers.clear()
    one.sticky = _booting() if pooled else None
    message = bytearray(before)
    unicast = octets[0] >= _UNICAST
    decision = one.decide(memoryview(message), index, ip(sender), unicast)
    line = _NARRATORS[id(one)].tell(Facts(message), _NAMES.get(index, "eth9"), ip(sender), decision)
    assert line.isprintable(), "nothing a client sends may shape the log"
    _check_shortcuts(one, (before, index, ip(sender), unicast), decision, bytes(message))
    if isinstance(decision, Dropped):
        assert message == before, "what is dropped is not patched"
        assert decision.reason is not Drop.NO_INTERFACE or which == _SHARING
        if decision.reason in _OF_THE_MAPPING:
            assert not recipients(which, before, index), "only whom the mapping drops is dropped for it"
        return decision
    assert len(before) >= packet.HEADER_SIZE
    assert before[packet.HLEN] <= packet.MAX_HLEN
    if isinstance(decision, ToServers):
        assert before[packet.OP] == packet.BOOTREQUEST
        expected = {ip(address) for address in recipients(which, before, index)}
        if pooled and expected >= _TWO:
            assert len(_TWO & set(decision.servers)) == 1, "it goes to one of several"
            expected -= _TWO - set(decision.servers)
        assert set(decision.servers) == expected, "each request goes to just the servers of its client"
        _check_request(one, before, bytes(message), decision, index, sender)
        _check_agent_info(one, before, bytes(message), decision, index, unicast)
    else:
        assert before[packet.OP] == packet.BOOTREPLY
        assert message == before, "nothing of a reply is patched"
        _check_reply(one, before, decision, sender)
    return decision


_TWO = {ip("10.20.0.20"), ip("10.20.0.21")}


def _booting() -> StickyClients:
    """Return two clients in the middle of a boot that began when one of two servers was down."""
    boots = StickyClients()
    boots.met(
        Facts(request(chaddr=chaddr)).client_key for chaddr in ("02:00:00:00:00:01", "00:11:22:33:44:55")
    )
    boots.keep(Standing(down=frozenset({ip("10.20.0.20")})), 0.0)
    return boots


_OF_THE_MAPPING = {Drop.MAPPED_TO_DROP, Drop.NOT_PXE, Drop.NOT_RESOLVED}


def _check_shortcuts(one: Relay, arrival: Arrival, decision: Decision, patched: bytes) -> None:
    """Behind others and behind itself, a datagram becomes what it becomes alone."""
    short = FastPath(one)
    outcomes(short, _OTHERS)
    for _ in range(2):
        one._askers.clear()  # whom a reply without our circuit id is for is another matter
        ((found, octets),), _ = outcomes(short, [arrival])
        assert (found, octets) == (bare(decision), patched)


_BIOS, _UEFI = b"PXEClient:Arch:00000:UNDI:002001", b"PXEClient:Arch:00007:UNDI:002001"
_OTHERS: list[Arrival] = [
    (request(chaddr=chaddr, arch=arch, vendor=vendor), index, ip("0.0.0.0"), False)
    for chaddr in ("02:00:00:00:00:01", "00:11:22:33:44:55")
    for index in (VLAN10, VLAN20)
    for arch, vendor in ((0, _BIOS), (7, _UEFI), (None, None))
]
_OTHERS += [(reply(giaddr=giaddr), CORE, ip("10.20.0.10"), True) for giaddr in ("10.10.10.1", "10.10.20.1")]


def recipients(which: int, request_: bytes, index: int) -> set[str]:
    """Return the addresses that a request is for: the mapping once more, in other words."""
    mac = request_[28:34].hex() if request_[1:3] == b"\1\6" else ""
    vendor, architectures = _facts(request_)
    direct = request_[24:28] == bytes(4)
    ris, altiris, dhcp = {"10.20.0.10"}, {"10.20.0.20", "10.20.0.21"}, {"10.20.0.2"}
    if which == _UNRESOLVED:
        ris = set()
    if request_[28:34].hex() == "deadbeef0001":  # whatever it says of its hardware address
        return set()
    if mac == "001122334455" or mac.startswith("008064") or re.match("525400123.", mac):
        chosen = altiris
    elif which == _WITH_IDS and mac and vendor.startswith(b"PXEClient") and 7 in architectures:
        chosen = dhcp
    else:
        chosen = altiris if direct and index == VLAN20 else ris
    boots = vendor.startswith((b"PXEClient", b"HTTPClient"))
    always = dhcp if which == _WITH_IDS else set()
    return always if which in (_WITH_IDS, _SHARING) and not boots else chosen | always


def _facts(request_: bytes) -> tuple[bytes, set[int]]:
    """Options 60 and 93 as RFC 3396 says, nothing of an area that is malformed (rule 14)."""
    found: dict[int, bytes] = {}
    if request_[236:240] != b"\x63\x82\x53\x63":
        return b"", set()
    whole, left = _collect(request_[240:], found, 64)
    overload = found.get(52, b"\0")[-1:]
    said = _codes(request_[240:])[1]
    for bit, values, field in ((1, (b"\1", b"\3"), request_[108:236]), (2, (b"\2", b"\3"), request_[44:108])):
        if said & bit:
            fine, left = _collect(field, found if overload in values else {}, left)
            whole = whole and (fine or overload not in values)
    raw = found.get(93, b"") if whole else b""
    vendor = found.get(60, b"") if whole else b""
    return vendor, {raw[at] << 8 | raw[at + 1] for at in range(0, len(raw) - 1, 2)}


def _collect(area: bytes, found: dict[int, bytes], left: int) -> tuple[bool, int]:
    """Add the options of an area; whether all of them were whole, and not too many, and how many are left.

    Pads in a row that something stands behind count as one, but not for the next area.
    """
    room = left
    while stripped := area.lstrip(b"\0"):
        left -= 1
        if stripped[0] == 255:
            return True, left
        room -= len(stripped) != len(area)
        if room <= 0 or len(stripped) < 2 or len(stripped) < 2 + stripped[1]:
            return False, left
        room -= 1
        found[stripped[0]] = found.get(stripped[0], b"") + stripped[2 : 2 + stripped[1]]
        area = stripped[2 + stripped[1] :]
    return True, left


def _check_request(
    one: Relay, before: bytes, after: bytes, decision: ToServers, index: int, sender: str
) -> None:
    addresses = {address.packed for target in one.config.mentioned for address in one.answers.of(target)}
    assert decision.servers
    assert set(decision.servers) <= addresses, "requests go to configured servers only"
    assert len(set(decision.servers)) == len(decision.servers)
    assert after[packet.HOPS] == before[packet.HOPS] + 1 <= one.config.max_hops + 1
    if before[packet.GIADDR] == packet.UNSET:
        port = _port(one, index)
        assert port is not None, "clients are served on client interfaces only"
        assert port.giaddr
        assert after[packet.GIADDR] == port.giaddr.packed
    else:
        assert after[packet.GIADDR] == before[packet.GIADDR]
        assert IPv4Address(sender) in ROUTERS
        assert IPv4Address(before[packet.GIADDR]) not in {own for link in LINKS for own in link.addresses}
    for same in (slice(0, 3), slice(4, 24), slice(28, None)):
        assert after[same] == before[same], "only hops and giaddr are patched"


def _check_agent_info(
    one: Relay, before: bytes, after: bytes, decision: ToServers, index: int, unicast: bool
) -> None:
    port = _port(one, index)
    place = Facts(before).end
    if before[packet.GIADDR] != packet.UNSET or port is None or port.info is None:
        assert decision.message is None
        return
    if _may_be_read_as_agent_info(before):
        setting = one.config.option82
        assert setting
        assert port.name in setting.trusted, "an option 82 from an untrusted VLAN is never relayed"
        assert decision.message is None
        return
    if place is None:
        assert decision.message is None, "none is added where nobody would find it"
        return
    option = port.info.unicast if unicast else port.info.broadcast
    whole = after[: place.end] + option + (after[place.end :] if place.has_end else b"\xff")
    room = int.from_bytes(Facts(before).options.get(57, b"")[:2], "big")
    takes = Facts(before).options.get(57, b"")
    most = 1500 if len(takes) != 2 else min(1500, max(room, 576))
    fits = len(whole) + _IP_AND_UDP <= most
    assert decision.too_large is not fits
    assert decision.message == (whole if fits else None), "one option, last before END, and nothing else"


def _may_be_read_as_agent_info(octets: bytes) -> bool:
    """Whether a reader that takes each octet for what it seems comes to an option 82."""
    if octets[236:240] != b"\x63\x82\x53\x63":
        return False
    codes, overload = _codes(octets[240:])
    if overload & 1:
        codes |= _codes(octets[108:236])[0]
    if overload & 2:
        codes |= _codes(octets[44:108])[0]
    return 82 in codes


def _codes(area: bytes) -> tuple[set[int], int]:
    """Return the codes in an area up to its END or last octet, and what they say of overload."""
    codes, overload = set(), 0
    while area and area[0] != 255:
        if area[0] == 0:
            area = area[1:]
            continue
        codes.add(area[0])
        if area[0] == 52 and len(area) > 2 and area[1]:
            overload |= area[2 : 2 + area[1]][-1]
        area = area[2 + area[1] :] if len(area) > 1 else b""
    return codes, overload


def _check_reply(one: Relay, before: bytes, decision: ToClient, sender: str) -> None:
    port = decision.port
    addresses = {address for target in one.config.mentioned for address in one.answers.of(target)}
    assert IPv4Address(sender) in addresses, "replies come from configured servers only"
    assert port.giaddr
    assert before[packet.GIADDR] == port.giaddr.packed
    infos = list(Facts(before).agents) if port.info else []
    ours = [
        (info, each)
        for info in infos
        for each in one.ports
        if each.info and each.giaddr == port.giaddr and each.info.is_ours(info.value)
    ]
    if ours:
        info, owner = ours[0]
        assert port is owner, "it goes where its circuit id says"
        assert decision.message is not None
        whole = max(300, len(before) - (info.end - info.start))
        assert len(decision.message) == (whole if info.area.start >= 240 else len(before))
        left = [each.value for each in Facts(decision.message).agents]
        infos.remove(info)
        assert left[: len(infos)] == [each.value for each in infos], "ours and nothing else is cut out"
    else:
        assert decision.message is None
    assert (decision.address, decision.hardware) == _target(before)
    assert port.address
    _check_packets(decision.message or before, port.address.packed, decision.address)


def _target(reply: bytes) -> tuple[bytes, bytes]:
    """Rule 19 once more: whom a reply is for."""
    refused = Facts(reply).legible.get(53) == b"\6"
    ethernet = reply[1:3] == b"\1\6"
    if not refused and any(reply[12:16]):
        return reply[12:16], reply[28:34] if ethernet else b"\xff" * 6
    nobody = not ethernet or not any(reply[16:20])
    if refused or nobody or reply[10] >= 0x80:
        return b"\xff" * 4, b"\xff" * 6
    return reply[16:20], reply[28:34]


def _check_packets(message: bytes, source: bytes, destination: bytes) -> None:
    framing = Framing(source, bytes(6), _MTU)
    reply = Reply(message, number(destination), bytes(6))
    if len(message) <= framing.largest:
        room = bytearray(1 << 11)
        parts = [bytes(room[start:end]) for start, end in framing.write(room, 0, [reply], 1)]
    else:
        parts = framing.fragments(reply, 1)
    parts = [part[ETHERNET.size :] for part in parts]
    assert all(len(part) <= _MTU for part in parts)
    assert all(part[12:20] == source + destination for part in parts)
    assert b"".join(part[IP_HEADER.size :] for part in parts)[UDP_HEADER.size :] == message


def _port(one: Relay, index: int) -> Port | None:
    return next((port for port in one.ports if port.index == index and port.giaddr), None)
