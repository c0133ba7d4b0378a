"""The sockets that serve the relay in DHCPv6.

- One UDP socket on port 547 of every IPv6 address hears clients, routers and servers, and tells each
  datagram's interface and destination (IPV6_RECVPKTINFO, RFC 3542, 6.1) and when it came (SO_TIMESTAMPNS).
  Per VRF that is to be heard there is one more.
- It hears ff02::1:2 where other sockets are members of that group (`groups`).
- A packet socket tells which Ethernet address a message came from (`faces`), another one sends replies by
  link layer (`sockets.open_link`).
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache

from pxerelay.linux import sockets
from pxerelay.wire.packet6 import SERVER_PORT

IPV6_PKTINFO, _IPV6_RECVPKTINFO, _IPV6_ADDR_PREFERENCES, _IPV6_FREEBIND = 50, 49, 72, 78
"""Not in Python's socket module on every platform; linux/in6.h."""

_IPV6_PREFER_SRC_PUBLIC = 0x0002
"""Public addresses before temporary ones, where the route chooses (RFC 5014, 5; rule 115)."""

_PKTINFO = struct.Struct("@16si")
"""struct in6_pktinfo: an address and an interface (RFC 3542, 6.1)."""

_GROUP = struct.Struct("@16si")
"""struct ipv6_mreq: a group and an interface (RFC 3493, 5.2)."""


@lru_cache(maxsize=4096)
def packet_info(source: bytes, index: int = 0) -> bytes:
    """Return the struct in6_pktinfo that sets a datagram's source address and, if not 0, its interface.

    An index of a VRF sends it by the routes of that VRF, 16 zeros as address leave it to the route.
    """
    return _PKTINFO.pack(source, index)


def info_in(control: bytes) -> tuple[bytes, int]:
    """Return the source and the index in a struct in6_pktinfo, 16 zeros and 0 if it is empty."""
    return _PKTINFO.unpack(control) if control else (bytes(16), 0)


class Checksums6(sockets.Checksums):
    """As `Checksums`, of UDP over IPv6."""

    path = "/proc/thread-self/net/snmp6"

    def _of(self, lines: list[bytes]) -> int:
        counts = dict(line.split(maxsplit=1) for line in lines)
        return int(counts.get(b"Udp6InCsumErrors", 0))


def open_udp() -> socket.socket:
    """Return a UDP socket on port 547 of every IPv6 address that tells each datagram's interface.

    Raises OSError: EADDRINUSE if another relay or server has the port, EACCES without
    CAP_NET_BIND_SERVICE, EAFNOSUPPORT on a host without IPv6.
    """
    sock = _udp()
    try:
        sock.bind(("::", SERVER_PORT))
    except OSError:
        sock.close()
        raise
    return sock


def open_udp_in(vrf: int, main: socket.socket) -> socket.socket:
    """Return one more such socket that hears a VRF alone, given by its index; OSError if it can't.

    `main` is the socket of `open_udp`; see `sockets.open_udp_in`.
    """
    sock = _udp()
    try:
        sock.setsockopt(socket.SOL_SOCKET, sockets.SO_BINDTOIFINDEX, vrf)
        sockets.bind_beside(main, sock, ("::", SERVER_PORT))
    except OSError:
        sock.close()
        raise
    return sock


def open_lane(main: socket.socket) -> socket.socket:
    """Return a socket that sends from port 547 as `main` does, out of its own buffer; OSError if it can't.

    It hears nothing of the network, for its address is that of loopback. So each datagram must be given the
    address that it leaves from (`route_source`).
    """
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)  # also where the loopback interface is down
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        sockets.grow_send_buffer(sock)
        sockets.bind_beside(main, sock, ("::1", SERVER_PORT))
    except OSError:
        sock.close()
        raise
    return sock


def route_source(address: bytes, vrf: int = 0) -> bytes:
    """Return the 16 octets of our address that a datagram leaves from; as `sockets.route_source`."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        if vrf:
            sock.setsockopt(socket.SOL_SOCKET, sockets.SO_BINDTOIFINDEX, vrf)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_ADDR_PREFERENCES, _IPV6_PREFER_SRC_PUBLIC)
        sock.connect((socket.inet_ntop(socket.AF_INET6, address), SERVER_PORT))
        return socket.inet_pton(socket.AF_INET6, sock.getsockname()[0])


def open_member() -> socket.socket:
    """Return a socket that hears nothing itself, but may be a member of groups."""
    return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def join(sock: socket.socket, group: bytes, interface: int) -> None:
    """Have a socket be a member of a group, 16 octets, on an interface.

    OSError: ENOMEM if it is of too many already (net.core.optmem_max), ENODEV if the interface is not there,
    EADDRINUSE if it is a member already.
    """
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _GROUP.pack(group, interface))


def leave(sock: socket.socket, group: bytes, interface: int) -> None:
    """Have a socket be a member no more; OSError if it is none, perhaps for the interface is gone."""
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, _GROUP.pack(group, interface))


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.SOL_SOCKET, sockets.SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_ADDR_PREFERENCES, _IPV6_PREFER_SRC_PUBLIC)
    sockets.grow(sock)
    return sock
