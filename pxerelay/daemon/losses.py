"""What the kernel dropped before it was read: damaged on the way, or for want of room."""

from __future__ import annotations

import socket
from weakref import WeakKeyDictionary

from pxerelay.daemon.warnings import Warnings
from pxerelay.linux import sockets


class Losses:
    """Counts them, for the sockets of one family. `checksums` counts datagrams with a wrong one."""

    def __init__(self, checksums: sockets.Checksums, warnings: Warnings) -> None:
        self.not_received = self.bad_checksums = 0
        self._warnings = warnings
        self._drops: WeakKeyDictionary[socket.socket, int] = WeakKeyDictionary()
        self._checksums = checksums
        self._damaged_before = checksums.bad()

    def close(self) -> None:
        """Count no more."""
        self._checksums.close()

    def notice(self, sock: socket.socket) -> int:
        """Count what was dropped at a socket since the last look, and warn of a full buffer.

        Return how many that was full for.
        """
        total = sockets.drops(sock)
        dropped = total - self._drops.get(sock, 0)
        if not dropped:
            return 0
        self._drops[sock] = total
        damaged = self._checksums.bad()
        self.bad_checksums, before = damaged - self._damaged_before, self.bad_checksums
        lost = max(dropped - (self.bad_checksums - before), 0)
        self.not_received += lost
        if lost:
            room = sockets.buffer_size(sock) >> 10
            self._warnings.warn(
                "overflow",
                f"the kernel dropped {lost} datagrams that came faster than we relay: the receive buffer of "
                f"{room} KiB was full; net.core.rmem_max bounds it",
            )
        return lost
