"""Configurations and networks for tests, from text as an administrator would write it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from textwrap import dedent

from pxerelay.config import config, document
from pxerelay.policy.links import Link
from pxerelay.policy.model import Config
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports import assign
from pxerelay.policy.sticky import StickyClients
from pxerelay.relay.decision import Decision, Drop, Dropped, ToClient, ToServers
from pxerelay.relay.relay import Relay

STANDARD = """
servers:
  ris: 10.20.0.10
  altiris: [10.20.0.20, 10.20.0.21]
  dhcp: 10.20.0.2
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
accept_relayed_from: [10.30.0.0/16]
rules:
  00:11:22:33:44:55: altiris
  00:80:64: altiris
  52:54:00:12:3?:*: altiris
  de:ad:be:ef:00:01: drop
"""

LEASELESS = STANDARD.replace("ris: 10.20.0.10", "ris: {addresses: 10.20.0.10, leases: false}").replace(
    "[10.20.0.20, 10.20.0.21]", "{addresses: [10.20.0.20, 10.20.0.21], leases: false}"
)
"""The same, with boot servers that give no addresses: so it may have server override (rule 43)."""

LINKS = (
    Link(1, "lo", up=True, mtu=65536, addresses=(IPv4Address("127.0.0.1"),)),
    Link(2, "core", up=True, mtu=1500, addresses=(IPv4Address("10.20.0.1"),)),
    Link(
        10,
        "vlan10",
        up=True,
        mtu=1500,
        addresses=(IPv4Address("10.10.10.1"), IPv4Address("10.10.10.2")),
        subnets=(IPv4Network("10.10.10.0/24"),),
    ),
    Link(
        20,
        "vlan20",
        up=True,
        mtu=1500,
        addresses=(IPv4Address("10.10.20.1"),),
        subnets=(IPv4Network("10.10.20.0/24"),),
    ),
)
"""The relay host's interfaces; clients on vlan10 and vlan20, servers behind core."""

CORE, VLAN10, VLAN20 = 2, 10, 20


def way(decision: Decision) -> Decision:
    """Return a decision without what it was made of: where the request goes, and how."""
    if isinstance(decision, ToServers):
        return decision._replace(returns=True, match=None, port=None, client=None)
    return Dropped(decision.reason) if isinstance(decision, Dropped) else decision


def bare(decision: Decision) -> Decision:
    """Return a decision without what is one client's own: its message, and which of many rules won."""
    if isinstance(decision, ToClient):
        return decision
    match = decision.match._replace(rule="") if decision.match else None
    return decision._replace(client=None, match=match)


def why(decision: Decision) -> Drop | None:
    """Return the reason that a message is dropped for, None if it is not."""
    return decision.reason if isinstance(decision, Dropped) else None


def build(text: str) -> Config:
    """Return what a main file of this text configures."""
    return config.build(document.parse("pxerelay.yml", dedent(text)))


def relay(
    text: str = STANDARD,
    links: tuple[Link, ...] = LINKS,
    standing: Standing = ALL_UP,
    sticky: StickyClients | None = None,
) -> Relay:
    """Return a relay with a configuration on the standard interfaces."""
    built = build(text)
    return Relay(built, assign(built, links), links, standing=standing, sticky=sticky)
