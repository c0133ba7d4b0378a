"""Datagrams in and out of the kernel, a batch per system call.

`Receiver` and `Sender` wrap recvmmsg(2) and sendmmsg(2) of the C library, for Python's socket module
has neither. Their buffers and message headers are made once. Two sockets serve a whole relay without
VRFs:

- one UDP socket on port 67 of every address hears clients, routers and servers, and tells each
  datagram's interface (IP_PKTINFO, ip(7)). It may not send to broadcast addresses, so a request can
  never go back into the VLAN that it came from as one;
- one packet socket sends replies by link layer (packet(7)). It is bound to no protocol and so hears
  nothing.

Per VRF that is to be heard there is one more UDP socket, for the first does not hear it (the kernel's
Documentation/networking/vrf.rst). It sends into all of them: IP_PKTINFO names the VRF.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from pxerelay.packet import SERVER_PORT

BATCH = 64
"""Datagrams that one system call receives at most."""

_SLOT = 65536 + 64
"""Octets for one datagram: UDP carries less than 65536, the rest staggers the slots over the cache."""

_ARENA = 1 << 20
"""Octets of datagrams that wait for one sendmmsg."""

_SEND_SLOTS = 256
"""Datagrams that wait for one sendmmsg."""

_RECEIVE_BUFFER = 8 << 20
_SEND_BUFFER = 4 << 20
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE, _SO_BINDTOIFINDEX = 33, 32, 62
"""Not in Python's socket module; asm-generic/socket.h."""

_IP_PKTINFO = 8
_ETH_P_IP = 0x0800

_NAME_SIZE = 32
_CONTROL_SIZE = 64
_CMSG_HEADER = struct.Struct("@Nii")
_PKTINFO = struct.Struct("@i4s4s")
_SOCKADDR_IN = struct.Struct("@H2s4s8x")
_SOCKADDR_LL = struct.Struct("@H2siHBB8s")


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iov_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("length", ctypes.c_uint))


_libc = ctypes.CDLL(None, use_errno=True)


class Datagram(NamedTuple):
    """A datagram where it was received; the next `receive` overwrites it.

    `interface` is the index of the one it came in on, `source` the sender's address, 4 octets; `unicast`
    says that it was sent to an address of this host and not by broadcast.
    """

    message: memoryview
    interface: int
    source: bytes
    unicast: bool


class Failure(NamedTuple):
    """A datagram that the kernel did not take: the destination, 4 octets, and the errno."""

    destination: bytes
    errno: int


class _Batch:
    """Message headers for one call, each with its own room for data, name and control."""

    def __init__(self, slots: int) -> None:
        self.headers = (_Mmsghdr * slots)()
        self.iovecs = (_Iovec * slots)()
        self.names = bytearray(slots * _NAME_SIZE)
        self.controls = bytearray(slots * _CONTROL_SIZE)
        self._pins = [(ctypes.c_char * len(area)).from_buffer(area) for area in (self.names, self.controls)]
        names, controls = map(ctypes.addressof, self._pins)
        for at in range(slots):
            header = self.headers[at].header
            header.name, header.name_length = names + at * _NAME_SIZE, _NAME_SIZE
            header.iov, header.iov_count = ctypes.pointer(self.iovecs[at]), 1
            header.control, header.control_length = controls + at * _CONTROL_SIZE, _CONTROL_SIZE
        self.slots = [self.headers[at] for at in range(slots)]


class Receiver:
    """Receives up to BATCH datagrams in one call from UDP sockets with IP_PKTINFO."""

    def __init__(self) -> None:
        self._batch = batch = _Batch(BATCH)
        self._data = bytearray(BATCH * _SLOT)
        self._view = memoryview(self._data)
        self._pin = (ctypes.c_char * len(self._data)).from_buffer(self._data)
        base = ctypes.addressof(self._pin)
        for at in range(BATCH):
            batch.iovecs[at].base, batch.iovecs[at].length = base + at * _SLOT, _SLOT
        self._fresh = bytes(batch.headers)

    def receive(self, sock: socket.socket) -> list[Datagram]:
        """Return what is waiting at a socket, an empty list if nothing is; OSError if the socket fails."""
        batch = self._batch
        ctypes.memmove(batch.headers, self._fresh, len(self._fresh))
        count = _libc.recvmmsg(sock.fileno(), batch.headers, BATCH, socket.MSG_DONTWAIT, None)
        if count < 0:
            code = ctypes.get_errno()
            if code in (errno.EAGAIN, errno.EINTR):
                return []
            raise OSError(code, os.strerror(code))
        datagrams = []
        for at in range(count):
            start = at * _SLOT
            name = at * _NAME_SIZE
            interface, unicast = self._arrival(at * _CONTROL_SIZE)
            datagrams.append(
                Datagram(
                    self._view[start : start + batch.slots[at].length],
                    interface,
                    bytes(batch.names[name + 4 : name + 8]),
                    unicast,
                )
            )
        return datagrams

    def _arrival(self, offset: int) -> tuple[int, bool]:
        """Return the interface's index, and whether the destination is the address it was delivered to."""
        _, level, kind = _CMSG_HEADER.unpack_from(self._batch.controls, offset)
        if (level, kind) != (socket.IPPROTO_IP, _IP_PKTINFO):
            return 0, False
        index, local, destination = _PKTINFO.unpack_from(self._batch.controls, offset + _CMSG_HEADER.size)
        return index, local == destination


class Sender:
    """Collects datagrams and hands them to the kernel in one call."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._batch = batch = _Batch(_SEND_SLOTS)
        self._arena = bytearray(_ARENA)
        self._pin = (ctypes.c_char * _ARENA).from_buffer(self._arena)
        self._base = ctypes.addressof(self._pin)
        self._controls = [batch.headers[at].header.control for at in range(_SEND_SLOTS)]
        self._destinations: list[bytes] = []
        self._used = 0
        self.failures: list[Failure] = []

    def put(self, data: bytes | memoryview, destination: bytes, name: bytes, control: bytes = b"") -> None:
        """Add a datagram, which is copied; what failed is in `failures` after `flush`.

        `name` is a sockaddr from `udp_name` or `link_name`, `control` a message from `packet_info`;
        `destination` is only there to be told in a Failure.
        """
        size = len(data)
        at = len(self._destinations)
        if at == _SEND_SLOTS or self._used + size > _ARENA:
            self.flush()
            at = 0
        batch = self._batch
        self._arena[self._used : self._used + size] = data
        iovec = batch.iovecs[at]
        iovec.base, iovec.length = self._base + self._used, size
        self._used += size
        start = at * _NAME_SIZE
        batch.names[start : start + len(name)] = name
        header = batch.slots[at].header
        header.name_length = len(name)
        header.control_length = len(control)
        if control:
            start = at * _CONTROL_SIZE
            batch.controls[start : start + len(control)] = control
        self._destinations.append(destination)

    def flush(self) -> None:
        """Send everything; a datagram that the kernel refuses does not hold up those behind it."""
        total = len(self._destinations)
        done = 0
        while done < total:
            first = ctypes.byref(self._batch.headers, done * ctypes.sizeof(_Mmsghdr))
            sent = _libc.sendmmsg(self._socket.fileno(), first, total - done, socket.MSG_DONTWAIT)
            if sent > 0:
                done += sent
                continue
            code = ctypes.get_errno()
            if code == errno.EINTR:
                continue
            self.failures.append(Failure(self._destinations[done], code))
            done += 1
        self._destinations.clear()
        self._used = 0

    def take_failures(self) -> Sequence[Failure]:
        """Return what failed since the last call."""
        failed, self.failures = self.failures, []
        return failed


def udp_name(address: bytes, port: int) -> bytes:
    """Return the sockaddr_in of an address of 4 octets and a port."""
    return _SOCKADDR_IN.pack(socket.AF_INET, port.to_bytes(2, "big"), address)


def link_name(index: int, hardware: bytes) -> bytes:
    """Return the sockaddr_ll that sends IPv4 out of an interface to a hardware address."""
    protocol = _ETH_P_IP.to_bytes(2, "big")
    return _SOCKADDR_LL.pack(socket.AF_PACKET, protocol, index, 0, 0, len(hardware), hardware)


def packet_info(source: bytes, index: int = 0) -> bytes:
    """Return the control message that sets a datagram's source address and, if not 0, its interface.

    An index of a VRF sends it by the routes of that VRF, an address of 0.0.0.0 leaves it to the route.
    """
    data = _PKTINFO.pack(index, source, bytes(4))
    length = _CMSG_HEADER.size + len(data)
    header = _CMSG_HEADER.pack(length, socket.IPPROTO_IP, _IP_PKTINFO)
    return (header + data).ljust(length + -length % ctypes.sizeof(ctypes.c_size_t), b"\0")


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
    both = (main, sock)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, vrf)
        for one in both:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", SERVER_PORT))
    except OSError:
        sock.close()
        raise
    finally:
        for one in both:
            if one.fileno() >= 0:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return sock


def _udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    _grow(sock)
    return sock


def open_link() -> socket.socket:
    """Return a packet socket that sends; OSError EPERM without CAP_NET_RAW."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
    sock.setblocking(False)
    _grow(sock)
    return sock


def _grow(sock: socket.socket) -> None:
    """Ask for buffers that hold a burst; beyond the host's limit only where we may."""
    for force, plain, size in (
        (_SO_RCVBUFFORCE, socket.SO_RCVBUF, _RECEIVE_BUFFER),
        (_SO_SNDBUFFORCE, socket.SO_SNDBUF, _SEND_BUFFER),
    ):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, size)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, plain, size)
