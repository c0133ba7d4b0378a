"""Captures by scapy and Wireshark's tools, which tshark reads too: we find the same DHCP packets in them."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from scapy.contrib.erspan import ERSPAN
from scapy.contrib.geneve import GENEVE
from scapy.contrib.mpls import MPLS, EoMCW
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, CookedLinux, Dot1AD, Dot1Q, Dot3, Ether, Loopback
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.utils import wrpcap, wrpcapng

from pxerelay.cli import main
from pxerelay.tools.simulate import captures, replay
from pxerelay.wire.dissect import Datagram, datagrams
from pxerelay.wire.mac import format_mac

SEED = 21


class Seen(NamedTuple):
    """A DHCP packet: its number in the capture, its client, its VLANs, and between whom it went."""

    number: int
    mac: str
    tags: tuple[int, ...]
    source: str
    destination: str


def run(*command: str | Path) -> str:
    """Run one of Wireshark's tools, and return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def by_tshark(path: Path) -> list[Seen]:
    """Return the DHCP packets that tshark finds; of what is in a tunnel the inner addresses and tags."""
    wanted = ["frame.number", "dhcp.hw.mac_addr", "ieee8021ad.id", "vlan.id", "ip.src", "ip.dst"]
    wanted.append("frame.protocols")
    options = [part for name in wanted for part in ("-e", name)]
    printed = run("tshark", "-n", "-r", path, "-Y", "dhcp", "-T", "fields", "-E", "separator=/t", *options)
    found = []
    for line in printed.splitlines():
        number, mac, *all_tags, sources, destinations, protocols = line.split("\t")
        inner = protocols.split("eth:")[-1].split(":")
        tags = []
        for name, told in zip(("ieee8021ad", "vlan"), all_tags, strict=True):
            ids = [int(tag, 0) for tag in told.split(",") if tag]
            tags += ids[len(ids) - inner.count(name) :]
        ends = sources.split(",")[-1], destinations.split(",")[-1]
        found.append(Seen(int(number), mac, tuple(tags), *ends))
    return found


def by_us(path: Path) -> list[Seen]:
    return [
        Seen(
            one.number,
            format_mac(one.payload[28:34]),
            one.tags,
            str(IPv4Address(one.source)),
            str(IPv4Address(one.destination)),
        )
        for one in datagrams(captures.frames(path))
        if isinstance(one, Datagram) and replay.is_dhcp(one)
    ]


def discover(number: int = 1) -> Any:
    """Return a DISCOVER in a UDP datagram."""
    chaddr = bytes.fromhex(f"0200000000{number & 255:02x}")
    options = [
        ("message-type", "discover"),
        ("vendor_class_id", b"PXEClient:Arch:00007"),
        (93, b"\0\7"),
        "end",
    ]
    return (
        IP(src="0.0.0.0", dst="255.255.255.255", id=number)
        / UDP(sport=68, dport=67)
        / BOOTP(op=1, htype=1, hlen=6, xid=number, chaddr=chaddr)
        / DHCP(options=options)
    )


def ethernet(inner: Any) -> Any:
    return Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / inner


OUTER = {"src": "192.0.2.1", "dst": "192.0.2.2"}

AROUND_IP: dict[str, Callable[[Any], Any]] = {
    "snap": lambda ip: (
        Dot3(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff")
        / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
        / SNAP(OUI=0, code=0x800)
        / ip
    ),
    "pppoe": lambda ip: ethernet(PPPoE(sessionid=7) / PPP(proto=0x21) / ip),
    "mpls": lambda ip: ethernet(MPLS(label=100, s=0) / MPLS(label=200, s=1) / ip),
    "gre": lambda ip: ethernet(IP(**OUTER) / GRE(proto=0x800) / ip),
    "gre, all of it": lambda ip: ethernet(
        IP(**OUTER) / GRE(proto=0x800, chksum_present=1, key_present=1, key=5, seqnum_present=1) / ip
    ),
    "ip in ip": lambda ip: ethernet(IP(**OUTER) / ip),
    "tagged": lambda ip: ethernet(Dot1Q(vlan=20) / ip),
    "double": lambda ip: ethernet(Dot1AD(vlan=100) / Dot1Q(vlan=20, prio=5) / ip),
    "plain": ethernet,
}

AROUND_ETHERNET: dict[str, Callable[[Any], Any]] = {
    "vxlan": lambda frame: ethernet(IP(**OUTER) / UDP(sport=1234, dport=4789) / VXLAN(vni=9) / frame),
    "geneve": lambda frame: ethernet(
        IP(**OUTER) / UDP(sport=1234, dport=6081) / GENEVE(vni=9, proto=0x6558) / frame
    ),
    "gretap": lambda frame: ethernet(IP(**OUTER) / GRE(proto=0x6558) / frame),
    "erspan": lambda frame: ethernet(
        IP(**OUTER) / GRE(proto=0x88BE, seqnum_present=1) / ERSPAN(ver=1, session_id=4) / frame
    ),
    "pseudowire": lambda frame: ethernet(MPLS(label=100, s=1) / EoMCW() / frame),
}


def sight(path: Path) -> list[Seen]:
    """Return what both say is in a capture; an assertion if they differ."""
    ours, theirs = by_us(path), by_tshark(path)
    assert ours == theirs
    return ours


@pytest.mark.parametrize("name", [*AROUND_IP, *AROUND_ETHERNET])
def test_what_is_around_a_packet_is_taken_off(name: str, tmp_path: Path) -> None:
    packet = AROUND_IP[name](discover()) if name in AROUND_IP else AROUND_ETHERNET[name](ethernet(discover()))
    path = tmp_path / "one.pcap"
    wrpcap(str(path), packet)
    (found,) = sight(path)
    assert (found.mac, found.source) == ("02:00:00:00:00:01", "0.0.0.0")


def test_and_so_is_what_is_around_that(tmp_path: Path) -> None:
    """Five hundred stacks by chance, up to four deep, between packets that are none of DHCP."""
    by_chance = random.Random(SEED)
    frames = []
    for number in range(1, 501):
        frame = AROUND_IP[by_chance.choice(list(AROUND_IP))](discover(number))
        for _ in range(by_chance.randrange(4)):
            if isinstance(frame, Ether):
                frame = AROUND_ETHERNET[by_chance.choice(list(AROUND_ETHERNET))](frame)
        frames.append(frame)
        frames.append(
            by_chance.choice(
                [
                    ethernet(ARP()),
                    ethernet(IPv6(dst="2001:db8::1") / UDP()),
                    ethernet(IP(**OUTER) / TCP()),
                    ethernet(IP(**OUTER) / UDP(sport=5353, dport=5353) / b"?"),
                ]
            )
        )
    path = tmp_path / "many.pcap"
    wrpcap(str(path), frames)
    assert [one.number for one in sight(path)] == list(range(1, 1000, 2))


@pytest.mark.parametrize(
    ("link", "before"),
    [
        (0, b"\x02\0\0\0"),
        (0, b"\0\0\0\x02"),
        (108, b"\0\0\0\x02"),
        (9, b"\0\x21"),
        (9, b"\xff\x03\0\x21"),
        (50, b"\xff\x03\0\x21"),
        (51, bytes.fromhex("11000001") + (330).to_bytes(2, "big") + b"\0\x21"),
        (101, b""),
        (228, b""),
        (113, bytes(CookedLinux(proto=0x800))),
        (276, bytes.fromhex("0800000000000003000100060200000000010000")),
    ],
)
def test_link_types(link: int, before: bytes, tmp_path: Path) -> None:
    packet, text = before + bytes(discover()), tmp_path / "hex"
    text.write_text("0000 " + " ".join(f"{octet:02x}" for octet in packet) + "\n")
    for form in ("pcap", "pcapng"):
        path = tmp_path / form
        run("text2pcap", "-q", "-F", form, "-l", str(link), text, path)
        (found,) = sight(path)
        assert found.mac == "02:00:00:00:00:01"


@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "modpcap", "pcapng"])
@pytest.mark.parametrize("kept", [0, 90, 120, 300])
def test_forms_that_editcap_writes_and_packets_that_it_cuts_short(
    form: str, kept: int, tmp_path: Path
) -> None:
    first, path = tmp_path / "first.pcapng", tmp_path / "capture"
    wrpcapng(str(first), [AROUND_IP["tagged"](discover(number)) for number in (1, 2, 3)])
    run("editcap", "-F", form, *(["-s", str(kept)] if kept else []), first, path)
    assert [(one.number, one.mac, one.tags) for one in by_us(path)] == [
        (number, f"02:00:00:00:00:0{number}", (20,)) for number in (1, 2, 3)
    ]
    if not kept:
        sight(path)
    found = [one for one in datagrams(captures.frames(path)) if isinstance(one, Datagram)]
    assert [one.is_whole for one in found] == [not 0 < kept < 330] * 3
    told = run("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.cap_len", "-e", "frame.time_epoch")
    ours = [(len(one.octets), one.time) for one in captures.frames(path)]
    theirs = [line.split("\t") for line in told.splitlines()]
    assert [size for size, _ in ours] == [int(size) for size, _ in theirs]
    assert [time for _, time in ours] == pytest.approx([float(time) for _, time in theirs], abs=1e-6)


def test_what_mergecap_puts_together_and_what_is_put_behind_it(tmp_path: Path) -> None:
    """Interfaces of several link types in one section, and a second section with interfaces of its own."""
    parts = {"ether.pcap": AROUND_IP["double"](discover(1)), "lo.pcap": Loopback(type=2) / discover(2)}
    parts["raw.pcap"] = discover(3)
    for name, packet in parts.items():
        wrpcap(str(tmp_path / name), packet)
    merged, both = tmp_path / "merged.pcapng", tmp_path / "both.pcapng"
    run("mergecap", "-a", "-w", merged, *(tmp_path / name for name in parts))
    assert [one.mac[-2:] for one in sight(merged)] == ["01", "02", "03"]
    run("mergecap", "-a", "-w", tmp_path / "turned.pcapng", *(tmp_path / name for name in reversed(parts)))
    both.write_bytes(merged.read_bytes() + (tmp_path / "turned.pcapng").read_bytes())
    assert [one.mac[-2:] for one in sight(both)] == ["01", "02", "03", "03", "02", "01"]


def test_fragments_of_a_tunnel(tmp_path: Path) -> None:
    outer = AROUND_ETHERNET["vxlan"](ethernet(discover()))[IP]
    path = tmp_path / "fragments.pcap"
    wrpcap(str(path), [ethernet(part) for part in fragment(outer, 200)])
    (found,) = sight(path)
    assert found.number == 2


def test_frames_that_end_in_a_checksum(tmp_path: Path) -> None:
    """The link type's upper bits say so; libpcap's files have them since version 1.1."""
    path = tmp_path / "fcs.pcap"
    wrpcap(str(path), [bytes(ethernet(discover())) + bytes(4)], linktype=1)
    whole = bytearray(path.read_bytes())
    whole[20:24] = (1 | 1 << 26 | 2 << 28).to_bytes(4, "little")
    path.write_bytes(whole)
    (found,) = sight(path)
    assert found.mac == "02:00:00:00:00:01"


def test_all_that_others_are_counted_as(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [
        *(ethernet(ARP()) for _ in range(3)),
        *(ethernet(IPv6() / UDP()) for _ in range(2)),
        ethernet(IP(**OUTER) / TCP()),
        ethernet(IP(**OUTER) / UDP(sport=53, dport=53) / b"?"),
        Dot3() / LLC(dsap=0x42, ssap=0x42, ctrl=3) / b"stp",
        ethernet(discover()),
    ]
    path, config = tmp_path / "others.pcap", tmp_path / "pxerelay.yml"
    wrpcap(str(path), frames)
    config.write_text("default: 192.0.2.10\ninterfaces: {vlan10: {}}\n")
    assert main(["replay", str(path), "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "1 DHCP packet of 1 client, 8 others\n" in out
    assert out.endswith("  others             3 ARP, 2 IPv6, 1 TCP, 1 UDP, 1 STP\n")
    kinds = run("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.protocols").splitlines()
    names = {"ARP": "arp", "IPv6": "ipv6", "TCP": "tcp", "UDP": "dns", "STP": "stp"}
    assert [sum(name in kind.split(":") for kind in kinds) for name in names.values()] == [3, 2, 1, 1, 1]
