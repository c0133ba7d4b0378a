"""DHCPv6 in captures by scapy and Wireshark's tools: tshark finds the same packets in them as we do."""

from __future__ import annotations

import random
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_RelayForward,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptIfaceId,
    DHCP6OptRelayMsg,
)
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    fragment6,
)
from scapy.layers.l2 import GRE, CookedLinux, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.utils import wrpcap

from pxerelay.tools.simulate import captures
from pxerelay.tools.simulate.replay6 import is_dhcp6
from pxerelay.wire import packet6
from pxerelay.wire.dissect import datagrams_of_both
from pxerelay.wire.dissect6 import Datagram6
from tests.lab.command import REPOSITORY
from tests.tools.test_wireshark import SEED, run

MAC = "02:00:00:00:00:01"
OUTER4 = {"src": "192.0.2.1", "dst": "192.0.2.2"}
OUTER6 = {"src": "2001:db8::1", "dst": "2001:db8::2"}


class Seen6(NamedTuple):
    """A DHCPv6 packet: its number, its type, the inner transaction, between whom it went, its VLANs."""

    number: int
    kind: int
    xid: str
    source: str
    destination: str
    tags: tuple[int, ...]


def by_tshark(path: Path) -> list[Seen6]:
    """Return the DHCPv6 packets that tshark finds; of what is in a tunnel the inner addresses and tags."""
    names = ["frame.number", "dhcpv6.msgtype", "dhcpv6.xid", "ipv6.src", "ipv6.dst"]
    names += ["ieee8021ad.id", "vlan.id", "frame.protocols"]
    options = [part for name in names for part in ("-e", name)]
    printed = run("tshark", "-n", "-r", path, "-Y", "dhcpv6", "-T", "fields", "-E", "separator=/t", *options)
    found = []
    for line in printed.splitlines():
        number, kinds, xids, sources, destinations, *all_tags, protocols = line.split("\t")
        inner = protocols.split("eth:")[-1].split(":")
        tags = []
        for name, told in zip(("ieee8021ad", "vlan"), all_tags, strict=True):
            ids = [int(tag, 0) for tag in told.split(",") if tag]
            tags += ids[len(ids) - inner.count(name) :]
        source, destination = (str(IPv6Address(text.split(",")[-1])) for text in (sources, destinations))
        xid = xids.split(",")[-1].removeprefix("0x")
        found.append(Seen6(int(number), int(kinds.split(",")[0]), xid, source, destination, tuple(tags)))
    return found


def by_us(path: Path) -> list[Seen6]:
    found = []
    for one in datagrams_of_both(captures.frames(path)):
        if isinstance(one, Datagram6) and is_dhcp6(one):
            source, destination = (str(IPv6Address(octets)) for octets in (one.source, one.destination))
            inside = one.payload
            while packet6.is_relayed(inside[0]):
                spans, _ = packet6.walk(inside, packet6.RELAY_HEADER_SIZE, len(inside), 64)
                begin, end = next((start, end) for code, start, end in spans if code == packet6.RELAY_MESSAGE)
                inside = inside[begin:end]
            found.append(Seen6(one.number, one.payload[0], inside[1:4].hex(), source, destination, one.tags))
    return found


def sight(path: Path) -> list[Seen6]:
    """Return what both say is in a capture; an assertion if they differ."""
    ours, theirs = by_us(path), by_tshark(path)
    assert ours == theirs
    return ours


def solicit(number: int = 1) -> Any:
    """Return a SOLICIT."""
    return DHCP6_Solicit(trid=number) / DHCP6OptClientId(duid=DUID_LL(lladdr=MAC))


def datagram(number: int = 1, between: Any = None) -> Any:
    """Return a SOLICIT in a packet, with extension headers in between."""
    head = IPv6(src="fe80::ff:fe00:1", dst="ff02::1:2")
    udp = UDP(sport=546, dport=547) / solicit(number)
    return head / between / udp if between is not None else head / udp


def forward(number: int = 1) -> Any:
    """Return a RELAY-FORW with a SOLICIT in it."""
    around = DHCP6_RelayForward(linkaddr="2001:db8:10::1", peeraddr="fe80::ff:fe00:1")
    inside = DHCP6OptIfaceId(ifaceid=b"vlan10") / DHCP6OptRelayMsg(message=solicit(number))
    return IPv6(src="2001:db8:20::1", dst="2001:db8:20::10") / UDP(sport=547, dport=547) / around / inside


def ethernet(inner: Any) -> Any:
    return Ether(src=MAC, dst="33:33:00:01:00:02") / inner


PAD = [PadN(optdata=b"\0\0")]
BETWEEN: dict[str, Callable[[], Any]] = {
    "hop-by-hop": lambda: IPv6ExtHdrHopByHop(options=PAD),
    "destination": lambda: IPv6ExtHdrDestOpt(options=PAD),
    "routing": lambda: IPv6ExtHdrRouting(addresses=["2001:db8::7"], segleft=0),
    "all of them": lambda: (
        IPv6ExtHdrHopByHop(options=PAD)
        / IPv6ExtHdrDestOpt(options=PAD)
        / IPv6ExtHdrRouting(addresses=["2001:db8::7"], segleft=0)
        / IPv6ExtHdrDestOpt(options=PAD)
    ),
}

AROUND: dict[str, Callable[[Any], Any]] = {
    "plain": ethernet,
    "tagged": lambda ip: ethernet(Dot1Q(vlan=20) / ip),
    "double": lambda ip: ethernet(Dot1AD(vlan=100) / Dot1Q(vlan=20, prio=5) / ip),
    "pppoe": lambda ip: ethernet(PPPoE(sessionid=7) / PPP(proto=0x57) / ip),
    "mpls": lambda ip: ethernet(MPLS(label=100, s=0) / MPLS(label=200, s=1) / ip),
    "gre": lambda ip: ethernet(IP(**OUTER4) / GRE(proto=0x86DD) / ip),
    "gre over IPv6": lambda ip: ethernet(IPv6(**OUTER6) / GRE(proto=0x86DD) / ip),
    "6in4": lambda ip: ethernet(IP(**OUTER4) / ip),
    "6in6": lambda ip: ethernet(IPv6(**OUTER6) / ip),
}
AROUND_ETHERNET: dict[str, Callable[[Any], Any]] = {
    "vxlan": lambda frame: ethernet(IP(**OUTER4) / UDP(sport=1234, dport=4789) / VXLAN(vni=9) / frame),
    "vxlan over IPv6": lambda frame: ethernet(
        IPv6(**OUTER6) / UDP(sport=1234, dport=4789) / VXLAN(vni=9) / frame
    ),
    "gretap": lambda frame: ethernet(IP(**OUTER4) / GRE(proto=0x6558) / frame),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_extension_headers(name: str, tmp_path: Path) -> None:
    path = tmp_path / "one.pcap"
    wrpcap(str(path), ethernet(datagram(1, BETWEEN[name]())))
    (found,) = sight(path)
    assert (found.kind, found.destination) == (1, "ff02::1:2")


@pytest.mark.parametrize("name", [*AROUND, *AROUND_ETHERNET])
@pytest.mark.parametrize("made", [datagram, forward])
def test_what_is_around_a_packet_is_taken_off(name: str, made: Callable[[], Any], tmp_path: Path) -> None:
    packet = AROUND[name](made()) if name in AROUND else AROUND_ETHERNET[name](ethernet(made()))
    path = tmp_path / "one.pcap"
    wrpcap(str(path), packet)
    (found,) = sight(path)
    assert found.kind == (1 if made is datagram else 12)


def test_fragments_with_others_in_between(tmp_path: Path) -> None:
    large = (
        DHCP6_Solicit(trid=7) / DHCP6OptClientId(duid=DUID_LL(lladdr=MAC)) / (b"\0\x11\x05\xdc" + bytes(1500))
    )
    head = IPv6(src="fe80::ff:fe00:1", dst="ff02::1:2") / IPv6ExtHdrFragment(id=9)
    parts = fragment6(head / UDP(sport=546, dport=547) / large, 600)
    assert len(parts) > 2
    path = tmp_path / "fragments.pcap"
    wrpcap(str(path), [one for part in parts for one in (ethernet(part), ethernet(datagram(1)))])
    found = sight(path)
    assert [one.xid for one in found].count("000007") == 1
    assert len(found) == len(parts) + 1


def test_any_of_these_in_any_order(tmp_path: Path) -> None:
    """Three hundred by chance, up to three deep, beside DHCPv4 in the same tunnels."""
    by_chance = random.Random(SEED)
    frames = []
    for number in range(1, 301):
        inner = by_chance.choice((datagram, forward))(number)
        frame = AROUND[by_chance.choice(list(AROUND))](inner)
        for _ in range(by_chance.randrange(3)):
            frame = AROUND_ETHERNET[by_chance.choice(list(AROUND_ETHERNET))](frame)
        frames.append(frame)
    path = tmp_path / "many.pcap"
    wrpcap(str(path), frames)
    assert [one.number for one in sight(path)] == list(range(1, 301))


@pytest.mark.parametrize(
    ("link", "before", "mac"),
    [
        (0, b"\x1e\0\0\0", None),
        (0, b"\0\0\0\x18", None),
        (108, b"\0\0\0\x1c", None),
        (9, b"\0\x57", None),
        (101, b"", None),
        (229, b"", None),
        (
            113,
            bytes(CookedLinux(proto=0x86DD, lladdrtype=1, lladdrlen=6, src=bytes.fromhex("020000000001"))),
            MAC,
        ),
        (276, bytes.fromhex("86dd00000000000300010006 0200000000010000"), MAC),
    ],
)
def test_link_types(link: int, before: bytes, mac: str | None, tmp_path: Path) -> None:
    octets, text = before + bytes(datagram()), tmp_path / "hex"
    text.write_text("0000 " + " ".join(f"{octet:02x}" for octet in octets) + "\n")
    for form in ("pcap", "pcapng"):
        path = tmp_path / form
        run("text2pcap", "-q", "-F", form, "-l", str(link), text, path)
        sight(path)
        (found,) = (one for one in datagrams_of_both(captures.frames(path)) if isinstance(one, Datagram6))
        assert (found.mac and found.mac.hex(":")) == mac


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "tests" / "captures" / "ipv6").glob("*.pcap")), ids=lambda path: path.name
)
def test_recordings_of_firmware(path: Path) -> None:
    assert sight(path)
