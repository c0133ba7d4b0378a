"""IPv6 on a lab's wires: a station that sends frames, and a server that says what a test wants."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv6Address

from tests.lab.frames import Checksum, Datagram
from tests.lab.frames6 import ALL_AGENTS, Joiner6, frames6, link_local
from tests.lab.network import Host, LabError
from tests.lab.wire import Station, inside

DAD_SECONDS = 60.0
"""Duplicate address detection takes 2 (RFC 4862, 5.4); a kernel busy with many links is late."""

_TPID = 0x8100
_SO_RCVBUFFORCE = 33
_BUFFER = 16 << 20


class Station6(Station):
    """A packet socket on an interface: sends datagrams over IPv6 in frames, and sees which arrive there.

    What is over IPv4 is not seen.
    """

    def __init__(self, host: Host, interface: str = "eth0") -> None:
        super().__init__(host, interface)
        self._joiner = Joiner6()
        self.address = link_local(self.mac)

    def send(
        self,
        payload: bytes | bytearray,
        *,
        source: str | None = None,
        destination: str = ALL_AGENTS,
        hardware: bytes | None = None,
        ports: tuple[int, int] = (546, 547),
        checksum: Checksum = Checksum.GOOD,
        vlan: int | None = None,
        sender: bytes | None = None,
        hop_limit: int = 64,
    ) -> None:
        """Send a UDP datagram, from the link-local address of the station's MAC if nothing else is said.

        `sender` is another Ethernet source than the station's own.
        """
        self._sent += 1
        tag = b"" if vlan is None else struct.pack("!HH", _TPID, vlan)
        for frame in frames6(
            payload,
            source=source or self.address,
            destination=destination,
            ports=ports,
            sender=sender or self.mac,
            hardware=hardware,
            checksum=checksum,
            identification=self._sent,
            hop_limit=hop_limit,
        ):
            self._put(frame[:12] + tag + frame[12:])

    def answers(self, seconds: float = 5.0) -> Iterator[Datagram]:
        """Yield what arrives for a client's port or a relay agent's own address within the time."""
        for frame in self.arriving(seconds):
            datagram = self._joiner.take(*frame)
            if datagram and (datagram.port == 546 or datagram.destination == self.address):
                yield datagram

    def answer(self, seconds: float = 5.0) -> Datagram:
        """Return the first such datagram; LabError if none comes."""
        found = next(self.answers(seconds), None)
        if found is None:
            raise LabError(f"no answer within {seconds} s")
        return found


class FakeServer6:
    """A UDP socket on port 547 of a host: takes what is relayed to it, and answers what a test wants.

    Bound to `address` where one is given, else to all of the host's.
    """

    def __init__(self, host: Host, address: str = "::", port: int = 547) -> None:
        with inside(host):
            self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((address, port))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def receive(self, seconds: float = 2.0) -> tuple[bytes, str, int] | None:
        """Return the next datagram with its sender's address and port, None if none came."""
        self._socket.settimeout(seconds)
        try:
            payload, (address, port, *_) = self._socket.recvfrom(65535)
        except TimeoutError:
            return None
        return payload, address, port

    def send(self, payload: bytes | bytearray, destination: str, port: int = 547) -> None:
        """Send a datagram from its own port."""
        self._socket.sendto(payload, (destination, port))


def settled(host: Host, interface: str = "eth0") -> str:
    """Return an interface's link-local address, once duplicate address detection is done with it."""
    deadline = time.monotonic() + DAD_SECONDS
    while time.monotonic() < deadline:
        shown = host.run(["ip", "-6", "-oneline", "address", "show", "dev", interface]).stdout
        for line in shown.splitlines():
            address = IPv6Address(line.split(" inet6 ")[1].split("/")[0])
            if address.is_link_local and "tentative" not in line and "dadfailed" not in line:
                return str(address)
        time.sleep(0.05)
    raise LabError(f"{interface} of {host.name} has no link-local address that is its own:\n{shown}")
