"""Relay agent information, option 82: put into requests, taken out of replies (RFC 3046).

    code(1)=82  length(1)  sub-options: code(1) length(1) value ...

The option is spliced into the octets of a message, last before END (RFC 3046, 2.1), and cut out of them
again; all others stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts, Found
from pxerelay.wire.globs import Names
from pxerelay.wire.packet import AGENT_INFORMATION, Message

CIRCUIT_ID, REMOTE_ID = 1, 2
"""Which circuit, and who is at its far end; our own texts (RFC 3046, 3.1 and 3.2)."""

LINK_SELECTION = 5
"""4 octets: an address of the subnet to lease from, where giaddr is none (RFC 3527, 3)."""

FLAGS = 10
"""1 octet: 0x80 if the request came to us by unicast (RFC 5010, 3)."""

SERVER_OVERRIDE = 11
"""4 octets: what the server shall call itself, so that renewals come by us (RFC 5107, 4)."""

RELAY_ID = 12
"""Who relays: a DUID (RFC 6925, 5)."""

_UNICAST = b"\x80"
_BROADCAST = b"\0"

MAX_MESSAGE_SIZE = 57
"""2 octets: the largest message, IP and UDP headers with it, that a client takes (RFC 2132, 9.10)."""

LEAST_MAX_MESSAGE_SIZE = 576
"""What every client takes, whatever less it says (RFC 2132, 9.10)."""

LONGEST_TEXT = 64
"""Octets of a circuit or remote id; what a template makes beyond that is cut off."""

MINIMUM_SIZE = 300
"""Octets of a BOOTP message with an empty vendor area, which some clients insist on (RFC 1542, 2.1)."""

_HEADERS = 28
"""IPv4 and UDP headers, which count for an MTU."""


@dataclass(frozen=True)
class AgentInfoSetting:
    """The `option82` of a configuration. Templates may name `{interface}`, `{giaddr}` and `{hostname}`."""

    circuit_id: str | None = None
    remote_id: str | None = None
    link_selection: bool = False
    server_override: bool = False
    relay_id: bytes | None = None
    required: bool = False
    trusted: Names = Names()  # noqa: RUF009  # it is frozen

    @property
    def tells_interfaces_apart(self) -> bool:
        """Whether a reply's circuit id names its interface, so that interfaces may share a giaddr."""
        return self.circuit_id is not None and "{interface}" in self.circuit_id


PLACEHOLDERS = ("interface", "giaddr", "hostname")
"""What templates may name in braces."""


class AgentInfo(NamedTuple):
    """What one port adds: whole options for requests that came by broadcast and by unicast."""

    broadcast: bytes
    unicast: bytes
    circuit_id: bytes | None
    remote_id: bytes | None

    def is_ours(self, value: bytes) -> bool:
        """Whether the value of a reply's option 82 is what this port put into the request."""
        found = sub_options(value)
        if found is None:
            return False
        if self.circuit_id is not None or self.remote_id is not None:
            return found.get(CIRCUIT_ID) == self.circuit_id and found.get(REMOTE_ID) == self.remote_id
        return value in (self.broadcast[2:], self.unicast[2:])


def info_for(
    setting: AgentInfoSetting, interface: str, hostname: str, giaddr: IPv4Address, address: IPv4Address
) -> AgentInfo:
    """Return what a port adds. `address` is the interface's own, which giaddr need not be."""
    names = dict(zip(PLACEHOLDERS, (interface, str(giaddr), hostname), strict=True))
    circuit = _text(setting.circuit_id, names)
    remote = _text(setting.remote_id, names)
    parts = [
        _sub_option(CIRCUIT_ID, circuit),
        _sub_option(REMOTE_ID, remote),
        _sub_option(LINK_SELECTION, address.packed if setting.link_selection else None),
        _sub_option(SERVER_OVERRIDE, address.packed if setting.server_override else None),
        _sub_option(RELAY_ID, setting.relay_id),
    ]
    whole = {}
    for flags in (_BROADCAST, _UNICAST):
        value = b"".join([*parts, _sub_option(FLAGS, flags if setting.server_override else None)])
        whole[flags] = bytes((AGENT_INFORMATION, len(value))) + value
    return AgentInfo(whole[_BROADCAST], whole[_UNICAST], circuit, remote)


def _text(template: str | None, names: dict[str, str]) -> bytes | None:
    if template is None:
        return None
    for name, value in names.items():
        template = template.replace(f"{{{name}}}", value)
    return template.encode()[:LONGEST_TEXT]


def _sub_option(code: int, value: bytes | None) -> bytes:
    return b"" if value is None else bytes((code, len(value))) + value


def sub_options(value: bytes) -> dict[int, bytes] | None:
    """Return the sub-options of an option 82 by code; None if one runs past the end."""
    found: dict[int, bytes] = {}
    position = 0
    while position < len(value):
        if position + 2 > len(value) or position + 2 + value[position + 1] > len(value):
            return None
        start = position + 2
        position = start + value[position + 1]
        found[value[start - 2]] = value[start:position]
    return found


def has_room(facts: Facts, option: bytes, mtu: int) -> bool:
    """Whether a message may grow by an option 82; its options area must end somewhere.

    The limits are the MTU and, as RFC 3046, 2.1 wants, what the client says it takes.
    """
    limits = [mtu]
    wanted = facts.options.get(MAX_MESSAGE_SIZE, b"")
    if len(wanted) == 2:
        limits.append(max(int.from_bytes(wanted, "big"), LEAST_MAX_MESSAGE_SIZE))
    more = len(option) + (facts.end is None or not facts.end.has_end)
    return len(facts.message) + more + _HEADERS <= min(limits)


def added(facts: Facts, option: bytes) -> bytes:
    """Return a message with an option 82 last before END; its options area must end somewhere."""
    message, place = facts.message, facts.end
    assert place is not None  # noqa: S101  # else nobody would find the option
    tail = message[place.end :] if place.has_end else bytes((packet.END,))
    return bytes(message[: place.end]) + option + bytes(tail)


def removed(message: Message, info: Found) -> bytes:
    """Return the message without the octets of an option 82, padded back to 300.

    In file or sname what follows moves up, and pads take its place.
    """
    before, after = bytes(message[: info.start]), bytes(message[info.end : info.area.stop])
    if info.area.start == packet.OPTIONS:
        return (before + after).ljust(MINIMUM_SIZE, b"\0")
    return before + after + bytes(info.end - info.start) + bytes(message[info.area.stop :])
