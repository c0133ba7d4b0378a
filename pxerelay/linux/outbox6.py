"""DHCPv6 messages to the kernel by UDP. Replies by link layer go by `outbox.LinkOutbox`."""

from __future__ import annotations

import socket

from pxerelay.linux import sockets6
from pxerelay.linux.outbox import AnyUdpOutbox, Failure, Group
from pxerelay.linux.sockets6 import IPV6_PKTINFO
from pxerelay.wire.eui64 import LINK_LOCAL
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import SERVER_PORT, UNSET


class UdpOutbox6(AnyUdpOutbox):
    """Requests of DHCPv6; addresses are 16 octets."""

    level, packet_info = socket.IPPROTO_IPV6, IPV6_PKTINFO

    def _name(self, address: bytes) -> tuple[str, int]:
        return socket.inet_ntop(socket.AF_INET6, address), SERVER_PORT

    def _open_lane(self, main: socket.socket, _: int, /) -> socket.socket:
        return sockets6.open_lane(main)

    def _in_lane(self, group: Group) -> Group:
        """Say which address it leaves from: a lane has none of its own."""
        address, control, length = group
        source, vrf = sockets6.info_in(control)
        if source == UNSET:
            control = sockets6.packet_info(sockets6.route_source(address, vrf), vrf)
        return address, control, length


def to_peer(
    sock: socket.socket,
    message: Message,
    peer: bytes,
    port: int,
    source: bytes | None = None,
    interface: int = 0,
) -> Failure | None:
    """Send a message to a UDP port of a client or a relay agent at once; return what failed.

    `interface` is the index of the one that it leaves by, or of a VRF; 0 as the route says. A source of None
    is what the route says. The kernel finds out who has the address, and makes fragments.
    """
    scope = interface if peer.startswith(LINK_LOCAL) else 0
    name = socket.inet_ntop(socket.AF_INET6, peer), port, 0, scope
    told = sockets6.packet_info(source or UNSET, interface)
    ancillary = [(socket.IPPROTO_IPV6, IPV6_PKTINFO, told)] if source or interface else []
    try:
        sock.sendmsg([message], ancillary, socket.MSG_DONTWAIT, name)
    except OSError as error:
        return Failure(peer, True, error.errno or 0, [message])
    return None
