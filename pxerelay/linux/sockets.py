"""The sockets that serve the relay.

- One UDP socket on port 67 of every address hears clients, routers and servers, and tells each
  datagram's interface (IP_PKTINFO, ip(7)) and when it came (SO_TIMESTAMPNS). It may not send to broadcast
  addresses, so a request can never go back into the VLAN that it came from as one.
- One packet socket sends replies by link layer (packet(7)). It is bound to no protocol and so hears
  nothing. For links without Ethernet a raw socket is opened when it is needed.

Per VRF that is to be heard there is one more UDP socket, for the first does not hear it (the kernel's
Documentation/networking/vrf.rst). It sends into all of them: IP_PKTINFO names the VRF.

Where the first socket's send buffer was full, a server may get a further one that only sends (`outbox`).
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from ipaddress import IPv4Address
from pathlib import Path

from pxerelay.wire.packet import SERVER_PORT

RECEIVE_BUFFER = 128 << 20
"""Octets that may wait while a burst is taken in; the kernel counts more than 1 KB for a request, and
without CAP_NET_ADMIN it gives no more than net.core.rmem_max says."""

SEND_BUFFER = 4 << 20
"""Octets that may wait on their way out, within net.core.wmem_max."""

_SO_RCVBUFFORCE, _SO_SNDBUFFORCE, SO_TIMESTAMPNS, _SO_MEMINFO, SO_BINDTOIFINDEX = 33, 32, 35, 55, 62
"""Not in Python's socket module; asm-generic/socket.h."""

_MEMINFO = struct.Struct("@9I")
"""What SO_MEMINFO tells; the last number is that of datagrams dropped (linux/sock_diag.h)."""

IP_PKTINFO, _IP_MTU_DISCOVER, _IP_FREEBIND = 8, 10, 15
"""Not in Python's socket module, the first not before 3.14; linux/in.h."""

_IP_PMTUDISC_DONT = 0
"""Datagrams leave without DF, so that routers may fragment them (ip(7); RFC 791, 2.3; rule 39)."""

_LANES = IPv4Address("127.67.0.0")
"""What lanes' addresses are counted from."""

_PKTINFO = struct.Struct("@i4s4s")


@lru_cache(maxsize=4096)
def packet_info(source: bytes, index: int = 0) -> bytes:
    """Return the struct in_pktinfo that sets a datagram's source address and, if not 0, its interface.

    An index of a VRF sends it by the routes of that VRF, an address of 0.0.0.0 leaves it to the route.
    """
    return _PKTINFO.pack(index, source, bytes(4))


def drops(sock: socket.socket) -> int:
    """Return how many datagrams the kernel dropped: the receive buffer was full, or a checksum was wrong."""
    told = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    return int(_MEMINFO.unpack(told)[-1])


class Checksums:
    """The kernel's count of wrong ones, kept open: it is asked for when much goes wrong."""

    path = "/proc/thread-self/net/snmp"

    def __init__(self) -> None:
        self._file = Path(self.path).open("rb", buffering=0)  # noqa: SIM115  # see close

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def bad(self) -> int:
        """Return how many UDP datagrams with a wrong one came to this network namespace (RFC 4113)."""
        self._file.seek(0)
        return self._of(self._file.read().splitlines())

    def _of(self, lines: list[bytes]) -> int:
        rows = [line.split() for line in lines if line.startswith(b"Udp:")]
        return int(dict(zip(*rows, strict=True))[b"InCsumErrors"]) if len(rows) == 2 else 0


def buffer_size(sock: socket.socket) -> int:
    """Return the octets that the receive buffer holds, by the kernel's way to count."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def open_udp() -> socket.socket:
    """Return a UDP socket on port 67 of every address that tells each datagram's interface.

    Raises OSError: EADDRINUSE if another relay or server has the port, EACCES without
    CAP_NET_BIND_SERVICE.
    """
    sock = _udp()
    try:
        sock.bind(("", SERVER_PORT))
    except OSError:
        sock.close()
        raise
    return sock


def open_udp_in(vrf: int, main: socket.socket) -> socket.socket:
    """Return one more such socket that hears a VRF alone, given by its index; OSError if it can't.

    `main` is the socket of `open_udp`. The kernel lets the two share the port only if both say so while
    the second is bound (SO_REUSEADDR, socket(7)). Before and after that the port is ours alone, in all VRFs.
    """
    sock = _udp()
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, vrf)
        bind_beside(main, sock, ("", SERVER_PORT))
    except OSError:
        sock.close()
        raise
    return sock


def open_lane(number: int, main: socket.socket) -> socket.socket:
    """Return a socket that sends from port 67 as `main` does, out of its own buffer; OSError if it can't.

    It hears nothing of the network: it has one of the loopback addresses, the `number`th of a block. So the
    address that a datagram leaves with must be given for each one, or left to the route (`packet_info`).
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)  # also where the loopback interface is down
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        grow_send_buffer(sock)
        bind_beside(main, sock, (str(_LANES + number), SERVER_PORT))
    except OSError:
        sock.close()
        raise
    return sock


def bind_beside(main: socket.socket, sock: socket.socket, address: tuple[str, int]) -> None:
    """Bind a socket to a port of an address that `main` has already."""
    both = (main, sock)
    try:
        for one in both:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    finally:
        for one in both:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
    grow(sock)
    return sock


def route_source(address: str, vrf: int = 0) -> bytes:
    """Return the 4 octets of our address that a datagram to another one leaves from; OSError without a route.

    Nothing is sent: connecting a UDP socket asks the routing table (udp(7)), or that of a VRF.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        if vrf:
            sock.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, vrf)
        sock.connect((address, SERVER_PORT))
        return socket.inet_aton(sock.getsockname()[0])


def open_link() -> socket.socket:
    """Return a packet socket that sends frames as `frames` makes them; OSError EPERM without CAP_NET_RAW."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    sock.setblocking(False)
    grow(sock)
    return sock


def open_packets() -> socket.socket:
    """Return a raw socket that sends IP packets with their headers and hears none; OSError EPERM as above."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock


def grow(sock: socket.socket) -> None:
    """Ask for buffers that hold a burst; beyond the host's limit only where we may."""
    grow_receive_buffer(sock)
    grow_send_buffer(sock)


def grow_receive_buffer(sock: socket.socket) -> None:
    """Ask for a buffer that holds what comes in a burst."""
    _set_buffer(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)


def grow_send_buffer(sock: socket.socket) -> None:
    """Ask for a buffer that holds what is sent in a burst."""
    _set_buffer(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)


def _set_buffer(sock: socket.socket, force: int, plain: int, size: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, plain, size)
