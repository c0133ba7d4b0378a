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

from tests.lab.frames import ALL_STATIONS, ARP, EVERYONE, Checksum, Datagram, Joiner, frames
from tests.lab.network import Host

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_STATUS_CHECKSUM_NOT_READY = 8
"""The sender's kernel left the checksum to the device, and a veth pair has no need of it (packet(7))."""
_SO_RCVBUFFORCE = 33
_BUFFER = 16 << 20
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
        """Let select(2) wait for it."""
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
    ) -> None:
        """Send a UDP datagram; as some firmware does, without a UDP checksum if nothing else is asked for."""
        self._sent += 1
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
            self._socket.send(frame)

    def arrivals(self) -> list[Datagram]:
        """Return the datagrams that have arrived since the last call."""
        found = []
        while select.select([self._socket], [], [], 0)[0]:
            raw, offloaded = self._receive()
            found.append(self._joiner.take(raw, offloaded=offloaded))
        return [datagram for datagram in found if datagram]

    def datagrams(self, seconds: float, stop_after: int = 0) -> list[Datagram]:
        """Return the datagrams that arrive within the time, or the first `stop_after` of them."""
        found: list[Datagram] = []
        for raw, offloaded in self._arriving(seconds):
            datagram = self._joiner.take(raw, offloaded=offloaded)
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
            for raw, _ in self._arriving(seconds)
        )

    def _arriving(self, seconds: float) -> Iterator[tuple[bytes, bool]]:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                yield self._receive()

    def _receive(self) -> tuple[bytes, bool]:
        """Return the next frame, nothing if we sent it, and whether its checksum is left to the device."""
        raw, control, _, origin = self._socket.recvmsg(65535, 128)
        status = struct.unpack("@I", control[0][2][:4])[0]
        return b"" if origin[2] == _PACKET_OUTGOING else raw, bool(status & _STATUS_CHECKSUM_NOT_READY)


class FakeServer:
    """A UDP socket on port 67 of a host: takes what is relayed to it, and answers what a test wants."""

    def __init__(self, host: Host, port: int = 67) -> None:
        with inside(host):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
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
