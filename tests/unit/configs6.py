"""Configurations and networks of DHCPv6 for tests, beside those of `configs`."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from pxerelay.policy.addresses6 import Address6
from pxerelay.policy.links import Link
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports6 import assign
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.sticky6 import StickyClients6
from pxerelay.policy.ways import WayTo
from pxerelay.relay.decision6 import Arrival6, Decision6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.relay6 import Behind, Relay6
from pxerelay.wire.packet import Message
from tests.unit import configs
from tests.unit.configs import CORE, VLAN10, build
from tests.unit.messages6 import GROUP, ip6, option, options_of, relayed

STANDARD6 = """
servers:
  ris: [10.20.0.10, 2001:db8:20::10]
  altiris: [10.20.0.20, 2001:db8:20::20, 2001:db8:20::21]
  dhcp: [10.20.0.2, 2001:db8:20::2]
  old: 10.20.0.30
default: ris
dhcpv6: true
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
accept_relayed_from: [10.30.0.0/16, 2001:db8:30::/48]
rules:
  00:11:22:33:44:55: altiris
  00:80:64: altiris
  52:54:00:12:3?:*: altiris
  de:ad:be:ef:00:01: drop
  02:00:00:00:00:30: old
"""

WITH_DHCP = STANDARD6 + "dhcp_servers: dhcp\n"
PXE_ONLY = WITH_DHCP + "pxe_only: true\n"
TRUSTING = STANDARD6.replace("dhcpv6: true", "dhcpv6: {trusted: [vlan10]}")
CLASSES = (
    STANDARD6 + "classes: [{name: uefi, vendor_class: PXEClient, server: altiris}, {name: arm, arch: 11, "
    "server: dhcp}]\n"
)

RIS, DHCP = ip6("2001:db8:20::10"), ip6("2001:db8:20::2")
ALTIRIS = (ip6("2001:db8:20::20"), ip6("2001:db8:20::21"))
ROUTER = ip6("2001:db8:30::1")
STRANGER = ip6("2001:db8:99::1")
LINK10, LINK20 = "2001:db8:10::1", "2001:db8:10:20::1"
OWN10, OWN20, OWN_CORE = "fe80::aa:ff:fe00:10", "fe80::aa:ff:fe00:20", "2001:db8:20::1"
CLIENT = ip6("fe80::ff:fe00:1")
CLIENT_MAC = bytes.fromhex("020000000001")
MAC_OPTION = (79, b"\0\1" + CLIENT_MAC)
"""Option 79 around what that client sends (RFC 6939, 4)."""

_ADDRESSES = {
    "lo": ("::1",),
    "core": (OWN_CORE, "fe80::aa:ff:fe00:2"),
    "vlan10": (LINK10, OWN10),
    "vlan20": (LINK20, OWN20),
}

LINKS = tuple(
    link._replace(
        hardware=bytes.fromhex("0200aa0000") + bytes((link.index,)),
        addresses6=tuple(Address6(IPv6Address(text)) for text in _ADDRESSES[link.name]),
        loopback=link.name == "lo",
    )
    for link in configs.LINKS
)
"""The relay host's interfaces in both families; clients on vlan10 and vlan20, servers behind core."""


def relay6(
    text: str = STANDARD6,
    links: tuple[Link, ...] = LINKS,
    *,
    answers: ResolvedNames = ResolvedNames(),  # noqa: B008  # it is frozen
    standing: Standing = ALL_UP,
    sticky: StickyClients6 | None = None,
    way_to: WayTo | None = None,
    behind: Behind | None = None,
) -> Relay6:
    """Return a relay with a configuration on the standard interfaces."""
    built = build(text)
    return Relay6(built, assign(built, links, "relay1"), links, answers, standing, sticky, way_to, behind)


def heard(message: Message, **changes: Any) -> Arrival6:
    """Return a message as a client of vlan10 sends it, but for what is given."""
    arrival = Arrival6(message, VLAN10, CLIENT, 546, GROUP, CLIENT_MAC)
    return arrival._replace(**changes)


def routed(message: Message, **changes: Any) -> Arrival6:
    """Return a message as a router beyond core sends it, but for what is given."""
    return heard(
        message, interface=CORE, source=ROUTER, port=547, destination=ip6(OWN_CORE), mac=None
    )._replace(**changes)


def answered(
    inside: bytes,
    *,
    interface_id: bytes | None = b"vlan10",
    link: str = LINK10,
    peer: str = "fe80::ff:fe00:1",
    front: bytes = b"",
    behind: bytes = b"",
    hops: int = 0,
    **changes: Any,
) -> Arrival6:
    """Return a RELAY-REPL as the server ris sends it, but for what is given."""
    if interface_id is not None:
        front += option(18, interface_id)
    octets = relayed(inside, hops=hops, link=link, peer=peer, front=front, behind=behind, kind=13)
    return routed(octets, source=RIS)._replace(**changes)


def why(decision: Decision6) -> Drop6 | None:
    """Return the reason that a message is dropped for, None if it is not."""
    return decision.reason if isinstance(decision, Dropped6) else None


def to_servers(decision: Decision6) -> ToServers6:
    """Return a decision that must be one to send a request to servers."""
    assert isinstance(decision, ToServers6), decision
    return decision


def to_peer(decision: Decision6) -> ToPeer:
    """Return a decision that must be one to send a reply."""
    assert isinstance(decision, ToPeer), decision
    return decision


def servers_of(arrival: Arrival6, text: str = STANDARD6) -> set[bytes]:
    """Return the servers that a message goes to, by a configuration."""
    return set(to_servers(relay6(text).decide(arrival)).servers)


def around(decision: ToServers6) -> list[tuple[int, bytes]]:
    """Return the options of a RELAY-FORW in front of its Relay Message."""
    *front, (last, inside) = options_of(decision.header + bytes(size_inside(decision)), 34)
    assert last == 9
    assert not any(inside)
    return front


def size_inside(decision: ToServers6) -> int:
    """Return how long the message is that a header announces, in octets."""
    assert decision.header[-4:-2] == b"\0\x09"
    return int.from_bytes(decision.header[-2:], "big")
