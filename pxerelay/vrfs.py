"""The sockets that hear VRFs, one for each that is to be heard, opened and closed as these come and go.

They only listen. What is sent into a VRF leaves by the socket of the default VRF, see `sockets`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from pxerelay import sockets
from pxerelay.listener import Listener, Readable
from pxerelay.log import LOGGER


class VrfSockets:
    """UDP sockets on port 67 by VRF; `readable` is called with the one that has something to read.

    `main` is the socket of the default VRF. A socket that can't be opened is tried again with each
    `follow`, and its error is logged once; `failed` says that there is one.
    """

    def __init__(self, main: socket.socket, readable: Readable) -> None:
        self._main = main
        self._readable = readable
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
        return self._open.keys()

    @property
    def failed(self) -> bool:
        """Whether a VRF that should be heard is not."""
        return bool(self._failed)

    def close(self) -> None:
        """Close all sockets."""
        for index in tuple(self._open):
            self._end(index)

    def _begin(self, index: int, name: str) -> None:
        try:
            sock = sockets.open_udp_in(index, self._main)
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
