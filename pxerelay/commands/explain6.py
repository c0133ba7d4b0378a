"""What `explain` tells of DHCPv6: clients behind relay agents, and the RELAY-FORW that would leave."""

from __future__ import annotations

import argparse
import re
from ipaddress import AddressValueError, IPv6Address
from typing import Any

from pxerelay.policy.model import Config
from pxerelay.relay.decision6 import MEANING6, Dropped6, ToServers6
from pxerelay.tools.simulate import decode6
from pxerelay.tools.simulate.review6 import Reviewer6, Said6, relayed, solicit
from pxerelay.wire import packet6
from pxerelay.wire.mac import MacError, parse_mac

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


def packet_text(reviewer: Reviewer6, said: Said6) -> str:
    """Return for people the octets that leave, decoded; `+` marks what the relay puts in front."""
    decision = reviewer.decide(said)
    if not isinstance(decision, ToServers6):
        return f"  nothing leaves in DHCPv6: {_why(decision)}"
    lines = [f"  {_name(said)} to {', '.join(f'{one} port 547' for one in reviewer.servers(decision))}"]
    if said.interface in reviewer.guessed:
        lines.append(f"  link-address stands for that of {said.interface}, which is not known here")
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
    kind = said.client.facts.kind
    return packet6.MESSAGE_NAMES.get(kind or 0, f"message type {kind}")


def _why(decision: object) -> str:
    return MEANING6[decision.reason] if isinstance(decision, Dropped6) else "it is no client's message"
