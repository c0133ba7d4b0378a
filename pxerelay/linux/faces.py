"""Which Ethernet address a DHCPv6 message came from, and who is behind an IPv6 address.

The UDP socket brings messages; a packet socket (packet(7)) only tells whose frame each of them came in. Its
filter, classic BPF (the kernel's networking/filter.rst), passes what was sent to ff02::1:2 by UDP, or in
fragments, from an address that does not say the frame's own source in its interface identifier (RFC 4291,
appendix A). So firmware costs nothing here: an address that was made of an Ethernet address, and no frame,
says that the frame came from that one.

A frame and its datagram are found together by the time at which the kernel marked the packet: both are
copies of one packet and have the same mark, to the nanosecond. A frame counts for its own datagram only. It
is there before the datagram: the kernel hands a packet to packet sockets first. Where frames were lost for
want of room, nothing is known of whom those are that have none.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import time
from collections.abc import Iterable

from pxerelay.linux import mmsg, sockets
from pxerelay.wire import eui64
from pxerelay.wire.batch6 import Batch6, Datagram6
from pxerelay.wire.mac import MAC_OCTETS
from pxerelay.wire.packet6 import ALL_RELAYS_AND_SERVERS, SERVER_PORT

_BATCH = 256
"""Frames that one system call receives at most."""

_ASTRAY = 10**7
"""Nanoseconds by which frames may be out of order, as several processors take them in."""

_WAITS = 3 * 10**9
"""Nanoseconds that a frame waits for its datagram. One that is so late is dropped, whoever sent it."""

_MOST_KNOWN = 1 << 15
"""Addresses that are remembered together with who is behind them: those that do not say it; at most 8 MB."""

_MOST_WAITING = 1 << 13
"""Frames that wait for their datagrams; of a flood these may have been dropped unread, and never come."""

_MOST_SAID = 1 << 14
"""Addresses of which it is remembered what they say themselves; with more, all are forgotten."""

_REMEMBERED = 600.0
"""Seconds that they are remembered."""

_ETHERTYPE_IPV6 = 0x86DD
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_ATTACH_FILTER = 26
"""Not in Python's socket module; linux/if_packet.h, asm-generic/socket.h."""

_HEAD = 40
"""Octets of a packet that are read: its IPv6 header (RFC 8200, 3)."""

_SOURCE = slice(8, 24)

_NAME = struct.Struct("@HHiHBB8s")
"""struct sockaddr_ll (packet(7)): family, protocol, interface, kind of link and of packet, octets of the
sender's hardware address, and these."""

_STAMP = struct.Struct("@N8xll")
"""A control message (cmsg(3)): when it came (SO_TIMESTAMPNS)."""

_KEY, _FACE = struct.Struct("@16sI"), struct.Struct("=6sd")
"""An address and the interface that it was heard on; who is behind it, and a monotonic time in seconds."""

_INSTRUCTION = struct.Struct("@HBBI")
"""struct sock_filter: what to do, by how many to jump if so and if not, a number."""

_LD_WORD, _LD_HALF, _LD_BYTE = 0x20, 0x28, 0x30
_JUMP_EQUAL, _JUMP_EQUAL_X, _RETURN, _TAX = 0x15, 0x1D, 0x06, 0x07
_AND, _OR, _XOR = 0x54, 0x44, 0xA4
"""Instructions (linux/bpf_common.h, linux/filter.h)."""

_LINK = 0xFFE00000
"""What offsets into the link's header are counted from (SKF_LL_OFF)."""

_UDP, _FRAGMENT = 17, 44
"""What follows an IPv6 header (RFC 8200, 4.5; RFC 768)."""


def _program() -> bytes:
    """Return the filter. Packets begin with their IPv6 header; the Ethernet source is at 6 of the link's.

    interface identifier, at 16:  m0^2 m1 m2 ff  fe m3 m4 m5
    """
    group = struct.unpack("!4I", ALL_RELAYS_AND_SERVERS)
    keep, drop = "keep", "drop"
    steps: list[tuple[int, int | str | None, int | str | None, int]] = []
    for at, word in enumerate(group):
        steps += [(_LD_WORD, None, None, 24 + 4 * at), (_JUMP_EQUAL, None, drop, word)]
    steps += [
        (_LD_BYTE, None, None, 6),
        (_JUMP_EQUAL, 2, None, _FRAGMENT),
        (_JUMP_EQUAL, None, drop, _UDP),
        (_LD_HALF, None, None, _HEAD + 2),
        (_JUMP_EQUAL, None, drop, SERVER_PORT),
    ]
    at_fragment = next(at for at, step in enumerate(steps) if step[3] == _FRAGMENT and step[0] == _JUMP_EQUAL)
    steps[at_fragment] = (_JUMP_EQUAL, len(steps) - at_fragment - 1, None, _FRAGMENT)
    for link_at, first, second, at in (
        (6, (_XOR, 0x02000000), (_OR, 0x000000FF), 16),
        (8, (_AND, 0x00FFFFFF), (_OR, 0xFE000000), 20),
    ):
        steps += [
            (_LD_WORD, None, None, _LINK + link_at),
            (first[0], None, None, first[1]),
            (second[0], None, None, second[1]),
            (_TAX, None, None, 0),
            (_LD_WORD, None, None, at),
            (_JUMP_EQUAL_X, None, keep, 0),
        ]
    places = {drop: len(steps), keep: len(steps) + 1}
    steps += [(_RETURN, None, None, 0), (_RETURN, None, None, _HEAD)]

    def jump(to: int | str | None, at: int) -> int:
        return to if isinstance(to, int) else places[to] - at - 1 if to else 0

    return b"".join(
        _INSTRUCTION.pack(code, jump(yes, at), jump(no, at), number)
        for at, (code, yes, no, number) in enumerate(steps)
    )


class Faces:
    """A packet socket that tells which Ethernet address was behind which datagram."""

    def __init__(self) -> None:
        self._socket = _open()
        self._data = mmsg.Buffer(_BATCH * _HEAD)
        places = [((self._data.address + at * _HEAD, _HEAD),) for at in range(_BATCH)]
        self._arrivals = mmsg.Arrivals(places, _NAME.size, _STAMP.size)
        self._waiting: dict[tuple[int, int, bytes], bytes] = {}
        self._behind: dict[bytes, bytes] = {}
        self._said: dict[bytes, bytes] = {}
        self._lost = False
        self._last = self._forgotten = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def look(self, newest: int) -> None:
        """Take in the frames of datagrams that were received just now; OSError if the socket fails.

        `newest` is the time that the last of these is marked with, 0 if there are none.
        """
        self._lost = False
        if not newest:
            return
        total = 0
        while True:
            count = self._take()
            total += count
            if count < _BATCH or self._last > newest + _ASTRAY:  # what is left comes with later datagrams
                break
        if total:
            told = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            self._lost = struct.unpack("@II", told)[1] > 0
        while self._waiting:
            oldest = next(iter(self._waiting))
            if oldest[1] > newest - _WAITS and len(self._waiting) <= _MOST_WAITING:
                break
            del self._waiting[oldest]
            self._forgotten = oldest[1]

    def _take(self) -> int:
        count = self._arrivals.receive(self._socket)
        names, controls = self._arrivals.names.octets, self._arrivals.controls.octets
        for at in range(count):
            _, _, index, _, _, length, hardware = _NAME.unpack_from(names, at * _NAME.size)
            _, seconds, nanoseconds = _STAMP.unpack_from(controls, at * _STAMP.size)
            self._last = seconds * 10**9 + nanoseconds
            source = bytes(self._data.octets[at * _HEAD : (at + 1) * _HEAD])[_SOURCE]
            if length == MAC_OCTETS:
                self._waiting[index, self._last, source] = hardware[:MAC_OCTETS]
        return count

    def name(self, batch: Batch6, positions: Iterable[int], framed: frozenset[int]) -> None:
        """Put the Ethernet addresses that messages to ff02::1:2 came from into `batch.macs`, after `look`.

        `framed` are the interfaces that have Ethernet frames. Each position may be asked for once.
        """
        macs, sources, interfaces = batch.macs, batch.origins, batch.interfaces
        destinations, stamps = batch.destinations, batch.stamps
        grouped = destinations.count(ALL_RELAYS_AND_SERVERS)
        if not grouped:
            return
        if (
            grouped == len(batch)
            and framed.issuperset(interfaces)
            and not (self._waiting or self._behind or self._lost or self._forgotten >= min(stamps))
        ):  # everybody is who the address says: one look at a whole column
            macs[:] = map(self._said.get, sources)
            if None in macs:
                macs[:] = [mac or self._address_says(sources[at]) for at, mac in enumerate(macs)]
            return
        for at in positions:
            if destinations[at] == ALL_RELAYS_AND_SERVERS and interfaces[at] in framed:
                macs[at] = self._found(interfaces[at], stamps[at], sources[at])

    def behind(self, datagram: Datagram6) -> bytes | None:
        """Return the 6 octets that a datagram to ff02::1:2 came from on its Ethernet, None if unknown.

        Each may be asked for once, after `look`.
        """
        return self._found(datagram.interface, datagram.stamp, datagram.source)

    def _found(self, interface: int, stamp: int, source: bytes) -> bytes | None:
        mac = self._waiting.pop((interface, stamp, source), None)
        if mac is not None:
            key = _KEY.pack(source, interface)
            self._behind.pop(key, None)
            if len(self._behind) >= _MOST_KNOWN:
                del self._behind[next(iter(self._behind))]
            self._behind[key] = _FACE.pack(mac, time.monotonic())
            return mac
        if self._lost or stamp <= self._forgotten:
            return None
        if self._behind:
            self._behind.pop(_KEY.pack(source, interface), None)
        return self._said.get(source) or self._address_says(source)

    def _address_says(self, source: bytes) -> bytes | None:
        mac = eui64.mac_of(source)
        if mac is not None:
            if len(self._said) >= _MOST_SAID:
                self._said.clear()
            self._said[source] = mac
        return mac

    def known(self, interface: int, address: bytes) -> bytes | None:
        """Return the 6 octets that the last frame from 16 octets on an interface came from (rule 148).

        None if there was none lately, or if the address itself says the same.
        """
        found = self._behind.get(_KEY.pack(address, interface)) if self._behind else None
        if found is None:
            return None
        mac, since = _FACE.unpack(found)
        return bytes(mac) if since > time.monotonic() - _REMEMBERED else None


def _open() -> socket.socket:
    """Return the packet socket; OSError EPERM without CAP_NET_RAW.

    It hears all interfaces from the first moment. What it has before it has its filter is thrown away.
    """
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_PACKET, kind, socket.htons(_ETHERTYPE_IPV6))
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, sockets.SO_TIMESTAMPNS, 1)
        sockets.grow_receive_buffer(sock)
        program = _program()
        kept = ctypes.create_string_buffer(program, len(program))
        pointer = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(kept))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.recv(1)
    except OSError:
        sock.close()
        raise
    return sock
