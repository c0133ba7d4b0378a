"""DHCPv6 messages, made and taken apart by offset (RFC 9915, 8, 9 and 21).

Apart from the code under test: nothing here comes from pxerelay.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

SOLICIT, ADVERTISE, REQUEST, REPLY, RELEASE, INFORMATION_REQUEST = 1, 2, 3, 7, 8, 11
RELAY_FORW, RELAY_REPL = 12, 13

CLIENT_ID, SERVER_ID, IA_NA, IAADDR, ORO, PREFERENCE, ELAPSED_TIME = 1, 2, 3, 5, 6, 7, 8
RELAY_MESSAGE, STATUS_CODE, VENDOR_CLASS, INTERFACE_ID, REMOTE_ID = 9, 13, 16, 18, 37
BOOT_FILE_URL, CLIENT_ARCH = 59, 61
"""RFC 5970, 3.1 and 3.3."""
LINK_LAYER_ADDRESS = 79
"""RFC 6939, 4."""
RELAY_PORT = 135
"""RFC 8357, 4.1."""

ETHERNET = 1
"""Hardware type (IANA)."""
INTEL = 343
"""The enterprise number that firmware says option 16 under (UEFI 2.10, 24.7.2)."""

_RELAY_HEADER = 34
_Option = tuple[int, bytes]


@dataclass(frozen=True)
class Message:
    """A message of a client or a server: its type, transaction and options in their order."""

    kind: int
    xid: bytes
    options: Sequence[_Option]

    def all(self, code: int) -> list[bytes]:
        """Return the contents of every option of a code."""
        return [value for found, value in self.options if found == code]

    def one(self, code: int) -> bytes | None:
        """Return the content of the first option of a code."""
        return next(iter(self.all(code)), None)

    @property
    def boot_url(self) -> str | None:
        """Where a client would boot from."""
        url = self.one(BOOT_FILE_URL)
        return None if url is None else url.decode()


@dataclass(frozen=True)
class Relayed:
    """A RELAY-FORW or RELAY-REPL: its header, and its options in their order."""

    kind: int
    hops: int
    link: str
    peer: str
    options: Sequence[_Option]

    def all(self, code: int) -> list[bytes]:
        """Return the contents of every option of a code."""
        return [value for found, value in self.options if found == code]

    def one(self, code: int) -> bytes | None:
        """Return the content of the first option of a code."""
        return next(iter(self.all(code)), None)

    @property
    def inside(self) -> bytes:
        """The message that is relayed."""
        return self.all(RELAY_MESSAGE)[0]

    @property
    def mac(self) -> str | None:
        """The client's MAC address as option 79 says it."""
        value = self.one(LINK_LAYER_ADDRESS)
        return None if value is None else value[2:].hex(":")


def option(code: int, value: bytes) -> bytes:
    """Return an option with its header."""
    return struct.pack("!HH", code, len(value)) + value


def message(kind: int, *options: _Option, xid: int = 0x123456) -> bytes:
    """Return a message of a client or a server."""
    head = struct.pack("!I", kind << 24 | xid)
    return head + b"".join(option(code, value) for code, value in options)


def relayed(
    kind: int, inside: bytes, *options: _Option, link: str = "::", peer: str = "::", hops: int = 0
) -> bytes:
    """Return a RELAY-FORW or RELAY-REPL around a message, which comes last."""
    head = bytes([kind, hops]) + IPv6Address(link).packed + IPv6Address(peer).packed
    return head + b"".join(option(*one) for one in (*options, (RELAY_MESSAGE, inside)))


def answer(forward: bytes, inside: bytes) -> bytes:
    """Return the RELAY-REPL to a RELAY-FORW, a message in its innermost layer (RFC 9915, 19.3)."""
    outer = read_relayed(forward)
    if outer.inside[:1] == bytes([RELAY_FORW]):
        inside = answer(outer.inside, inside)
    echoed = [one for one in outer.options if one[0] in (INTERFACE_ID, RELAY_PORT)]
    return relayed(RELAY_REPL, inside, *echoed, link=outer.link, peer=outer.peer, hops=outer.hops)


def read(octets: bytes) -> Message:
    """Take a message of a client or a server apart; ValueError if an option is cut off."""
    return Message(octets[0], octets[1:4], _options(octets[4:]))


def read_relayed(octets: bytes) -> Relayed:
    """Take one layer of a relayed message apart; ValueError if an option is cut off."""
    link, peer = IPv6Address(octets[2:18]), IPv6Address(octets[18:_RELAY_HEADER])
    return Relayed(octets[0], octets[1], str(link), str(peer), _options(octets[_RELAY_HEADER:]))


def innermost(octets: bytes) -> Message:
    """Return the client's or server's message inside all layers."""
    while octets[0] in (RELAY_FORW, RELAY_REPL):
        octets = read_relayed(octets).inside
    return read(octets)


def address_of(found: Message) -> str | None:
    """Return the address that a server gives in a message."""
    association = found.one(IA_NA)
    inside = dict(_options(association[12:])) if association else {}
    return str(IPv6Address(inside[IAADDR][:16])) if IAADDR in inside else None


def duid_ll(mac: bytes) -> bytes:
    """Return the DUID that is made of a link-layer address alone (RFC 9915, 11.4)."""
    return struct.pack("!HH", 3, ETHERNET) + mac


def vendor_class(text: str, enterprise: int = INTEL) -> bytes:
    """Return the content of option 16 with one string (RFC 9915, 21.16)."""
    return struct.pack("!IH", enterprise, len(text)) + text.encode()


def solicit(duid: bytes, *more: _Option, arch: int | None = 7, xid: int = 0x123456) -> bytes:
    """Return a SOLICIT as firmware sends it; without `arch`, as an operating system does."""
    options = [(CLIENT_ID, duid), (ELAPSED_TIME, bytes(2)), (IA_NA, struct.pack("!III", 1, 0, 0))]
    if arch is None:
        options.append((ORO, struct.pack("!H", 23)))
    else:
        options.append((ORO, struct.pack("!HHH", 59, 60, 23)))
        options.append((CLIENT_ARCH, struct.pack("!H", arch)))
        options.append((VENDOR_CLASS, vendor_class(f"PXEClient:Arch:{arch:05}:UNDI:003000")))
    return message(SOLICIT, *options, *more, xid=xid)


def _options(octets: bytes) -> list[_Option]:
    found = []
    while octets:
        if len(octets) < 4:
            raise ValueError(f"an option's header is cut off: {octets.hex()}")
        code, length = struct.unpack_from("!HH", octets)
        if len(octets) < 4 + length:
            raise ValueError(f"option {code} is cut off: {octets.hex()}")
        found.append((code, octets[4 : 4 + length]))
        octets = octets[4 + length :]
    return found
