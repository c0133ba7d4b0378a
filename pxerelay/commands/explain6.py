"""What `explain` tells of DHCPv6: clients behind relay agents, and the RELAY-FORW that would leave."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterable
from ipaddress import AddressValueError, IPv6Address
from typing import Any

from pxerelay.policy.model import Config
from pxerelay.relay import words6
from pxerelay.relay.decision6 import MEANING6, Dropped6, ToServers6
from pxerelay.tools.simulate import decode6
from pxerelay.tools.simulate.offline import Hints, Whereabouts
from pxerelay.tools.simulate.review6 import Reviewer6, Said6, relayed, solicit
from pxerelay.wire import packet6
from pxerelay.wire.client6 import Client6
from pxerelay.wire.dissect6 import Datagram6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.mac import MacError, format_mac, parse_mac

_DUID = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]?){2,129}[0-9A-Fa-f]{2}")
"""3 to 130 octets in hex (RFC 9915, 11.1)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a DHCPv6 client behind a router."""
    behind = parser.add_argument_group("a DHCPv6 client behind a router, by what the router says of it")
    behind.add_argument("--option79", metavar="MAC", help="its MAC, as option 79 has it")
    behind.add_argument("--peer", metavar="ADDRESS", help="its IPv6 address, which may have its MAC in it")
    behind.add_argument("--duid", metavar="HEX", help="its client identifier, which never tells its MAC")


def is_described(arguments: argparse.Namespace) -> bool:
    """Whether one of these options is given."""
    return any(text is not None for text in (arguments.option79, arguments.peer, arguments.duid))


def described(
    arguments: argparse.Namespace, config: Config, vendor_class: bytes, architectures: tuple[int, ...]
) -> Said6:
    """Return the message of the client that these options describe; LookupError for what is no such thing."""
    mac = peer = None
    duid = b""
    if arguments.option79 is not None:
        try:
            mac = parse_mac(arguments.option79)
        except MacError as error:
            raise LookupError(f"--option79: {error}") from None
    if arguments.peer is not None:
        try:
            peer = IPv6Address(arguments.peer)
        except AddressValueError:
            message = f"--peer {arguments.peer}: write an IPv6 address such as fe80::ff:fe12:3456"
            raise LookupError(message) from None
        if peer.scope_id or not packet6.is_one_host(peer.packed):
            raise LookupError(f"--peer {arguments.peer}: write the address of one host, without a zone")
    if arguments.duid is not None:
        if not _DUID.fullmatch(arguments.duid):
            message = "write 3 to 130 octets in hex, such as 00:03:00:01:02:00:00:00:00:01"
            raise LookupError(f"--duid {arguments.duid}: {message}")
        duid = bytes.fromhex(re.sub("[:-]", "", arguments.duid))
    return relayed(config, solicit(vendor_class, architectures, duid), peer, mac)


def heard_clients(
    datagrams: Iterable[Datagram6],
    config: Config,
    hints: Hints,
    wanted: Collection[bytes],
    faults: list[str],
) -> list[Said6]:
    """Return a message of each DHCPv6 client of a capture, one for each way it shows itself.

    Of `wanted` clients alone, if there are some. What is not known of where one was heard becomes a fault.
    """
    where = Whereabouts(config, hints)
    found: dict[tuple[object, ...], Said6] = {}
    for datagram in datagrams:
        kind = packet6.message_type(datagram.payload)
        if not datagram.is_whole:
            continue
        if kind is None or datagram.port != packet6.SERVER_PORT or kind in _OF_SERVERS:
            continue
        if len(datagram.payload) < packet6.header_size(kind):
            continue
        said = Said6(datagram.payload, datagram.source, None, None)
        if not said.is_relayed:
            said = said._replace(mac=datagram.mac, interface=where(datagram))
        client = _as_heard(said, config).client
        if client.facts.start is None or client.facts.is_silent or (wanted and client.chaddr not in wanted):
            continue
        if said.interface is None and not said.is_relayed:
            faults.append(f"{_called(client)}: {where.advice(datagram)}")
            continue
        said = _as_heard(said, config)
        key = client.client_key, said.interface, client.facts.vendor_classes, client.architectures
        found.setdefault(key, said)
    return list(found.values())


_OF_SERVERS = frozenset({packet6.ADVERTISE, packet6.REPLY, packet6.RECONFIGURE, packet6.RELAY_REPL})
"""Message types that no client and no relay agent below us sends."""


def _as_heard(said: Said6, config: Config) -> Said6:
    """Return what a client sent, of a RELAY-FORW that names one of our interfaces: so it was sent by us."""
    if not said.is_relayed:
        return said
    message = said.message
    spans, _ = packet6.walk(message, packet6.RELAY_HEADER_SIZE, len(message), _MOST_OPTIONS)
    values = {code: message[start:end] for code, start, end in reversed(spans)}
    interface = values.get(packet6.INTERFACE_ID, b"").decode("utf-8", "replace")
    inside = values.get(packet6.RELAY_MESSAGE, b"")
    if not interface or config.setting_for(interface) is None or len(inside) < packet6.HEADER_SIZE:
        return said
    if inside[packet6.TYPE] == packet6.RELAY_FORW:
        return said
    told = Facts6(message).told_mac
    return Said6(inside, message[packet6.PEER_ADDRESS], told, interface)


_MOST_OPTIONS = 64
"""Options of a RELAY-FORW that are looked at."""


def _called(client: Client6) -> str:
    return format_mac(client.chaddr) if client.chaddr else str(IPv6Address(client.peer))


def about(said: Said6) -> str:
    """Tell where a client was heard, and what it is."""
    place = f"on {said.interface}" if said.interface else "behind a router"
    return f"{place} ({words6.client_kind(said.client.facts)})"


def plain(said: Said6) -> dict[str, Any]:
    """Return for programs where a client was heard, and what it says of itself."""
    facts = said.client.facts
    return {
        "interface": said.interface,
        "vendor_class": ", ".join(one.decode("utf-8", "backslashreplace") for one in facts.vendor_classes),
        "arch": facts.architectures,
        "duid": facts.duid.hex(),
        "peer": str(IPv6Address(said.client.peer)),
    }


def packet_text(reviewer: Reviewer6, said: Said6) -> str:
    """Return for people the octets that leave, decoded; `+` marks what the relay puts in front."""
    decision = reviewer.decide(said)
    if not isinstance(decision, ToServers6):
        return f"  nothing leaves in DHCPv6: {_why(decision)}"
    lines = [f"  {_name(said)} to {', '.join(f'{one} port 547' for one in reviewer.servers(decision))}"]
    if said.interface in reviewer.guessed:
        stands = f"  link-address stands for that of {said.interface}, which is not known here"
        lines.append(f"{stands}; give --link-address")
    for text in (
        decode6.as_text(decision.header, said.message),
        "",
        decode6.hexdump(decision.header, said.message),
    ):
        lines.extend(f"  {line}".rstrip() for line in text.split("\n"))
    return "\n".join(lines)


def packet_plain(reviewer: Reviewer6, said: Said6) -> dict[str, Any]:
    """Return for programs the same."""
    decision = reviewer.decide(said)
    if not isinstance(decision, ToServers6):
        drop = decision.reason.value if isinstance(decision, Dropped6) else None
        return {"servers": [], "drop": drop, "reason": _why(decision)}
    header = decision.header
    return {
        "servers": reviewer.servers(decision),
        "drop": None,
        "octets": (header + said.message).hex(),
        "fields": [
            {"name": field.name.strip(), "text": field.text, "new": field.start < len(header)}
            for field in decode6.fields(header + said.message)
        ],
    }


def _name(said: Said6) -> str:
    return words6.message_name(said.client.facts.kind)


def _why(decision: object) -> str:
    return MEANING6[decision.reason] if isinstance(decision, Dropped6) else "it is no client's message"
