"""The sockets that hear VRFs, one for each that is to be heard, opened and closed as these come and go.

They only listen. What is sent into a VRF leaves by the socket of the default VRF, see `sockets`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from pxerelay.linux import sockets
from pxerelay.linux.listener import Listener, Readable
from pxerelay.linux.log import LOGGER

_TRY_AGAIN = 5.0
"""Seconds until a VRF that could not be listened in is tried again."""


class VrfSockets:
    """UDP sockets of one family by VRF; `readable` is called with the one that has something to read.

    `main` is the socket of the default VRF, `open_in` opens one beside it. A socket that can't be opened, for
    want of descriptors perhaps, is tried again with each `follow`, and its error is logged once. As long as
    there is one, `again` is called in a while, if it is given, which is to follow anew.
    """

    def __init__(
        self,
        main: socket.socket,
        readable: Readable,
        again: Callable[[], object] | None = None,
        open_in: Callable[[int, socket.socket], socket.socket] = sockets.open_udp_in,
    ) -> None:
        self._main = main
        self._open_in = open_in
        self._readable = readable
        self._again = again
        self._trying_again: asyncio.TimerHandle | None = None
        self._open: dict[int, tuple[socket.socket, Listener]] = {}
        self._names: dict[int, str] = {}
        self._failed: dict[int, int | None] = {}

    def follow(self, vrfs: Mapping[int, str]) -> AbstractSet[int]:
        """Hear just these VRFs, names by index, from now on; return those that are heard."""
        for index in self._open.keys() - vrfs.keys():
            self._end(index)
            LOGGER.info("no longer listening in VRF %s", self._names[index])
        for index in vrfs.keys() - self._open.keys():
            self._begin(index, vrfs[index])
        self._names = dict(vrfs)
        self._failed = {index: code for index, code in self._failed.items() if index in vrfs}
        self._rest()
        if self._failed and self._again:
            self._trying_again = asyncio.get_running_loop().call_later(_TRY_AGAIN, self._again)
        return self._open.keys()

    def close(self) -> None:
        """Close all sockets, and try no more."""
        self._rest()
        for index in tuple(self._open):
            self._end(index)

    def _rest(self) -> None:
        """Try nothing again until the next `follow`."""
        if self._trying_again:
            self._trying_again.cancel()
            self._trying_again = None

    def _begin(self, index: int, name: str) -> None:
        try:
            sock = self._open_in(index, self._main)
        except OSError as error:
            if self._failed.get(index) != error.errno:
                LOGGER.error("can't listen in VRF %s: %s", name, error.strerror)
            self._failed[index] = error.errno
            return
        self._failed.pop(index, None)
        self._open[index] = sock, Listener(sock, self._readable)
        LOGGER.info("listening in VRF %s", name)

    def _end(self, index: int) -> None:
        sock, listener = self._open.pop(index)
        listener.close()
        sock.close()
