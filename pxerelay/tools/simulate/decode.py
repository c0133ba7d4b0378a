"""A DHCP message field by field, and what of it is another than in the message it was made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from pxerelay.wire import agentinfo, packet
from pxerelay.wire.arch import arch_name
from pxerelay.wire.facts import Facts
from pxerelay.wire.packet import Message


class Field(NamedTuple):
    """A part of a message: where it lies, and what it says.

    Of a field of the header `name` is RFC 2131's, an option has its number in it, a sub-option both numbers.
    """

    name: str
    start: int
    end: int
    text: str


class Shown(NamedTuple):
    """A field of a message that leaves; `was` is what stood there before, empty if that was the same.

    A field that was not there is `new`.
    """

    field: Field
    was: str
    new: bool


HEADER = (
    ("op", 0, 1),
    ("htype", 1, 2),
    ("hlen", 2, 3),
    ("hops", 3, 4),
    ("xid", 4, 8),
    ("secs", 8, 10),
    ("flags", 10, 12),
    ("ciaddr", 12, 16),
    ("yiaddr", 16, 20),
    ("siaddr", 20, 24),
    ("giaddr", 24, 28),
    ("chaddr", 28, 44),
    ("sname", 44, 108),
    ("file", 108, 236),
)
"""Fields of the header, and their places (RFC 2131, 2)."""

_ADDRESSES, _NUMBERS, _TEXTS = (
    frozenset({1, 3, 4, 5, 6, 28, 42, 44, 50, 54, 118}),
    frozenset({13, 22, 26, 51, 57, 58, 59, 52, 116}),
    frozenset({12, 14, 15, 17, 40, 56, 60, 62, 66, 67, 77}),
)
"""Options that hold addresses, one number, or text."""

OPTION_NAMES = {
    1: "subnet mask",
    3: "routers",
    6: "domain name servers",
    12: "host name",
    15: "domain name",
    17: "root path",
    28: "broadcast address",
    42: "NTP servers",
    43: "vendor-specific information",
    50: "requested address",
    51: "lease time",
    52: "option overload",
    53: "message type",
    54: "server identifier",
    55: "parameter request list",
    56: "message",
    57: "maximum message size",
    58: "renewal time",
    59: "rebinding time",
    60: "vendor class",
    61: "client identifier",
    66: "TFTP server name",
    67: "boot file name",
    77: "user class",
    81: "client FQDN",
    82: "relay agent information",
    93: "client architecture",
    94: "client network interface",
    97: "client machine identifier",
    118: "subnet selection",
    119: "domain search",
    121: "classless static routes",
    175: "iPXE encapsulated options",
    255: "end",
}
"""Names of options that network boot clients and their servers send (IANA's BOOTP and DHCP parameters)."""

SUB_OPTION_NAMES = {
    agentinfo.CIRCUIT_ID: "circuit id",
    agentinfo.REMOTE_ID: "remote id",
    agentinfo.LINK_SELECTION: "link selection",
    6: "subscriber id",
    agentinfo.FLAGS: "flags",
    agentinfo.SERVER_OVERRIDE: "server identifier override",
    agentinfo.RELAY_ID: "relay id",
}
"""Names of what an option 82 holds (IANA's DHCP relay agent sub-option codes)."""


def fields(message: Message) -> tuple[Field, ...]:
    """Return the fields of a message in the order they stand; what is malformed ends its area."""
    whole = bytes(message)
    return tuple(_fields(whole))


def _fields(whole: bytes) -> Iterator[Field]:
    for name, start, end in HEADER:
        if end > len(whole):
            yield Field("cut off", start, len(whole), f"{len(whole) - start} octets of {name}")
            return
        yield Field(name, start, end, _header_text(name, whole))
    cookie = whole[packet.HEADER_SIZE : packet.OPTIONS]
    if cookie != packet.MAGIC_COOKIE:
        if len(whole) > packet.HEADER_SIZE:
            yield Field("vendor area", packet.HEADER_SIZE, len(whole), _octets(whole[packet.HEADER_SIZE :]))
        return
    yield Field("cookie", packet.HEADER_SIZE, packet.OPTIONS, cookie.hex(":"))
    yield from _area(whole, packet.OPTIONS, len(whole), "")
    overload = Facts(whole).legible.get(packet.OVERLOAD, b"\0")[-1:]
    for field, name, values in ((packet.FILE, "file", b"\1\3"), (packet.SNAME, "sname", b"\2\3")):
        if overload and overload in values:
            yield from _area(whole, field.start, field.stop, f"{name}: ")


def _area(whole: bytes, start: int, end: int, where: str) -> Iterator[Field]:
    """Yield the options of an area, and what stands behind them."""
    position = start
    for code, begin, stop in packet.walk(whole[start:end]):
        if start + begin > position:
            yield Field(f"{where}padding", position, start + begin, _many(start + begin - position))
        position = min(start + stop, end)
        name = f"{where}option {code} {OPTION_NAMES.get(code, '')}".rstrip()
        value = whole[start + begin + 2 : position]
        if start + stop > end:
            yield Field(
                f"{where}malformed", start + begin, position, f"option {code} runs past the end of its area"
            )
            return
        if code == packet.END:
            yield Field(name, start + begin, position, "")
            break
        sub_options = agentinfo.sub_options(value) if code == packet.AGENT_INFORMATION else None
        text = _many(len(value)) if sub_options else option_text(code, value)
        yield Field(name, start + begin, position, text)
        if sub_options:
            yield from _sub_options(value, start + begin + 2, where)
    if position < end:
        rest = whole[position:end]
        text = _many(len(rest)) if not any(rest) else _octets(rest)
        yield Field(f"{where}{'padding' if not any(rest) else 'behind the end'}", position, end, text)


def _sub_options(value: bytes, start: int, where: str) -> Iterator[Field]:
    position = 0
    while position < len(value):
        code, size = value[position], value[position + 1]
        octets = value[position + 2 : position + 2 + size]
        name = f"{where}option 82.{code} {SUB_OPTION_NAMES.get(code, '')}".rstrip()
        holds_address = code in (agentinfo.LINK_SELECTION, agentinfo.SERVER_OVERRIDE) and size == len(
            packet.UNSET
        )
        text = str(IPv4Address(octets)) if holds_address else _text_or_octets(octets)
        yield Field(name, start + position, start + position + 2 + size, text)
        position += 2 + size


def _header_text(name: str, whole: bytes) -> str:
    if name == "op":
        return {1: "1 request", 2: "2 reply"}.get(whole[0], str(whole[0]))
    if name == "htype":
        return "1 Ethernet" if whole[1] == packet.HTYPE_ETHERNET else str(whole[1])
    if name in ("hlen", "hops"):
        return str(whole[packet.HLEN if name == "hlen" else packet.HOPS])
    start, end = next((start, end) for known, start, end in HEADER if known == name)
    octets = whole[start:end]
    if name == "xid":
        return f"0x{octets.hex()}"
    if name == "secs":
        return str(int.from_bytes(octets, "big"))
    if name == "flags":
        return f"0x{octets.hex()}{' broadcast' if octets[0] & packet.BROADCAST_FLAG else ''}"
    if name.endswith("iaddr"):
        return str(IPv4Address(octets))
    if name == "chaddr":
        size = min(whole[packet.HLEN], packet.MAX_HLEN)
        rest = octets[size:]
        return octets[:size].hex(":") + (f" and {rest.hex(':')}" if any(rest) else "")
    text = octets.rstrip(b"\0")
    return _text_or_octets(text) if text else "empty"


def option_text(code: int, value: bytes) -> str:
    """Return the value of an option as people read it."""
    if code == packet.MESSAGE_TYPE and len(value) == 1:
        return packet.MESSAGE_NAMES.get(value[0], str(value[0]))
    if code == packet.CLIENT_ARCH and value and len(value) % 2 == 0:
        numbers = packet.architectures({code: value})
        return ", ".join(f"{number} {arch_name(number)}" for number in numbers)
    if code == _PARAMETERS:
        return " ".join(map(str, value))
    if code in _ADDRESSES and value and len(value) % len(packet.UNSET) == 0:
        size = len(packet.UNSET)
        return ", ".join(str(IPv4Address(value[at : at + size])) for at in range(0, len(value), size))
    if code in _NUMBERS and 0 < len(value) <= _LONGEST_NUMBER:
        return str(int.from_bytes(value, "big"))
    return _text_or_octets(value) if code in _TEXTS else _octets(value)


_PARAMETERS, _LONGEST_NUMBER = 55, 4
"""What the client wants to know, codes (RFC 2132, 9.8); octets of the largest number in an option."""


def _text_or_octets(value: bytes) -> str:
    text = value.decode("ascii", "replace")
    return f'"{text}"' if value and text.isprintable() and "\ufffd" not in text else _octets(value)


def _octets(value: bytes) -> str:
    return value.hex(":") if value else "empty"


def _many(number: int) -> str:
    return "1 octet" if number == 1 else f"{number} octets"


def compared(before: Message, after: Message) -> tuple[list[Shown], list[Field]]:
    """Return the fields of a message that leaves, each with what it was, and those that are gone.

    Equal names are compared in the order they stand.
    """
    old: dict[str, list[Field]] = defaultdict(list)
    for field in fields(before):
        old[field.name].append(field)
    first, second = bytes(before), bytes(after)
    found = []
    for field in fields(after):
        known = old[field.name].pop(0) if old[field.name] else None
        same = known is not None and first[known.start : known.end] == second[field.start : field.end]
        found.append(Shown(field, "" if same or known is None else known.text, known is None))
    return found, [field for left in old.values() for field in left]


def as_text(before: Message, after: Message) -> str:
    """Return a message that leaves, decoded; `*` marks what is another than before, `+` new, `-` gone."""
    shown, gone = compared(before, after)
    names = [one.field.name for one in shown] + [field.name for field in gone]
    width = max(map(len, names), default=0)
    lines = []
    for field, was, new in shown:
        mark = "+" if new else "*" if was else " "
        lines.append(f"{mark} {field.name:{width}}  {field.text}{f'  (was {was})' if was else ''}".rstrip())
    lines.extend(f"- {field.name:{width}}  {field.text}".rstrip() for field in gone)
    return "\n".join(lines)


_ROW, _SAME = 16, "  ..."
"""Octets in a row of a dump; what stands for rows of zeros behind another one."""


def hexdump(before: Message, after: Message) -> str:
    """Return the octets of a message that leaves; `*` marks rows that are others than before."""
    first, second = bytes(before), bytes(after)
    lines: list[str] = []
    for start in range(0, len(second), _ROW):
        row = second[start : start + _ROW]
        same = first[start : start + _ROW] == row
        if same and start and row == bytes(_ROW) == second[start - _ROW : start]:
            if lines[-1] != _SAME:
                lines.append(_SAME)
            continue
        mark = " " if same else "*"
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        lines.append(f"{mark} {start:04x}  {row.hex(' '):{3 * _ROW - 1}}  {text}")
    return "\n".join(lines)
