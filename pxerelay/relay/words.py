"""Parts of decisions in words an administrator understands: what both families share, and DHCPv4's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_address

from pxerelay.policy.ports import Port
from pxerelay.policy.rules import Match, Reason
from pxerelay.policy.servers import NamedServer
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.decision import BROADCAST, ToClient
from pxerelay.wire import packet
from pxerelay.wire.arch import arch_name
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import format_mac


def why(match: Match) -> str:
    """Tell which entry chose."""
    return entry_text(match.reason, match.rule)


def entry_text(reason: Reason, rule: str, place: str = "") -> str:
    """Name an entry of the mapping, and where it stands if that is known."""
    where = f" ({place})" if place else ""
    if reason is Reason.CLASS:
        return f"class {rule}{where}"
    if reason is Reason.INTERFACE_DEFAULT:
        return f"the default of {rule}{where}"
    return f"the default{where}" if reason is Reason.DEFAULT else f"rule {rule}{where}"


NOT_BOOTING = "not booting from the network"
"""What a client is whose message says nothing of network boot."""


def firmware(vendor_classes: Iterable[bytes], architectures: Iterable[int]) -> str:
    """Name network boot firmware by its vendor classes and architectures."""
    texts = tuple(vendor_classes)
    known = (name for name in packet.PXE_VENDOR_CLASSES if any(one.startswith(name) for one in texts))
    return ", ".join([next(known, b"network boot").decode(), *map(arch_name, architectures)])


def client_kind(facts: Facts) -> str:
    """Tell by its message what a client is: network boot firmware, of which architecture, or neither."""
    vendor = facts.vendor_class
    return firmware((vendor,), facts.architectures) if packet.is_pxe(vendor) else NOT_BOOTING


def client_mac(message: packet.Message) -> str:
    """Spell the hardware address of a message's client; empty if it has none, or the message is too short."""
    if len(message) < packet.HEADER_SIZE:
        return ""
    return format_mac(bytes(message[packet.CHADDR])[: message[packet.HLEN]])


def type_name(kind: int | None, names: Mapping[int, str], untyped: str) -> str:
    """Name a message by its type; `untyped` is what one without a type is called."""
    return untyped if kind is None else names.get(kind, f"message of type {kind}")


def message_name(kind: int | None) -> str:
    """Name a message by its type, option 53."""
    return type_name(kind, packet.MESSAGE_NAMES, "BOOTP message")


def server_names(relay: Choosing, address: bytes) -> list[str]:
    """Return all names that the configuration has for a server's 4 or 16 octets."""
    return relay.answers.names(relay.config.servers, ip_address(address))


def named_server(relay: Choosing, address: bytes) -> NamedServer:
    """Return a server by its 4 or 16 octets, with the first of its names."""
    return relay.answers.named(relay.config.servers, ip_address(address))


def port_text(port: Port) -> str:
    """Tell the state of a client interface."""
    if port.waiting:
        return f"{port.name} waiting: {port.waiting}"
    return f"{port.name} active, giaddr {port.giaddr}"


def target_of(decision: ToClient) -> str:
    """Tell who on the link gets a reply."""
    if decision.address == BROADCAST:
        return "everyone"
    address = str(IPv4Address(decision.address))
    return f"{address} at {format_mac(decision.hardware)}"
