"""Sockets inside a lab's namespaces: a station on a wire, and a server that says what a test wants."""

import ctypes
import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from tests.lab.frames import ALL_STATIONS, ARP, EVERYONE, Checksum, Datagram, Joiner, frames
from tests.lab.network import Host

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_STATUS_CHECKSUM_NOT_READY, _STATUS_VLAN_VALID = 8, 16
"""The sender's kernel left the checksum to the device, and a veth pair has no need of it; the frame had a
tag, which the kernel took out (packet(7))."""
_AUXDATA = struct.Struct("@IIIHHHH")
_TPID, _VLAN_ID = 0x8100, 0x0FFF
"""What stands before a tag, and the part of it that is the VLAN's number (IEEE 802.1Q, 9.6)."""
_SO_RCVBUFFORCE = 33
_BUFFER = 16 << 20
"""Octets that may wait until a test looks at them: some tests send first and count later."""
_SIOCETHTOOL, _ETHTOOL_STXCSUM = 0x8946, 0x17
"""What `ethtool -K DEVICE tx off` does (linux/sockios.h, linux/ethtool.h)."""


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


def finish_checksums(host: Host, interface: str) -> None:
    """Have a host's kernel finish the checksums of what it sends, as captures of it shall show them."""
    value = ctypes.create_string_buffer(struct.pack("@II", _ETHTOOL_STXCSUM, 0))
    asked = struct.pack("@16sP", interface.encode(), ctypes.addressof(value)).ljust(40, b"\0")
    with inside(host), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, asked)


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
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((interface, _ETH_P_ALL))
        self._joiner = Joiner()
        self._sent = 0
        self.mac: bytes = self._socket.getsockname()[4]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """Return what frames are read from."""
        return self._socket.fileno()

    def send(
        self,
        payload: bytes | bytearray,
        *,
        source: str = "0.0.0.0",
        destination: str = EVERYONE,
        hardware: bytes = ALL_STATIONS,
        ports: tuple[int, int] = (68, 67),
        checksum: Checksum = Checksum.NONE,
        vlan: int | None = None,
    ) -> None:
        """Send a UDP datagram; as some firmware does, without a UDP checksum if nothing else is asked for."""
        self._sent += 1
        tag = b"" if vlan is None else struct.pack("!HH", _TPID, vlan)
        for frame in frames(
            payload,
            source=source,
            destination=destination,
            ports=ports,
            sender=self.mac,
            hardware=hardware,
            checksum=checksum,
            identification=self._sent & 0xFFFF,
        ):
            self._put(frame[:12] + tag + frame[12:])

    def arrivals(self) -> list[Datagram]:
        """Return the datagrams that have arrived since the last call."""
        found = []
        while select.select([self.fileno()], [], [], 0)[0]:
            frame = self._take()
            if frame:
                found.append(self._joiner.take(*frame))
        return [datagram for datagram in found if datagram]

    def datagrams(self, seconds: float, stop_after: int = 0) -> list[Datagram]:
        """Return the datagrams that arrive within the time, or the first `stop_after` of them."""
        found: list[Datagram] = []
        for frame in self.arriving(seconds):
            datagram = self._joiner.take(*frame)
            if datagram:
                found.append(datagram)
                if len(found) == stop_after:
                    break
        return found

    def arp_requests_for(self, address: str, seconds: float) -> int:
        """Count ARP requests for an address that arrive within the time."""
        wanted = IPv4Address(address).packed
        return sum(
            raw[12:14] == ARP and raw[20:22] == b"\0\1" and raw[38:42] == wanted
            for raw, _, _ in self.arriving(seconds)
        )

    def arriving(self, seconds: float) -> Iterator[Raw]:
        """Yield what arrives within the time, as it arrives."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.fileno()], [], [], left)[0] and (frame := self._take()):
                yield frame

    def _put(self, frame: bytes) -> None:
        self._socket.send(frame)

    def _take(self) -> Raw | None:
        """Return the next frame; None if it is one that we sent."""
        octets, control, _, origin = self._socket.recvmsg(65535, 128)
        if origin[2] == _PACKET_OUTGOING:
            return None
        status, _, _, _, _, tag, _ = _AUXDATA.unpack(control[0][2])
        vlan = tag & _VLAN_ID if status & _STATUS_VLAN_VALID else None
        return Raw(octets, bool(status & _STATUS_CHECKSUM_NOT_READY), vlan)


class FakeServer:
    """A UDP socket on port 67 of a host: takes what is relayed to it, and answers what a test wants."""

    def __init__(self, host: Host, port: int = 67) -> None:
        with inside(host):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
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
