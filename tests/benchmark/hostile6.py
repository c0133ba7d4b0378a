"""What a DHCPv6 client of vlan10 notices while something on vlan20 floods, as `hostile` has it of DHCPv4."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence

from tests.benchmark.asking6 import VICTIM6, Asking6
from tests.benchmark.hostile import DHCPV4, Flood, TwoVlans, World, measured
from tests.benchmark.messages import macs
from tests.benchmark.results import Result, Say
from tests.benchmark.rig6 import Rig6
from tests.lab import Host
from tests.lab.frames6 import frames6, link_local
from tests.lab.relays import RelayAgent
from tests.lab.relays6 import Dnsmasq6Relay, IscOfTwo6
from tests.lab.topology6 import (
    ALTIRIS6,
    CLIENT_SUPERNET6,
    CLIENT_VLANS6,
    CORE6,
    RELAY_CORE6,
    RIS6,
    add_address,
)
from tests.lab.wire6 import settled
from tests.unit.messages6 import boot, message, option, plain, relayed

_NOT_BOOTING = bytes.fromhex("020000eeee02")
"""The hardware address of a client that does not boot."""

_MESSAGES = 60_000
"""Invented clients of a flood, which begins again with the first."""


def _framed(chance: random.Random, octets: bytes, sender: bytes, source: bytes | None = None) -> bytes:
    """Return a frame, from the link-local address of its sender or of somebody else."""
    (frame,) = frames6(
        octets, source=link_local(source or sender), sender=sender, identification=chance.randrange(65536)
    )
    return frame


def _mac(chance: random.Random) -> bytes:
    return b"\x06" + chance.randbytes(5)


def _empty_options(chance: random.Random) -> list[bytes]:
    """350 options without a value in each, a new client each."""
    octets = message(options=option(65000) * 350)
    return [_framed(chance, octets, _mac(chance)) for _ in range(_MESSAGES // 5)]


def _layers(chance: random.Random) -> list[bytes]:
    """Nine RELAY-FORWs around a message, of no relay agent that may relay."""
    octets = boot()
    for hops in range(9):
        octets = relayed(octets, hops=hops, peer=link_local(_mac(chance)))
    return [_framed(chance, octets, _mac(chance)) for _ in range(_MESSAGES // 5)]


def _invented(chance: random.Random) -> list[bytes]:
    """SOLICITs as firmware sends them, a new client each."""
    return [_framed(chance, boot(), _mac(chance)) for _ in range(_MESSAGES)]


def _spoofed(chance: random.Random) -> list[bytes]:
    """SOLICITs from addresses with other MACs than their frames', a new one each."""
    return [_framed(chance, boot(), _mac(chance), _mac(chance)) for _ in range(_MESSAGES)]


def _in_the_name_of_the_victim(chance: random.Random) -> list[bytes]:
    return [_framed(chance, boot(), VICTIM6)]


def _not_pxe(chance: random.Random) -> list[bytes]:
    return [_framed(chance, plain(), _NOT_BOOTING)]


FLOODS: Sequence[Flood] = (
    Flood("350 empty options, new MAC each", 3_000, _empty_options, list),
    Flood("nine RELAY-FORWs around a message", 12_000, _layers, list),
    Flood("SOLICITs, invented MACs", 60_000, _invented, list),
    Flood("SOLICITs from others' addresses", 20_000, _spoofed, list),
    Flood("two a second from others' addresses", 2, _spoofed, list),
    Flood("SOLICITs in the client's own name", 1_000, _in_the_name_of_the_victim, list),
    Flood("SOLICITs of one that is not PXE", 800, _not_pxe, list),
)


class _Guarded6(RelayAgent):
    """pxerelay with two VLANs, a thousand rules and its bound on what one client may ask."""

    kind = "pxerelay6"
    more = ""

    def command(self) -> list[str]:
        """Write the configuration and return the command."""
        rules = (f"  {mac.hex(':')}: altiris" for mac in macs(3_000)[::3])
        lines = [
            f"servers: {{ris: '{RIS6}', altiris: '{ALTIRIS6}'}}",
            "default: ris",
            "dhcpv4: false",
            "dhcpv6: true",
            "interfaces: {vlan10: {}, vlan20: {pxe_only: true}}",
            *self.more.splitlines(),
            "rules:",
            *rules,
        ]
        self.path("yml").write_text("\n".join(lines) + "\n")
        files = ["--config", str(self.path("yml")), "--socket", str(self.path("sock"))]
        return [sys.executable, "-m", "pxerelay", "run", *files]


class _Classes6(_Guarded6):
    kind = "pxerelay6_classes"
    more = "classes: [{name: http, vendor_class: HTTP, server: ris}, {name: arm, arch: 11, server: altiris}]"


class _TwoVlans6(TwoVlans):
    """The same cables, with IPv6."""

    def build(self) -> _TwoVlans6:
        """Make the hosts and their cables."""
        super().build()
        for interface, subnet in {**CLIENT_VLANS6, "core": CORE6}.items():
            add_address(self.relay, interface, f"{subnet[1]}/{subnet.prefixlen}")
        for address in (RIS6, ALTIRIS6):
            add_address(self.ris.host, "eth0", f"{address}/{CORE6.prefixlen}")
        self.ris.host.route(CLIENT_SUPERNET6, RELAY_CORE6)
        for name, mac in (("clients", VICTIM6), ("hostile", _NOT_BOOTING)):  # who is there answers for it
            add_address(Host(self.lab, name), "eth0", f"{link_local(mac)}/64")
        for interface in (*CLIENT_VLANS6, "core"):
            settled(self.relay, interface)
        return self


DHCPV6 = World(
    "DHCPv6: ",
    FLOODS,
    (
        ("pxerelay, DHCPv6", _Guarded6),
        ("pxerelay, DHCPv6, classes", _Classes6),
        ("ISC dhcrelay -6", IscOfTwo6),
        ("dnsmasq, DHCPv6", Dnsmasq6Relay),
    ),
    ("pxerelay, DHCPv6", "pxerelay, DHCPv6, classes"),
    network=_TwoVlans6,
    asking=Asking6,
    rig=Rig6,
    counters="counters6",
)


def hostile_part(rounds: int, say: Say) -> Result:
    """Flood every relay in every way, in both families."""
    return measured((DHCPV4, DHCPV6), rounds, say)


def hostile6_part(rounds: int, say: Say) -> Result:
    """Flood every relay of DHCPv6 in every way."""
    return measured((DHCPV6,), rounds, say, "hostile6")
