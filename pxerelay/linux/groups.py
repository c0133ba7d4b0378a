"""Membership of ff02::1:2 on client interfaces, spread over sockets (rule 164).

The kernel keeps the groups of a socket in memory that net.core.optmem_max bounds: 365 fit into
20480 octets. So there is one more socket for every 256 interfaces. The socket that reads need not be a
member: it hears what was sent to a group that this host is a member of there (IPV6_MULTICAST_ALL, ipv6(7)).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from pxerelay.linux import sockets6

_MOST = 256
"""Interfaces that one socket is a member of the group on."""


class Groups:
    """Membership of one group, 16 octets, on interfaces, given by their indexes."""

    def __init__(self, group: bytes) -> None:
        self._group = group
        self._sockets: list[tuple[socket.socket, set[int]]] = []
        self._failed: dict[int, int] = {}

    @property
    def failed(self) -> Mapping[int, int]:
        """The errno for each interface on which it could not become a member."""
        return self._failed

    def close(self) -> None:
        """Be a member no more."""
        for sock, _ in self._sockets:
            sock.close()
        self._sockets.clear()
        self._failed.clear()

    def forget(self, interfaces: AbstractSet[int]) -> bool:
        """Be a member no more on interfaces that were deleted; return whether it was one on any of them.

        The kernel keeps the membership of a socket by an interface's index. It counts no more once the
        interface is gone, and yet keeps the socket from joining on the next one with this index (EADDRINUSE).
        """
        found = False
        for sock, members in self._sockets:
            gone = members & interfaces
            found |= bool(gone)
            self._leave(sock, members, gone)
        return found

    def follow(self, interfaces: AbstractSet[int]) -> None:
        """Be a member on just these interfaces from now on; those that failed are tried again."""
        known: set[int] = set()
        for sock, members in self._sockets:
            self._leave(sock, members, members - interfaces)
            known |= members
        self._failed.clear()
        for index in sorted(interfaces - known):
            self._join(index)
        for sock, members in self._sockets:
            if not members:
                sock.close()
        self._sockets = [(sock, members) for sock, members in self._sockets if members]

    def _leave(self, sock: socket.socket, members: set[int], gone: Iterable[int]) -> None:
        for index in tuple(gone):
            members.discard(index)
            try:
                sockets6.leave(sock, self._group, index)
            except OSError:
                continue  # the kernel has none there

    def _join(self, index: int) -> None:
        try:
            sock, members = self._roomy()
            sockets6.join(sock, self._group, index)
        except OSError as error:
            self._failed[index] = error.errno or 0
        else:
            members.add(index)

    def _roomy(self) -> tuple[socket.socket, set[int]]:
        """Return a socket that is a member on few interfaces, and these."""
        for known in self._sockets:
            if len(known[1]) < _MOST:
                return known
        self._sockets.append((sockets6.open_member(), set()))
        return self._sockets[-1]
