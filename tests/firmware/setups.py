"""Who boots in the set-ups, and how the relay is configured in each of them."""

from __future__ import annotations

from ipaddress import IPv4Network

from tests.firmware.machine import Card
from tests.lab.topology import SERVER_NAMES

BIOS = Card("bios", "02:00:00:b1:05:0a")
UEFI = Card("uefi", "02:80:64:0e:f1:0b")
CARDS = (BIOS, UEFI)

DHCP = "10.20.0.2"
"""A server that gives addresses only, in the set-ups that have one."""

ROUTER, BRANCH = "10.30.0.1", IPv4Network("10.30.0.0/24")
"""A router with a relay agent of its own, and the VLAN behind it."""

PLAIN = "02:00:00:10:00:50"
"""A client that does not boot from the network, in the set-up that has one."""

MAPPING = f"""\
servers: {{{", ".join(f"{name}: {address}" for address, name in SERVER_NAMES.items())}, dhcp: {DHCP}}}
default: ris
rules:
  {BIOS.mac}: ris
  {UEFI.mac[:8]}: altiris
"""

_INTERFACES = "interfaces: {vlan10: {}}\n"

SETTINGS = {
    "full-servers": _INTERFACES,
    "proxydhcp": f"{_INTERFACES}dhcp_servers: [dhcp]\n",
    "behind-a-router": f"{_INTERFACES}accept_relayed_from: [{ROUTER}]\n",
    "pxe-only": f"{_INTERFACES}dhcp_servers: [dhcp]\npxe_only: true\n",
}
"""What each set-up adds to the mapping, by the name of its recordings."""


def configuration(setup: str) -> str:
    """Return the relay's configuration file of a set-up."""
    return MAPPING + SETTINGS[setup]
