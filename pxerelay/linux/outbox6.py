"""DHCPv6 messages to the kernel: by UDP, at once. Replies by link layer go by `outbox.LinkOutbox`.

What goes to an address for which the kernel has no neighbour yet waits in the send buffer of its socket. So
that a server which is gone holds up no others, one for which the buffer was full gets a socket of its own.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Set as AbstractSet

from pxerelay.linux import sockets6
from pxerelay.linux.outbox import Failure
from pxerelay.linux.sockets6 import IPV6_PKTINFO
from pxerelay.wire.eui64 import LINK_LOCAL
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import SERVER_PORT, UNSET

_MOST_LANES = 64
"""Most servers with a send socket of their own; each costs a descriptor."""


class UdpOutbox6:
    """Sends by a socket of `sockets6.open_udp`.

    Addresses are 16 octets; a source of None is what the route says.
    """

    def __init__(self, udp: socket.socket) -> None:
        self._udp = udp
        self._lanes: dict[bytes, socket.socket] = {}

    def close(self) -> None:
        """Close the lanes."""
        self.keep_lanes(frozenset())

    def keep_lanes(self, servers: AbstractSet[bytes]) -> None:
        """Close the sockets of servers other than these."""
        for address in self._lanes.keys() - servers:
            self._lanes.pop(address).close()

    def to_server(
        self, parts: list[Message], server: bytes, source: bytes | None = None, vrf: int = 0
    ) -> Failure | None:
        """Send a message, given in parts, to port 547 of a server in a VRF; return what failed."""
        name = socket.inet_ntop(socket.AF_INET6, server), SERVER_PORT
        lane = self._lanes.get(server)
        code = 0 if lane else _send(self._udp, parts, _ancillary(source, vrf), name)
        if code == errno.EAGAIN and len(self._lanes) < _MOST_LANES:
            with contextlib.suppress(OSError):
                lane = self._lanes[server] = sockets6.open_lane(self._udp)
        if lane:
            try:
                source = source or sockets6.route_source(server, vrf)
            except OSError as error:
                code = error.errno or 0
            else:
                code = _send(lane, parts, _ancillary(source, vrf), name)
        return Failure(server, False, code, parts[-1:]) if code else None

    def to_peer(
        self, message: Message, peer: bytes, port: int, source: bytes | None = None, interface: int = 0
    ) -> Failure | None:
        """Send a message to a UDP port of a client or a relay agent; return what failed.

        `interface` is the index of the one that it leaves by, or of a VRF; 0 as the route says. The kernel
        finds out who has the address, and makes fragments.
        """
        scope = interface if peer.startswith(LINK_LOCAL) else 0
        name = socket.inet_ntop(socket.AF_INET6, peer), port, 0, scope
        code = _send(self._udp, [message], _ancillary(source, interface), name)
        return Failure(peer, True, code, [message]) if code else None


def _ancillary(source: bytes | None, index: int) -> list[tuple[int, int, bytes]]:
    if source is None and not index:
        return []
    return [(socket.IPPROTO_IPV6, IPV6_PKTINFO, sockets6.packet_info(source or UNSET, index))]


def _send(
    sock: socket.socket,
    parts: list[Message],
    ancillary: list[tuple[int, int, bytes]],
    name: tuple[str, int] | tuple[str, int, int, int],
) -> int:
    """Return 0, or the errno."""
    try:
        sock.sendmsg(parts, ancillary, socket.MSG_DONTWAIT, name)
    except OSError as error:
        return error.errno or 0
    return 0
