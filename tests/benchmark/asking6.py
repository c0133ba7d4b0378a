"""A DHCPv6 client that asks again and again, each question timed until it is on the server's wire."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv6Address
from typing import final

from tests.benchmark.asking import AnyAsking, hear_only
from tests.lab.frames6 import frames6, link_local
from tests.unit.messages6 import boot, option

VICTIM6 = bytes.fromhex("020000eeee01")
"""The client's hardware address."""

_NUMBER = 61000
"""The code of an option that has a question's number, with a word in front that nobody else says."""
_WORD = b"asked number "

_PEER_INTERFACE = 8 + 18 + 8
"""Where the lower half of peer-address stands behind the UDP header, with which a socket's filter begins."""


@final
class Asking6(AnyAsking):
    """Asks by DHCPv6."""

    def _listening(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        first, last = struct.unpack("!II", IPv6Address(link_local(VICTIM6)).packed[8:])
        hear_only(sock, ((_PEER_INTERFACE, first), (_PEER_INTERFACE + 4, last)))
        sock.bind(("", 547))
        return sock

    def _frame(self, number: int) -> bytes:
        asking = boot(extra=option(_NUMBER, _WORD + number.to_bytes(4, "big")))
        (frame,) = frames6(asking, source=link_local(VICTIM6), sender=VICTIM6)
        return frame

    def _number(self, octets: bytes) -> int | None:
        _, word, number = octets.partition(_WORD)
        return int.from_bytes(number[:4], "big") if word else None
