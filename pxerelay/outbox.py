"""Datagrams to the kernel, as few system calls as there can be.

`UdpOutbox` groups what goes to one address at one length, whoever it is from: such a group is one call
and passes the kernel's stack once, cut into datagrams at its end (UDP_SEGMENT, udp(7)). Where the kernel
or the device won't have that, each datagram goes by itself.

`LinkOutbox` sends replies by link layer from a packet socket (packet(7)), a batch of frames per call; headers
are made by `frames`.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from pxerelay import mmsg
from pxerelay.frames import Framing
from pxerelay.packet import CLIENT_PORT, Message
from pxerelay.sockets import IP_PKTINFO

_UDP_SEGMENT = 103
"""Not in Python's socket module; linux/udp.h."""

_SEGMENTS = 64
"""Datagrams that one call may be cut into (UDP_MAX_SEGMENTS in older kernels)."""

_WORTH = 8
"""Datagrams of one group from which on they go in one call.

Programs that hear the wire beside the kernel (packet(7): some DHCP servers, tcpdump) see such a call as one
large datagram if they sit on the other end of a veth pair. At the rates of firmware it never comes to that.
"""

_SEGMENTED_OCTETS = 65000
"""Octets that one call may carry: an IP packet's less the headers."""

_NO_SEGMENTS = frozenset({errno.EINVAL, errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EMSGSIZE})
"""What the kernel says where segments are too long for the link, or a device has no checksum offload."""


class Failure(NamedTuple):
    """Messages that the kernel did not take: the destination, 4 octets, its port, the errno, and which."""

    destination: bytes
    port: int
    errno: int
    messages: Sequence[Message]


Group = tuple[bytes, int, bytes, int]
"""Destination address, its port, control message, octets of each datagram."""


class UdpOutbox:
    """Collects datagrams for UDP sockets; they must stay as they are until `flush`."""

    def __init__(self) -> None:
        self._groups: dict[Group, list[Message]] = {}

    def put(self, messages: Sequence[Message], address: bytes, port: int, control: bytes = b"") -> None:
        """Add datagrams of one length to an address of 4 octets; `control` is from `sockets.packet_info`."""
        self._groups.setdefault((address, port, control, len(messages[0])), []).extend(messages)

    def flush(self, sock: socket.socket) -> list[Failure]:
        """Send everything by a socket and return what failed."""
        failures: list[Failure] = []
        for group, messages in self._groups.items():
            most = max(1, min(_SEGMENTS, _SEGMENTED_OCTETS // max(group[3], 1)))
            for start in range(0, len(messages), most):
                _send(sock, group, messages[start : start + most], failures)
        self._groups.clear()
        return failures


def _send(sock: socket.socket, group: Group, messages: Sequence[Message], failures: list[Failure]) -> None:
    """Send messages of one group, in one call if that is worth it and the kernel agrees."""
    address, port, control, length = group
    name = socket.inet_ntoa(address), port
    ancillary = [(socket.IPPROTO_IP, IP_PKTINFO, control)] if control else []
    if len(messages) >= _WORTH:
        segment = (socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("@H", length))
        try:
            sock.sendmsg(messages, [*ancillary, segment], socket.MSG_DONTWAIT, name)
        except OSError as error:
            if error.errno not in _NO_SEGMENTS:
                failures.append(Failure(address, port, error.errno or 0, messages))
                return
        else:
            return
    for message in messages:
        try:
            sock.sendmsg([message], ancillary, socket.MSG_DONTWAIT, name)
        except OSError as error:
            failures.append(Failure(address, port, error.errno or 0, [message]))


_FRAMES = 256
"""Frames that wait for one sendmmsg."""

_SLOT = 65536 + 64
"""Octets for one frame, the largest there can be; memory that no frame ever filled takes none."""

_LINK_NAME = struct.Struct("@HHi12x")
"""struct sockaddr_ll (packet(7)) of a frame with its own Ethernet header: family, none, interface."""


class LinkOutbox:
    """Collects replies for a packet socket that has PACKET_VNET_HDR set (`sockets.open_link`)."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        frames = mmsg.Buffer(_FRAMES * _SLOT)
        self._names = mmsg.Buffer(_FRAMES * _LINK_NAME.size)
        iovecs = mmsg.Buffer(_FRAMES * mmsg.IOVEC.size)
        self._headers = mmsg.Buffer(_FRAMES * mmsg.MMSGHDR.size)
        self._kept = frames, iovecs
        for at in range(_FRAMES):
            mmsg.IOVEC.pack_into(iovecs.octets, at * mmsg.IOVEC.size, frames.address + at * _SLOT, 0)
            mmsg.MMSGHDR.pack_into(
                self._headers.octets,
                at * mmsg.MMSGHDR.size,
                *(self._names.address + at * _LINK_NAME.size, _LINK_NAME.size),
                *(iovecs.address + at * mmsg.IOVEC.size, 1),
                *(0, 0, 0, 0),
            )
        self._octets = frames.octets
        self._lengths = memoryview(iovecs.octets).cast("L")[1::2]
        self._indexes = [0] * _FRAMES
        self._waiting: list[tuple[bytes, Message]] = []
        self._identification = 0
        self._failures: list[Failure] = []

    def put(self, message: Message, framing: Framing, index: int, address: bytes, hardware: bytes) -> None:
        """Add a reply that leaves by an interface, to a client's address and Ethernet address."""
        identification = self._identification = (self._identification + 1) & 0xFFFF
        if framing.fits(message):
            start = self._begin(index)
            end = framing.write(self._octets, start, message, address, hardware, identification)
            self._end(end - start, address, message)
            return
        for frame in framing.fragments(message, address, hardware, identification):
            start = self._begin(index)
            self._octets[start : start + len(frame)] = frame
            self._end(len(frame), address, message)

    def _begin(self, index: int) -> int:
        """Return where the next frame stands, which leaves by an interface."""
        at = len(self._waiting)
        if at == _FRAMES:
            self._send()
            at = 0
        if index != self._indexes[at]:
            self._indexes[at] = index
            _LINK_NAME.pack_into(self._names.octets, at * _LINK_NAME.size, socket.AF_PACKET, 0, index)
        return at * _SLOT

    def _end(self, size: int, address: bytes, message: Message) -> None:
        self._lengths[len(self._waiting)] = size
        self._waiting.append((address, message))

    def flush(self) -> list[Failure]:
        """Send everything and return what failed since the last call."""
        self._send()
        failures, self._failures = self._failures, []
        return failures

    def _send(self) -> None:
        """Send what waits; a frame that the kernel refuses does not hold up those behind it."""
        total, done = len(self._waiting), 0
        descriptor = self._socket.fileno()
        while done < total:
            headers = self._headers.address + done * mmsg.MMSGHDR.size
            try:
                done += mmsg.send(descriptor, headers, total - done, socket.MSG_DONTWAIT)
            except OSError as error:
                destination, message = self._waiting[done]
                self._failures.append(Failure(destination, CLIENT_PORT, error.errno or 0, [message]))
                done += 1
        self._waiting.clear()
