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
    if facts.is_silent:
        return "it does not say whether it boots"
    return _OF_UEFI if _is_of_uefi(facts) else NOT_BOOTING


_OF_UEFI = f"{NOT_BOOTING}: as UEFI's own IPv6 asks, besides its PXE"
"""What UEFI sends before its PXE asks, or afterwards: no fault."""

_ASKED_BY_UEFI = b"\0\x17"
"""UEFI's own IPv6 asks for name servers, and nothing else (option 23; RFC 3646, 3)."""

_OPTIONS_OF_UEFI = frozenset({packet6.CLIENT_ID, packet6.OPTION_REQUEST, 3, 8})
"""It names itself, and says for how long it has asked; in a SOLICIT there is an IA_NA (RFC 9915, 21)."""


def _is_of_uefi(facts: Facts6) -> bool:
    """Whether a message is like those that UEFI's own IPv6 sends, apart from PXE and HTTP."""
    options, looks = facts.options, (packet6.SOLICIT, packet6.INFORMATION_REQUEST)
    return (
        facts.kind in looks
        and options.keys() <= _OPTIONS_OF_UEFI
        and (options.get(packet6.OPTION_REQUEST) == [_ASKED_BY_UEFI])
    )


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
