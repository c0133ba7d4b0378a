"""A decision in words an administrator understands: what `run --debug` logs."""

from __future__ import annotations

from ipaddress import IPv4Address

from pxerelay import packet
from pxerelay.answers import Target
from pxerelay.arch import arch_name
from pxerelay.client import Client
from pxerelay.mac import format_mac
from pxerelay.mapping import RulePlaces
from pxerelay.model import Config
from pxerelay.ports import Port
from pxerelay.relay import BROADCAST, MEANING, Decision, Drop, Relay, ToClient, ToServers
from pxerelay.rules import Match, Reason


class Narrator:
    """Tells decisions of one relay. `places` says where rules stand; without it only what they say."""

    def __init__(self, relay: Relay, places: RulePlaces | None = None) -> None:
        self._relay = relay
        self._places = places

    def tell(self, message: packet.Message, interface: str, source: bytes, decision: Decision) -> str:
        """Return one line: who asked, on which VLAN, which rule, sent where; or what came back.

        `interface` is the name of the one the message came in on, `source` the sender's 4 octets.
        """
        sender = str(IPv4Address(source))
        if len(message) < packet.HEADER_SIZE:
            return f"from {sender} on {interface}: dropped, {MEANING[Drop.TRUNCATED]}"
        found = packet.readable_options(message)
        who = format_mac(bytes(message[packet.CHADDR])[: message[packet.HLEN]])
        what = message_name(packet.message_type(found))
        if message[packet.OP] == packet.BOOTREPLY:
            return f"{who or '(no address)'}: {self._reply(message, what, found, sender, decision)}"
        kind = f" ({client_kind(found)})"
        where = interface if source == packet.UNSET else f"{interface} from {sender}"
        return (
            f"{who or '(no address)'} on {where}: {what}{kind}{self._request(message, interface, decision)}"
        )

    def _request(self, message: packet.Message, interface: str, decision: Decision) -> str:
        if isinstance(decision, Drop) and decision not in (Drop.MAPPED_TO_DROP, Drop.NOT_PXE):
            return f" dropped: {MEANING[decision]}"
        giaddr = bytes(message[packet.GIADDR])  # patched by now, unless a router had set it
        port = next(
            (
                port
                for port in self._relay.ports
                if port.name == interface and port.giaddr and giaddr in (packet.UNSET, port.giaddr.packed)
            ),
            None,
        )
        client = Client(message, port.name if port else None)
        default = port.setting.default if port else None
        match = self._relay.config.policy.choose(client, default)
        chosen = f", {why(match, self._places)} says {match.choice.label}"
        if not isinstance(decision, ToServers):
            meaning = MEANING[decision] if isinstance(decision, Drop) else ""
            return f"{chosen}; dropped: {meaning}" if decision is Drop.NOT_PXE else f"{chosen}; dropped"
        where = f" in VRF {self._relay.vrfs[decision.vrf]}" if decision.vrf else ""
        servers = ", ".join(map(self._server, decision.servers))
        note = ", too large for option 82" if decision.too_large else ""
        chosen_addresses = {
            address.packed for target in match.choice.servers for address in self._relay.answers.of(target)
        }
        if not chosen_addresses & set(decision.servers):
            note += " (pxe_only: this client reaches the DHCP servers alone)"
        return f"{chosen}; sent to {servers} with giaddr {IPv4Address(giaddr)}{where}{note}"

    def _server(self, address: bytes) -> str:
        return server_text(self._relay, address)

    def _reply(
        self, message: packet.Message, what: str, found: dict[int, bytes], sender: str, decision: Decision
    ) -> str:
        offered = [f"{what} from {self._server(IPv4Address(sender).packed)}"]
        if message[packet.YIADDR] != packet.UNSET:
            offered.append(f"address {IPv4Address(bytes(message[packet.YIADDR]))}")
        boot_file = packet.boot_file(message, found)
        if boot_file:
            offered.append(f"boot file {boot_file}")
        text = ", ".join(offered)
        if isinstance(decision, ToClient):
            return f"{text}; sent to {target_of(decision)} on {decision.port.name}"
        return f"{text}; dropped: {MEANING[decision]}" if isinstance(decision, Drop) else text


def why(match: Match, places: RulePlaces | None = None) -> str:
    """Tell which entry chose, and where it stands if that is known."""
    if match.reason is Reason.CLASS:
        return f"class {match.rule}"
    if match.reason is Reason.INTERFACE_DEFAULT:
        return f"the default of {match.rule}"
    if match.reason is Reason.DEFAULT:
        return "the default"
    place = places.of_text(match.rule) if places else None
    return f"rule {match.rule}{f' ({place.document.name}:{place.mark.line})' if place else ''}"


def client_kind(found: dict[int, bytes]) -> str:
    """Tell by its options what a client is: network boot firmware, of which architecture, or neither."""
    vendor = packet.vendor_class(found)
    if not packet.is_pxe(vendor):
        return "not booting from the network"
    names = map(arch_name, packet.architectures(found))
    name = next(known.decode() for known in packet.PXE_VENDOR_CLASSES if vendor.startswith(known))
    return ", ".join([name, *names])


def message_name(kind: int | None) -> str:
    """Name a message by its type, option 53."""
    if kind is None:
        return "BOOTP message"
    return packet.MESSAGE_NAMES.get(kind, f"message of type {kind}")


def server_text(relay: Relay, address: bytes) -> str:
    """Spell a server, given by its 4 octets, as `name address`, or only its address where it has no name."""
    return " ".join([*server_names(relay, address)[:1], str(IPv4Address(address))])


def server_names(relay: Relay, address: bytes) -> list[str]:
    """Return all names that the configuration has for a server's 4 octets."""
    ip = IPv4Address(address)
    return [
        name
        for name, targets in relay.config.servers.items()
        if any(ip in relay.answers.of(target) for target in targets)
    ]


def target_text(config: Config, target: Target) -> str:
    """Spell a server as the configuration names it: `name address`."""
    name = next((name for name, targets in config.servers.items() if target in targets), None)
    return f"{name} {target}" if name else str(target)


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
