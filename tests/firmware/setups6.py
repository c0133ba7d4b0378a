"""Who boots over IPv6, and how the relay is configured there: the same rules as over IPv4, by MAC address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.firmware.machine import Card
from tests.lab.topology import ALTIRIS, RIS
from tests.lab.topology6 import ALTIRIS6, RIS6

BIOS6 = Card("bios", "02:00:00:b1:05:6a", "bios6")
UEFI6 = Card("uefi", "02:80:64:0e:f1:6b", "uefi6", ipv6=True)
IPXE6 = Card("uefi", "02:00:00:0e:f1:6c", "ipxe6", ipxe=True, ipv6=True)
CARDS6 = (BIOS6, UEFI6, IPXE6)
"""iPXE in a BIOS, UEFI with its own PXE, and UEFI with iPXE in the card's ROM."""

HTTP6 = replace(UEFI6, name="http6", mac="02:80:64:0e:f1:6d", http=True)
OTHER_HTTP6 = replace(HTTP6, name="other6", mac="02:80:64:0e:f1:6e")
NAMELESS6 = replace(UEFI6, name="nameless6", mac="02:80:64:0e:f1:6f", uuid=False)
ALIKE6 = replace(IPXE6, name="alike6", mac="02:00:00:0e:f1:70", uuid=False)

DHCP6 = "2001:db8:20::2"
"""A server that gives addresses only, where there is one."""

MAPPINGS: Mapping[str, Mapping[Card, str]] = {
    "one-mapping": {BIOS6: "ris", UEFI6: "altiris", IPXE6: "altiris"},
    "other-mapping": {BIOS6: "altiris", UEFI6: "ris", IPXE6: "ris"},
}
"""In one or the other each firmware boots from each server."""

WITHOUT_M = {BIOS6: "altiris", UEFI6: "ris", IPXE6: "ris"}
"""Where routers say that there is DHCPv6, but not for addresses."""

RECORDED = {**MAPPINGS, "without-m": WITHOUT_M}
"""The mappings by the name of their recordings."""


def configuration6(mapping: Mapping[Card, str], more: str = "") -> str:
    """Return the relay's configuration file for a mapping; who is not in it reaches no server."""
    rules = "".join(f'  "{card.mac}": {server}\n' for card, server in mapping.items())
    return f"""\
dhcpv6: true
servers:
  ris: [{RIS}, "{RIS6}"]
  altiris: [{ALTIRIS}, "{ALTIRIS6}"]
  dhcp: "{DHCP6}"
default: drop
interfaces: {{vlan10: {{}}}}
rules:
{rules}{more}"""
