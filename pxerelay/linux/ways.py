"""The ways to servers, by the kernel's routes, for the packet path: asked without waiting, and remembered.

The kernel answers a question about one route while it takes the question (rtnetlink(7)), so there is nothing
to wait for. An answer holds for a second: routes may change, and nobody tells of all that decides about them.
"""

from __future__ import annotations

import struct
import time
from ipaddress import ip_address

from pxerelay.linux import netlink, rtnetlink
from pxerelay.policy.ways import Way

_HOLDS = 1.0
"""Seconds that an answer holds."""

_MOST = 1024
"""Answers that are remembered; there are as many as servers."""

_RATE = 200
"""New servers that are asked about in a second. Somebody may invent replies of as many as
`accept_replies_from` covers: to those that are too many there is no way."""

_ERROR = 2
_REQUEST = 0x1
_HEADER = struct.Struct("=IHHII")


class Ways:
    """Remembers the ways to servers, each 4 or 16 octets, by VRF."""

    def __init__(self) -> None:
        self._socket = netlink.open_socket()
        self._socket.connect((0, 0))
        self._number = 0
        self._known: dict[tuple[bytes, int], tuple[float, Way | None]] = {}
        self._second, self._left = 0.0, _RATE

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def to(self, server: bytes, vrf: int) -> Way | None:
        """Return the way to a server in a VRF, given by its index, 0 for the default one; None if none leads.

        OSError of any kind is no way.
        """
        now = time.monotonic()
        known = self._known.get((server, vrf))
        if known is not None and now < known[0]:
            return known[1]
        if known is None and not self._may_ask(now):
            return None
        try:
            found = self._ask(server, vrf)
        except (OSError, ValueError):
            found = None
        if len(self._known) >= _MOST:  # those that are of use stay
            self._known = {key: one for key, one in self._known.items() if one[1] is not None}
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[server, vrf] = now + _HOLDS, found
        return found

    def _may_ask(self, now: float) -> bool:
        """Whether one more server than are known may be asked about."""
        if now - self._second >= 1.0:
            self._second, self._left = now, _RATE
        self._left -= 1
        return self._left >= 0

    def _ask(self, server: bytes, vrf: int) -> Way | None:
        body = rtnetlink.ask_route(ip_address(server), by=vrf)
        answer = self._answer(rtnetlink.RTM_GETROUTE, body)
        if answer is None:
            return None
        route = rtnetlink.route(answer)
        mtu = route.mtu
        if not mtu:
            link = self._answer(rtnetlink.RTM_GETLINK, rtnetlink.ask_link(route.interface))
            mtu = rtnetlink.link(link).mtu if link else 0
        return Way(route.interface, mtu or _USUAL_MTU)

    def _answer(self, kind: int, body: bytes) -> bytes | None:
        """Return the kernel's answer to a question, None if it has something against it."""
        self._number += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST, self._number, 0)
        self._socket.send(header + body)
        while True:  # an answer that nobody waited for may be in front
            for message in netlink.messages(self._socket.recv(1 << 16)):
                if message.number == self._number:
                    return None if message.kind == _ERROR else message.octets


_USUAL_MTU = 1500
"""Of Ethernet (RFC 894)."""
