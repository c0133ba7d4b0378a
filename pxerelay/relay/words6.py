"""Parts of decisions on DHCPv6 in words an administrator understands."""

from __future__ import annotations

from ipaddress import IPv6Address

from pxerelay.policy.ports6 import Port6
from pxerelay.relay.decision6 import ToPeer
from pxerelay.relay.words import NOT_BOOTING, firmware, type_name
from pxerelay.wire import packet6
from pxerelay.wire.client6 import MacSource
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.mac import format_mac

_DUIDS = {1: "DUID-LLT", 2: "DUID-EN", 3: "DUID-LL", 4: "DUID-UUID"}
"""Types of DUIDs (RFC 9915, 11.1; RFC 6355, 4)."""

_MOST_ARCHITECTURES = 8
"""Architectures that are told: more than firmware names."""

TOLD_BY = {
    MacSource.FRAME: "MAC from the frame",
    MacSource.OPTION79: "MAC from the relay agent's option 79",
    MacSource.EUI64: "MAC from its address",
    MacSource.NONE: "MAC unknown",
}
"""What told a client's MAC, in words."""


def client_kind(facts: Facts6) -> str:
    """Tell by its message what a client is: network boot firmware, of which architecture, or neither."""
    if facts.boots:
        return firmware(facts.vendor_classes, facts.architectures[:_MOST_ARCHITECTURES])
    return "it does not say whether it boots" if facts.is_silent else NOT_BOOTING


def duid_text(duid: bytes) -> str:
    """Spell a DUID: what it is made of, and its octets; empty if there is none."""
    if len(duid) < 2:
        return f"DUID {duid.hex()}" if duid else ""
    return f"{_DUIDS.get(int.from_bytes(duid[:2], 'big'), 'DUID')} {duid.hex()}"


def message_name(kind: int | None) -> str:
    """Name a message by its type."""
    return type_name(kind, packet6.MESSAGE_NAMES, "message")


def port_text(port: Port6) -> str:
    """Tell the state of a client interface."""
    if port.waiting:
        return f"{port.name} DHCPv6 waiting: {port.waiting}"
    return f"{port.name} DHCPv6 active, link-address {port.link_address}"


def target_of(decision: ToPeer) -> str:
    """Tell who gets a reply."""
    address = str(IPv6Address(decision.address))
    port = "" if decision.udp_port == packet6.CLIENT_PORT else f" port {decision.udp_port}"
    return f"{address}{port}{f' at {format_mac(decision.hardware)}' if decision.hardware else ''}"
