"""A server that answers as no real one would be set up to: what it does is up to a function."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from pxerelay.linux import sockets
from pxerelay.wire import packet
from tests.lab.network import Host
from tests.lab.wire import inside

_TURN = 0.05
"""Seconds after which its thread looks whether it is to end."""


class OddServer:
    """Hears a UDP port of a host, and calls a function with itself and each datagram, until it is closed."""

    def __init__(self, host: Host, answer: Callable[[OddServer, bytes], None], port: int = 67) -> None:
        with inside(host):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.bind(("", port))
        self._socket.settimeout(_TURN)
        self._answer = answer
        self._ended = False
        self.heard: list[bytes] = []
        self.asker = ("", 0)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._ended = True
        self._thread.join(5)
        self._socket.close()

    def send(
        self, message: bytes | bytearray, destination: str, port: int = 67, source: str = "0.0.0.0"
    ) -> None:
        """Send a datagram, from an address of the host if one is given."""
        info = sockets.packet_info(socket.inet_aton(source))
        ancillary = [(socket.IPPROTO_IP, sockets.IP_PKTINFO, info)]
        self._socket.sendmsg([message], ancillary, 0, (destination, port))

    def _serve(self) -> None:
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                octets, self.asker = self._socket.recvfrom(65535)
                self.heard.append(octets)
                self._answer(self, octets)


def offer(
    request: bytes, identifier: str, *, file: bytes = b"odd.0", more: bytes = b"", yiaddr: str = "10.10.10.77"
) -> bytearray:
    """Return an offer to a request, with an option 54, and more octets of options."""
    message = bytearray(request[: packet.HEADER_SIZE])
    message[packet.OP] = packet.BOOTREPLY
    message[packet.YIADDR] = socket.inet_aton(yiaddr)
    message[packet.FILE] = file.ljust(128, b"\0")
    message += packet.MAGIC_COOKIE + bytes((packet.MESSAGE_TYPE, 1, 2, 54, 4)) + socket.inet_aton(identifier)
    message += more + bytes((packet.END,))
    return message.ljust(300, b"\0")
