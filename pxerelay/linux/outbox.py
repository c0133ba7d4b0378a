"""Datagrams to the kernel, in as few system calls as possible.

`AnyUdpOutbox` groups what goes to one address at one length, whoever it is from. In a storm such a group is
one call and passes the kernel's stack once, cut into datagrams at its end (UDP_SEGMENT, udp(7)). Where the
kernel or the device won't have that, each datagram goes by itself.

Only in a storm: programs that hear the wire beside the kernel (packet(7): some DHCP servers, tcpdump) see
such a group as one large datagram, and lose it, if they sit on the other end of a veth pair. That is not to
happen to fifty clients that are switched on together, nor after the machine stood still for a moment.

What goes to a server that does not answer ARP fills the send buffer of the socket, and nothing could be sent
to others meanwhile. So a server for which the buffer was full gets a socket of its own, a lane.

`LinkOutbox` sends replies by link layer from a packet socket (packet(7)), a batch of frames per call; headers
are made by `frames`. Links that have no Ethernet frames (tun, ppp, wireguard, gre, IPoIB) get IP packets from
a raw socket (raw(7)).
"""

from __future__ import annotations

import errno
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol, TypeVar

from pxerelay.linux import mmsg, sockets
from pxerelay.linux.sockets import IP_PKTINFO
from pxerelay.wire.frames import Framing, Reply
from pxerelay.wire.packet import SERVER_PORT, UNSET, Message

_UDP_SEGMENT = 103
"""Not in Python's socket module; linux/udp.h."""

_SEGMENTS = 64
"""Datagrams that one call may be cut into (UDP_MAX_SEGMENTS in older kernels)."""

_WORTH = 4
"""Datagrams of one group from which on they go in one call."""

_SEGMENTED_OCTETS = 65000
"""Octets that one call may carry: an IP packet's less the headers."""

_NO_SEGMENTS = frozenset({errno.EINVAL, errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EMSGSIZE})
"""What the kernel says where segments are too long for the link, or a device has no checksum offload."""


class Failure(NamedTuple):
    """Messages that the kernel did not take, and the address of whom they were for, a client or a server.

    It has 4 octets, in DHCPv6 16.
    """

    destination: bytes
    to_client: bool
    errno: int
    messages: Sequence[Message]


Group = tuple[bytes, bytes, int]
"""A server's address, control message, octets of each datagram."""

_MOST_LANES = 64
"""Most servers with a send socket of their own; each costs a descriptor."""

_LEFT_TO_ROUTE = sockets.packet_info(UNSET)
"""The control message of a datagram whose address is that of the interface that it leaves by."""


class AnyUdpOutbox(ABC):
    """Collects requests for servers of one family; they must stay as they are until `flush`."""

    level: int
    """The protocol that control messages about addresses are of."""

    packet_info: int
    """The control message that sets a source address."""

    def __init__(self) -> None:
        self._groups: dict[Group, list[Message]] = {}
        self._lanes: dict[bytes, socket.socket] = {}

    @abstractmethod
    def _name(self, address: bytes) -> tuple[str, int]:
        """Return where a server listens, as Python's sockets have it."""

    @abstractmethod
    def _open_lane(self, main: socket.socket, number: int, /) -> socket.socket:
        """Open another socket to send by, the how-manieth; OSError if it can't be."""

    @abstractmethod
    def _in_lane(self, group: Group) -> Group:
        """Return a group as it is sent by a lane; OSError if it can't be."""

    def close(self) -> None:
        """Close the lanes."""
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()

    def keep_lanes(self, servers: AbstractSet[bytes]) -> None:
        """Close the sockets of servers other than these."""
        for address in self._lanes.keys() - servers:
            self._lanes.pop(address).close()

    def discard(self) -> None:
        """Forget what waits."""
        self._groups.clear()

    def put(self, messages: Sequence[Message], address: bytes, control: bytes = b"") -> None:
        """Add requests of one length to a server's octets; `control` is from `packet_info` of the sockets."""
        self._groups.setdefault((address, control, len(messages[0])), []).extend(messages)

    def flush(self, sock: socket.socket, *, storm: bool) -> list[Failure]:
        """Send everything by a socket, groups at once in a storm, and return what failed."""
        failures: list[Failure] = []
        for group, messages in self._groups.items():
            lane = self._lanes.get(group[0])
            if lane:
                failures += self._send_in_lane(lane, group, messages, storm=storm)
            elif failed := self._send(sock, group, messages, storm=storm):
                failures += self._send_beside(sock, group, failed, storm=storm)
        self._groups.clear()
        return failures

    def _send_beside(
        self, main: socket.socket, group: Group, failures: list[Failure], *, storm: bool
    ) -> list[Failure]:
        """Send by a new lane what found the buffer full; return what failed even so."""
        full = [message for one in failures if one.errno == errno.EAGAIN for message in one.messages]
        if not full or len(self._lanes) == _MOST_LANES:
            return failures
        try:
            lane = self._open_lane(main, len(self._lanes) + 1)
        except OSError:
            return failures
        self._lanes[group[0]] = lane
        others = [one for one in failures if one.errno != errno.EAGAIN]
        return others + self._send_in_lane(lane, group, full, storm=storm)

    def _send_in_lane(
        self, lane: socket.socket, group: Group, messages: Sequence[Message], *, storm: bool
    ) -> list[Failure]:
        try:
            group = self._in_lane(group)
        except OSError as error:
            return [Failure(group[0], False, error.errno or 0, messages)]
        return self._send(lane, group, messages, storm=storm)

    def _send(
        self, sock: socket.socket, group: Group, messages: Sequence[Message], *, storm: bool
    ) -> list[Failure]:
        failures: list[Failure] = []
        most = max(1, min(_SEGMENTS, _SEGMENTED_OCTETS // max(group[2], 1)))
        for start in range(0, len(messages), most):
            some = messages[start : start + most]
            if not (storm and len(some) >= _WORTH and self._send_at_once(sock, group, some, failures)):
                self._send_singly(sock, group, some, failures)
        return failures

    def _send_at_once(
        self, sock: socket.socket, group: Group, messages: Sequence[Message], failures: list[Failure]
    ) -> bool:
        """Send messages of one group in one call; False if the kernel can't do that with them."""
        address, control, length = group
        ancillary = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("@H", length))]
        if control:
            ancillary.append((self.level, self.packet_info, control))
        try:
            sock.sendmsg(messages, ancillary, socket.MSG_DONTWAIT, self._name(address))
        except OSError as error:
            if error.errno in _NO_SEGMENTS:
                return False
            failures.append(Failure(address, False, error.errno or 0, messages))
        return True

    def _send_singly(
        self, sock: socket.socket, group: Group, messages: Sequence[Message], failures: list[Failure]
    ) -> None:
        address, control, _ = group
        name = self._name(address)
        ancillary = [(self.level, self.packet_info, control)] if control else []
        for message in messages:
            try:
                sock.sendmsg([message], ancillary, socket.MSG_DONTWAIT, name)
            except OSError as error:
                failures.append(Failure(address, False, error.errno or 0, [message]))


class UdpOutbox(AnyUdpOutbox):
    """Requests of DHCPv4; servers are given by 4 octets."""

    level, packet_info = socket.IPPROTO_IP, IP_PKTINFO

    def _name(self, address: bytes) -> tuple[str, int]:
        return socket.inet_ntoa(address), SERVER_PORT

    def _open_lane(self, main: socket.socket, number: int, /) -> socket.socket:
        return sockets.open_lane(number, main)

    def _in_lane(self, group: Group) -> Group:
        address, control, length = group
        return address, control or _LEFT_TO_ROUTE, length


_FRAMES = 256
"""Frames that wait for one sendmmsg."""

_ARENA = _FRAMES * (65536 + 128)
"""Octets for them, were all as large as can be; what none ever filled takes no memory (`mmsg.Buffer`)."""

_LINK_NAME = struct.Struct("@HHi12x")
"""struct sockaddr_ll (packet(7)) of a frame with its own Ethernet header: family, none, interface."""


class AnyReply(Protocol):
    """A reply in either family."""

    @property
    def message(self) -> Message:
        """What is sent."""

    @property
    def destination(self) -> bytes:
        """The address that it is for."""


_Reply = TypeVar("_Reply", bound=AnyReply)
_Written = TypeVar("_Written", bound=AnyReply, contravariant=True)


class Writes(Protocol[_Written]):
    """How replies of one family leave by one interface."""

    def write(
        self, room: bytearray, start: int, replies: Iterable[_Written], first: int, /
    ) -> list[tuple[int, int]]:
        """Write the frames of replies one behind the other, and return their bounds.

        `first` is the identification of the first one, where packets have one.
        """


class LinkOutbox:
    """Collects replies for a packet socket (`sockets.open_link`)."""

    def __init__(self, sock: socket.socket | None = None) -> None:
        self._socket = sock
        self._arena = mmsg.Buffer(_ARENA)
        self._names = mmsg.Buffer(_FRAMES * _LINK_NAME.size)
        self._iovecs = mmsg.Buffer(_FRAMES * mmsg.IOVEC.size)
        self._headers = mmsg.Buffer(_FRAMES * mmsg.MMSGHDR.size)
        for at in range(_FRAMES):
            mmsg.MMSGHDR.pack_into(
                self._headers.octets,
                at * mmsg.MMSGHDR.size,
                *(self._names.address + at * _LINK_NAME.size, _LINK_NAME.size),
                *(self._iovecs.address + at * mmsg.IOVEC.size, 1),
                *(0, 0, 0, 0),
            )
        self._places = memoryview(self._iovecs.octets).cast("L")
        self._indexes = [0] * _FRAMES
        self._waiting: list[AnyReply] = []
        self._used = 0
        self._number = 0
        self._failures: list[Failure] = []
        self._packets: list[tuple[Reply, Framing, int]] = []

    def use(self, sock: socket.socket | None) -> None:
        """Send by another socket from now on; without one nothing is sent."""
        self.discard()
        self._socket = sock

    def put(self, replies: Sequence[Reply], framing: Framing, index: int) -> None:
        """Add replies that leave by an interface, given by its index."""
        if not framing.has_frames:
            self._packets.extend((reply, framing, index) for reply in replies)
            return
        fitting = [reply for reply in replies if len(reply.message) <= framing.largest]
        self.put_fitting(fitting, framing, index)
        if len(fitting) < len(replies):
            for reply in replies:
                if len(reply.message) > framing.largest:
                    self._put_fragments(reply, framing, index)

    def put_fitting(self, replies: Sequence[_Reply], framing: Writes[_Reply], index: int) -> None:
        """Add replies that go into one frame each, and leave by an interface."""
        done = 0
        while done < len(replies):
            some = replies[done : done + self._room()]
            self._add(some, framing.write(self._arena.octets, self._used, some, self._number), index)
            self._number += len(some)
            done += len(some)

    def _put_fragments(self, reply: Reply, framing: Framing, index: int) -> None:
        for frame in framing.fragments(reply, self._number):
            self.put_frame(reply, frame, index)
        self._number += 1

    def put_frame(self, reply: AnyReply, frame: bytes, index: int) -> None:
        """Add a frame that is made already, which brings a reply or a part of it."""
        self._room()
        end = self._used + len(frame)
        self._arena.octets[self._used : end] = frame
        self._add([reply], [(self._used, end)], index)

    def _room(self) -> int:
        """Return how many frames there is room for, one at least."""
        if len(self._waiting) == _FRAMES:
            self._send()
        return _FRAMES - len(self._waiting)

    def _add(self, replies: Sequence[AnyReply], bounds: Sequence[tuple[int, int]], index: int) -> None:
        """Point the next free headers at frames that were written to the arena, at `bounds` in it."""
        at, places, base = len(self._waiting), self._places, self._arena.address
        self._waiting.extend(replies)
        for number, (start, end) in enumerate(bounds, at):
            places[2 * number], places[2 * number + 1] = base + start, end - start
        self._used = bounds[-1][1]
        if self._indexes[at : len(self._waiting)] != [index] * len(bounds):
            for number in range(at, len(self._waiting)):
                self._indexes[number] = index
                _LINK_NAME.pack_into(self._names.octets, number * _LINK_NAME.size, socket.AF_PACKET, 0, index)

    def discard(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._failures.clear()
        self._packets.clear()
        self._used = 0

    def flush(self) -> list[Failure]:
        """Send everything and return what failed since the last call."""
        self._send()
        if self._packets:
            self._send_packets()
        failures, self._failures = self._failures, []
        return failures

    def _send_packets(self) -> None:
        """Send what leaves by links that have no Ethernet: the kernel knows what frames these have."""
        packets, self._packets = self._packets, []
        try:
            with sockets.open_packets() as sock:
                for reply, framing, index in packets:
                    self._send_reply(sock, reply, framing, index)
        except OSError as error:
            self._failures.extend(_failure(reply, error) for reply, _, _ in packets)

    def _send_reply(self, sock: socket.socket, reply: Reply, framing: Framing, index: int) -> None:
        self._number += 1
        ancillary = [(socket.IPPROTO_IP, IP_PKTINFO, sockets.packet_info(UNSET, index))]
        name = socket.inet_ntoa(reply.destination), 0
        for packet in framing.packets(reply, self._number):
            try:
                sock.sendmsg([packet], ancillary, socket.MSG_DONTWAIT, name)
            except OSError as error:
                self._failures.append(_failure(reply, error))

    def _send(self) -> None:
        """Send what waits; a frame that the kernel refuses does not hold up those behind it."""
        total, done = len(self._waiting) if self._socket else 0, 0
        descriptor = self._socket.fileno() if self._socket else -1
        while done < total:
            headers = self._headers.address + done * mmsg.MMSGHDR.size
            try:
                done += mmsg.send(descriptor, headers, total - done, socket.MSG_DONTWAIT)
            except OSError as error:
                self._failures.append(_failure(self._waiting[done], error))
                done += 1
        self._waiting.clear()
        self._used = 0


def _failure(reply: AnyReply, error: OSError) -> Failure:
    return Failure(reply.destination, True, error.errno or 0, [reply.message])
