"""Replies to our own requests as they come in, whatever the kernel makes of them afterwards (packet(7)).

A packet socket sees a datagram before rp_filter and the firewall do. A filter in the kernel (BPF) leaves it
only those that have our client's address, so that a busy relay's other packets cost nothing here.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Any, Generic, NamedTuple, TypeVar

from pxerelay.tools.doctor.verdict import Code, Finding, note
from pxerelay.wire import packet
from pxerelay.wire.mac import MAC_OCTETS

_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_OUTGOING = 4
"""linux/if_ether.h, asm-generic/socket.h, linux/if_packet.h."""

_IP_HEADER, _UDP_HEADER = 20, 8
_MORE_FRAGMENTS = 0x2000
"""A bit of the third 16 bits of an IP header (RFC 791, 3.1)."""


class Frame(NamedTuple):
    """The first or only fragment of a reply to a DISCOVER, on an interface."""

    interface: str
    source: IPv4Address
    destination: IPv4Address
    port: int
    octets: int
    fragmented: bool
    xid: str


LOAD_OCTET, LOAD_HALF, LOAD_WORD, LOAD_INDIRECT, LOAD_LENGTH = 0x30, 0x28, 0x20, 0x40, 0xB1
MASK, EQUAL, ANY_BIT, END = 0x54, 0x15, 0x45, 0x06
"""Codes of instructions (linux/filter.h, bpf(2))."""

Instruction = tuple[int, int, int, int]
"""Its code, how many to jump over if true and if false, and a number."""


def _program(chaddr: bytes) -> Iterable[Instruction]:
    """Return what lets an IPv4 UDP datagram through that has a chaddr, or begins with it.

    The packet begins with the IP header.
    """
    at = _UDP_HEADER + packet.CHADDR_START
    beginning, rest = struct.unpack("!IH", chaddr)
    return (
        (LOAD_OCTET, 0, 0, 0),
        (MASK, 0, 0, 0xF0),
        (EQUAL, 0, 10, 0x40),
        (LOAD_OCTET, 0, 0, 9),
        (EQUAL, 0, 8, socket.IPPROTO_UDP),
        (LOAD_HALF, 0, 0, 6),
        (ANY_BIT, 6, 0, 0x1FFF),
        (LOAD_LENGTH, 0, 0, 0),
        (LOAD_INDIRECT, 0, 0, at),
        (EQUAL, 0, 3, beginning),
        (LOAD_INDIRECT | 0x08, 0, 0, at + 4),
        (EQUAL, 0, 1, rest),
        (END, 0, 0, 0xFFFF),
        (END, 0, 0, 0),
    )


Seen = TypeVar("Seen")
"""What a reply is told by."""


class AnyWire(ABC, Generic[Seen]):
    """Sees replies to a client of ours on all interfaces, from now on; OSError if we may not."""

    def __init__(self, chaddr: bytes) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET,
            socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            socket.htons(_ETH_P_ALL),
        )
        try:
            octets = b"".join(struct.pack("=HBBI", *one) for one in self._program(chaddr[:MAC_OCTETS]))
            program = ctypes.create_string_buffer(octets)
            header = struct.pack("@HP", (len(program) - 1) // 8, ctypes.addressof(program))
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
            self.frames()  # what came before there was a filter
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def frames(self) -> list[Seen]:
        """Return what was seen since the last call."""
        found: list[Seen] = []
        while True:
            try:
                octets, (name, _, kind, *_) = self._socket.recvfrom(65535)
            except BlockingIOError:
                return found
            if kind != _OUTGOING and (frame := self._read(octets, name)):
                found.append(frame)

    @abstractmethod
    def _program(self, chaddr: bytes) -> Iterable[Instruction]:
        """Return the filter for a client with these 6 octets of an address."""

    @abstractmethod
    def _read(self, octets: bytes, interface: str) -> Seen | None:
        """Return a reply in an IP packet; None if it is something else."""


class Wire(AnyWire[Frame]):
    """Sees them in DHCPv4."""

    def _program(self, chaddr: bytes) -> Iterable[Instruction]:
        return _program(chaddr)

    def _read(self, octets: bytes, interface: str) -> Frame | None:
        return read(octets, interface)


AWire = TypeVar("AWire", bound=AnyWire[Any])


def watched(
    kind: Callable[[bytes], AWire], chaddr: bytes, stack: contextlib.ExitStack, found: list[Finding]
) -> AWire | None:
    """Return what sees replies to a client as long as `stack` is open; None, and a note, if it may not."""
    try:
        return stack.enter_context(contextlib.closing(kind(chaddr)))
    except OSError as error:
        message = f"whether answers come in that this host drops can't be seen: {error.strerror}"
        found.append(note(Code.NOT_CHECKED, "wire", message, "run this as root"))
        return None


def read(octets: bytes, interface: str) -> Frame | None:
    """Return a reply in an IP packet; None if it is something else."""
    if len(octets) < _IP_HEADER:
        return None
    start = (octets[0] & 0x0F) * 4
    message = octets[start + _UDP_HEADER :]
    if len(message) <= packet.CHADDR_START or message[packet.OP] != packet.BOOTREPLY:
        return None
    port, length = struct.unpack_from("!HH", octets, start + 2)
    (fragment,) = struct.unpack_from("!H", octets, 6)
    return Frame(
        interface,
        IPv4Address(octets[12:16]),
        IPv4Address(octets[16:20]),
        port,
        length - _UDP_HEADER,
        bool(fragment & _MORE_FRAGMENTS),
        message[packet.XID].hex(),
    )
