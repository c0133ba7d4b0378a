"""A cable whose far end is this process: what a real card would put on the wire, octet by octet.

A tap device takes no work off the kernel, so frames that are read here have their tags and checksums, or
never had them. A veth pair passes both beside the frame (packet(7), PACKET_AUXDATA).
"""

from __future__ import annotations

import fcntl
import os
import struct

from tests.lab import Host
from tests.lab.frames import Joiner
from tests.lab.wire import Raw, Station, inside

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x2, 0x1000
"""linux/if_tun.h."""
_TAG = b"\x81\x00"


class Tap(Station):
    """The far end of a tap device, which is made on a host and is there as long as this is open."""

    def __init__(self, host: Host, interface: str, mac: str = "02:00:00:00:00:01") -> None:
        with inside(host):
            self._file = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(
                self._file, _TUNSETIFF, struct.pack("16sH22x", interface.encode(), _IFF_TAP | _IFF_NO_PI)
            )
        self._joiner, self._sent = Joiner(), 0
        self.mac = bytes.fromhex(mac.replace(":", ""))

    def close(self) -> None:
        """Remove the device."""
        os.close(self._file)

    def fileno(self) -> int:
        """Return what frames are read from."""
        return self._file

    def _put(self, frame: bytes) -> None:
        os.write(self._file, frame)

    def _take(self) -> Raw:
        octets = os.read(self._file, 65535)
        if octets[12:14] != _TAG:
            return Raw(octets, False, None)
        return Raw(octets[:12] + octets[16:], False, int.from_bytes(octets[14:16], "big") & 0x0FFF)
