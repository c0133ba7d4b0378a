"""Raw views of a lab's wires: sockets opened inside its namespaces, frames taken apart."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from tests.lab import Host
from tests.unit.test_frames import slow_sum

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_ETH_P_ALL, _ETH_P_IP = 3, 0x0800
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_STATUS_CHECKSUM_NOT_READY, _STATUS_VLAN_VALID = 8, 16
"""The sender's kernel left the checksum to the device, and a veth pair has no need of it; the frame had a
tag, which the kernel took out (packet(7))."""
_AUXDATA = struct.Struct("@IIIHHHH")
_TPID, _VLAN_ID = 0x8100, 0x0FFF
"""What stands before a tag, and the part of it that is the VLAN's number (IEEE 802.1Q, 9.6)."""


@contextmanager
def inside(host: Host) -> Iterator[None]:
    """Be in a host's network namespace for the block; sockets that were opened there stay there."""
    with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", host.namespace).open() as there:
        _setns(there.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@dataclass(frozen=True)
class Frame:
    """An Ethernet frame with IPv4 and UDP in it; `vlan` is its tag's, None without one."""

    destination: str
    ip_source: str
    ip_destination: str
    source_port: int
    destination_port: int
    checksum: int
    checksum_ok: bool
    payload: bytes
    offloaded: bool
    vlan: int | None


class Raw(NamedTuple):
    """A frame without its tag; `offloaded` says that its checksum is not there yet."""

    octets: bytes
    offloaded: bool
    vlan: int | None


class Station:
    """A packet socket on an interface: sends frames as they are, and sees what arrives there."""

    def __init__(self, host: Host, interface: str = "eth0") -> None:
        with inside(host):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.bind((interface, _ETH_P_ALL))
        self.mac: bytes = self._socket.getsockname()[4]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(
        self,
        payload: bytes | bytearray,
        *,
        source: str = "0.0.0.0",
        destination: str = "255.255.255.255",
        hardware: bytes = b"\xff" * 6,
        ports: tuple[int, int] = (68, 67),
        vlan: int | None = None,
    ) -> None:
        """Send a UDP datagram in a frame of its own; without a UDP checksum, as some firmware does."""
        udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        addresses = IPv4Address(source).packed + IPv4Address(destination).packed
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + addresses
        head = head[:10] + struct.pack("!H", 0xFFFF - slow_sum(head)) + head[12:]
        tag = b"" if vlan is None else struct.pack("!HH", _TPID, vlan)
        self._put(hardware + self.mac + tag + struct.pack("!H", _ETH_P_IP) + head + udp)

    def frames(self, seconds: float, stop_after: int = 0) -> list[Frame]:
        """Return the UDP frames that arrive within the time, or the first `stop_after` of them."""
        found = []
        for raw in self.arriving(seconds):
            frame = _udp_frame(raw)
            if frame:
                found.append(frame)
                if len(found) == stop_after:
                    break
        return found

    def arp_requests_for(self, address: str, seconds: float) -> int:
        """Count ARP requests for an address that arrive within the time."""
        wanted = IPv4Address(address).packed
        return sum(
            raw[12:14] == b"\x08\x06" and raw[20:22] == b"\0\1" and raw[38:42] == wanted
            for raw, _, _ in self.arriving(seconds)
        )

    def arriving(self, seconds: float) -> Iterator[Raw]:
        """Yield what arrives within the time, as it arrives."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.fileno()], [], [], left)[0] and (raw := self._take()):
                yield raw

    def fileno(self) -> int:
        """Return what frames are read from."""
        return self._socket.fileno()

    def _put(self, frame: bytes) -> None:
        self._socket.send(frame)

    def _take(self) -> Raw | None:
        octets, control, _, origin = self._socket.recvmsg(65535, 128)
        status, _, _, _, _, tag, _ = _AUXDATA.unpack(control[0][2])
        vlan = tag & _VLAN_ID if status & _STATUS_VLAN_VALID else None
        if origin[2] == _PACKET_OUTGOING:
            return None
        return Raw(octets, bool(status & _STATUS_CHECKSUM_NOT_READY), vlan)


def _udp_frame(frame: Raw) -> Frame | None:
    raw, offloaded, vlan = frame
    if raw[12:14] != b"\x08\x00" or raw[23] != 17:
        return None
    length = struct.unpack("!H", raw[16:18])[0]
    ip = raw[14 : 14 + length]
    udp = ip[20:]
    source_port, destination_port, size, checksum = struct.unpack("!HHHH", udp[:8])
    pseudo = ip[12:20] + struct.pack("!HH", 17, size)
    return Frame(
        destination=raw[:6].hex(":"),
        ip_source=str(IPv4Address(ip[12:16])),
        ip_destination=str(IPv4Address(ip[16:20])),
        source_port=source_port,
        destination_port=destination_port,
        checksum=checksum,
        checksum_ok=slow_sum(ip[:20]) == 0xFFFF
        and (offloaded or (checksum != 0 and slow_sum(pseudo + udp[:size]) == 0xFFFF)),
        payload=udp[8:size],
        offloaded=offloaded,
        vlan=vlan,
    )


_SO_RCVBUFFORCE = 33
"""Not in Python's socket module; asm-generic/socket.h."""

_ROOM = 8 << 20
"""Octets that may wait until a test looks at them: some tests send first and count later."""


class FakeServer:
    """A UDP socket on port 67 of a host: takes what is relayed to it, and answers what a test wants."""

    def __init__(self, host: Host, port: int = 67) -> None:
        with inside(host):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
            self._socket.bind(("", port))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def receive(self, seconds: float = 2.0) -> tuple[bytes, str, int] | None:
        """Return the next datagram with its sender's address and port, None if none came."""
        self._socket.settimeout(seconds)
        try:
            payload, (address, port) = self._socket.recvfrom(65535)
        except TimeoutError:
            return None
        return payload, address, port

    def send(self, payload: bytes | bytearray, destination: str, port: int = 67) -> None:
        """Send a datagram from its own port."""
        self._socket.sendto(payload, (destination, port))
