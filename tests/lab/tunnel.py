"""A tun device: a link without Ethernet, whose other end is a file that this process reads and writes."""

import fcntl
import os
import select
import struct
import time
from pathlib import Path

from tests.lab.frames import ETHERNET_HEADER, IPV4, Checksum, Datagram, Joiner, frames
from tests.lab.network import Host
from tests.lab.wire import inside

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
"""Makes a device of IP packets with nothing in front of them (linux/if_tun.h)."""

_NO_ETHERNET = bytes(12) + IPV4
"""What stands in front of a packet so that it can be taken apart as a frame."""


class Tunnel:
    """The far end of a tun device on a host; the device is there until `close`."""

    def __init__(self, host: Host, name: str, address: str, peer: str, mtu: int = 1500) -> None:
        with inside(host):
            self._file = os.open(Path("/dev/net/tun"), os.O_RDWR | os.O_NONBLOCK)
            flags = _IFF_TUN | _IFF_NO_PI
            fcntl.ioctl(self._file, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        host.ip(
            f"address add {address} peer {peer} dev {name}",
            f"link set {name} mtu {mtu}",
            f"link set {name} up",
        )

    def close(self) -> None:
        """Take the device away."""
        os.close(self._file)

    def send(self, payload: bytes | bytearray, *, source: str = "0.0.0.0") -> None:
        """Broadcast a request as a client at the far end."""
        (frame,) = frames(payload, source=source, checksum=Checksum.GOOD)
        os.write(self._file, frame[ETHERNET_HEADER:])

    def packets(self, seconds: float) -> list[bytes]:
        """Return what arrives within the time."""
        found = []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._file], [], [], left)[0]:
                found.append(os.read(self._file, 65535))
        return found


def datagrams(packets: list[bytes]) -> list[Datagram]:
    """Return the UDP datagrams in IP packets."""
    joiner = Joiner()
    found = (joiner.take(_NO_ETHERNET + packet, False, None) for packet in packets if packet[0] >> 4 == 4)
    return [datagram for datagram in found if datagram]
