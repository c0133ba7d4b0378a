"""A DHCPv6 message field by field, with what is around it and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address

from pxerelay.tools.simulate.decode import Field
from pxerelay.wire import packet6
from pxerelay.wire.arch import arch_name
from pxerelay.wire.packet import numbers_in
from pxerelay.wire.packet6 import walk

OPTION_NAMES = {
    1: "client identifier",
    2: "server identifier",
    3: "addresses (IA_NA)",
    5: "address",
    6: "wanted options",
    7: "preference",
    8: "elapsed time",
    9: "relay message",
    13: "status code",
    14: "rapid commit",
    15: "user class",
    16: "vendor class",
    17: "vendor-specific information",
    18: "interface id",
    23: "DNS servers",
    24: "domain search",
    25: "prefixes (IA_PD)",
    37: "remote id",
    39: "client FQDN",
    53: "relay id",
    59: "boot file URL",
    60: "boot file parameters",
    61: "client architecture",
    62: "client network interface",
    79: "client's MAC",
    135: "source port",
}
"""Names of options that network boot clients, servers and relay agents send (IANA's DHCPv6 option codes)."""

_TEXTS = frozenset({packet6.INTERFACE_ID, packet6.BOOT_FILE_URL})
_ENTERPRISE = frozenset({packet6.VENDOR_CLASS, packet6.REMOTE_ID, 17})
"""Options that are text, and that begin with an enterprise number of 4 octets."""

_DEEPEST = packet6.MOST_LAYERS + 1


def fields(message: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> Iterator[Field]:
    """Yield the fields of a message in the order they stand, and of messages in it; malformed is the rest."""
    end = len(message) if end is None else end
    indent = "  " * depth
    kind = packet6.message_type(message[start:end])
    if kind is None or end - start < packet6.header_size(kind):
        yield Field(f"{indent}cut off", start, end, f"{end - start} octets of a header")
        return
    name = packet6.MESSAGE_NAMES.get(kind, "")
    yield Field(f"{indent}msg-type", start, start + 1, f"{kind} {name}".rstrip())
    if packet6.is_relayed(kind):
        yield Field(f"{indent}hop-count", start + 1, start + 2, str(message[start + 1]))
        for label, part in (("link-address", packet6.LINK_ADDRESS), ("peer-address", packet6.PEER_ADDRESS)):
            first, last = start + part.start, start + part.stop
            yield Field(f"{indent}{label}", first, last, str(IPv6Address(message[first:last])))
    else:
        xid = message[start + 1 : start + packet6.HEADER_SIZE]
        yield Field(f"{indent}transaction-id", start + 1, start + packet6.HEADER_SIZE, f"0x{xid.hex()}")
    position = start + packet6.header_size(kind)
    options, whole = walk(message, position, end, end)
    for code, begin, stop in options:
        label = f"{indent}option {code} {OPTION_NAMES.get(code, '')}".rstrip()
        inside = code == packet6.RELAY_MESSAGE and packet6.is_relayed(kind) and depth < _DEEPEST
        text = f"{stop - begin} octets" if inside else option_text(code, message[begin:stop])
        yield Field(label, begin - packet6.OPTION_HEADER.size, begin if inside else stop, text)
        if inside:
            yield from fields(message, begin, stop, depth + 1)
        position = stop
    if not whole:
        rest = message[position:end]
        yield Field(f"{indent}malformed", position, end, _octets(rest))


def option_text(code: int, value: bytes) -> str:
    """Return the value of an option as people read it."""
    if code in (packet6.CLIENT_ARCH, packet6.OPTION_REQUEST) and value and len(value) % 2 == 0:
        numbers = numbers_in(value)
        if code == packet6.OPTION_REQUEST:
            return " ".join(map(str, numbers))
        return ", ".join(f"{number} {arch_name(number)}" for number in numbers)
    if code in _ENTERPRISE and len(value) >= _NUMBER:
        rest = value[_NUMBER:]
        if (
            code == packet6.VENDOR_CLASS
            and len(rest) > 2
            and len(rest) == 2 + int.from_bytes(rest[:2], "big")
        ):
            rest = rest[2:]
        return f"{int.from_bytes(value[:_NUMBER], 'big')} {_text_or_octets(rest)}"
    if code == packet6.CLIENT_LINK_LAYER_ADDRESS and value.startswith(packet6.HTYPE_ETHERNET):
        return value[2:].hex(":")
    if code == packet6.RELAY_SOURCE_PORT and len(value) == 2:
        return str(int.from_bytes(value, "big"))
    if code == packet6.STATUS_CODE and len(value) >= 2:
        return f"{int.from_bytes(value[:2], 'big')} {_text_or_octets(value[2:])}"
    return _text_or_octets(value) if code in _TEXTS else _octets(value)


_NUMBER = 4
"""Octets of an enterprise number."""


def _text_or_octets(value: bytes) -> str:
    text = value.decode("ascii", "replace")
    return f'"{text}"' if value and text.isprintable() and "\ufffd" not in text else _octets(value)


def _octets(value: bytes) -> str:
    return value.hex(":") if value else "empty"


def as_text(header: bytes, message: bytes) -> str:
    """Return a message with a header in front, decoded; `+` marks what is of the header."""
    found = list(fields(header + message))
    width = max((len(field.name) for field in found), default=0)
    return "\n".join(
        f"{'+' if field.start < len(header) else ' '} {field.name:{width}}  {field.text}".rstrip()
        for field in found
    )


_ROW = 16
"""Octets in a row of a dump."""


def hexdump(header: bytes, message: bytes) -> str:
    """Return the octets of both, in rows of their own; `+` marks those of the header."""
    lines = []
    for mark, part, offset in (("+", header, 0), (" ", message, len(header))):
        for start in range(0, len(part), _ROW):
            row = part[start : start + _ROW]
            text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
            lines.append(f"{mark} {offset + start:04x}  {row.hex(' '):{3 * _ROW - 1}}  {text}")
    return "\n".join(lines)
