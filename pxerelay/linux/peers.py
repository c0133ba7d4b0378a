"""Which user of this host is at the other end of a connection."""

from __future__ import annotations

import socket
import struct

_UCRED = struct.Struct("=iII")
"""struct ucred (unix(7)): process, user, group."""

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1
"""sock_diag(7)."""

_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr (netlink(7)): length, type, flags, sequence number, port."""

_REQUEST = struct.Struct("=BBBBI")
"""struct inet_diag_req_v2 up to `id` (sock_diag(7)): family, protocol, extensions, padding, states."""

_ID = struct.Struct("=4s16s16sIII")
"""struct inet_diag_sockid: ports, addresses (an IPv4 one in the first octets), interface, no cookie."""

_ANY_STATE = _NO_COOKIE = 0xFFFFFFFF
_ESTABLISHED = 1

_STATE, _USER = _HEADER.size + 1, _HEADER.size + 4 + _ID.size + 12
"""Where struct inet_diag_msg has the state, and `idiag_uid`."""


def user(connection: socket.socket) -> int | None:
    """Return the number of the user at the other end, on this host; None if that can't be told."""
    try:
        if connection.family == socket.AF_UNIX:
            octets = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            return int(_UCRED.unpack(octets)[1])
        return _owner(connection.getpeername(), connection.getsockname())
    except OSError:
        return None  # it is gone, or the kernel has no such table


def _owner(end: tuple[str, int], other: tuple[str, int]) -> int | None:
    """Return whose an established TCP socket is, given by both ends."""
    ports = struct.pack("!HH", end[1], other[1])
    addresses = (socket.inet_aton(end[0]), socket.inet_aton(other[0]))
    body = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
    body += _ID.pack(ports, *addresses, 0, _NO_COOKIE, _NO_COOKIE)
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as asking:
        header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
        asking.send(header + body)
        answer = asking.recv(4096)
    if len(answer) < _USER + 4 or _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    if answer[_STATE] != _ESTABLISHED:
        return None  # of one that was closed the kernel says root
    return int(struct.unpack_from("=I", answer, _USER)[0])
