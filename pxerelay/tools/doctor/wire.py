"""Replies to our own DISCOVERs as they come in, whatever the kernel makes of them afterwards (packet(7)).

A packet socket sees a datagram before rp_filter and the firewall do. A filter in the kernel (BPF) leaves it
only those that have our client's address, so that a busy relay's other packets cost nothing here.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from ipaddress import IPv4Address
from typing import NamedTuple

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


def _program(chaddr: bytes) -> bytes:
    """Return instructions that let an IPv4 UDP datagram through that has a chaddr, or begins with it.

    The packet begins with the IP header. Each has code, jumps if true and false, and a number.
    """
    load_octet, load_half, load_indirect, load_length = 0x30, 0x28, 0x40, 0xB1
    mask, equal, any_bit, end = 0x54, 0x15, 0x45, 0x06
    at = _UDP_HEADER + packet.CHADDR_START
    beginning, rest = struct.unpack("!IH", chaddr)
    instructions = (
        (load_octet, 0, 0, 0),
        (mask, 0, 0, 0xF0),
        (equal, 0, 10, 0x40),
        (load_octet, 0, 0, 9),
        (equal, 0, 8, socket.IPPROTO_UDP),
        (load_half, 0, 0, 6),
        (any_bit, 6, 0, 0x1FFF),
        (load_length, 0, 0, 0),
        (load_indirect, 0, 0, at),
        (equal, 0, 3, beginning),
        (load_indirect | 0x08, 0, 0, at + 4),
        (equal, 0, 1, rest),
        (end, 0, 0, 0xFFFF),
        (end, 0, 0, 0),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


class Wire:
    """Sees replies to a client of ours on all interfaces, from now on; OSError if we may not."""

    def __init__(self, chaddr: bytes) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET,
            socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            socket.htons(_ETH_P_ALL),
        )
        try:
            program = ctypes.create_string_buffer(_program(chaddr[:MAC_OCTETS]))
            header = struct.pack("@HP", (len(program) - 1) // 8, ctypes.addressof(program))
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
            self.frames()  # what came before there was a filter
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def frames(self) -> list[Frame]:
        """Return what was seen since the last call."""
        found: list[Frame] = []
        while True:
            try:
                octets, (name, _, kind, *_) = self._socket.recvfrom(65535)
            except BlockingIOError:
                return found
            if kind != _OUTGOING and (frame := read(octets, name)):
                found.append(frame)


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
