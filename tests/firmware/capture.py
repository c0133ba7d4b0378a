"""What passed an interface, recorded by tcpdump, and what a test wants to know of it."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from pxerelay import packet
from tests.lab import Host, LabError

START_SECONDS = 20.0
PXE_PORT = 4011
TFTP_PORT = 69
BOOT_PORTS = f"udp and (port 67 or port 68 or port {PXE_PORT})"
FILE_HEADER = struct.Struct("<IHHiIII")
RECORD_HEADER = struct.Struct("<IIII")
MAGIC = 0xA1B2C3D4
ETHERNET, IPV4, UDP = 1, b"\x08\x00", 17
DHCPACK = 5


@dataclass(frozen=True)
class Datagram:
    """One UDP datagram of a recording."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    payload: bytes

    @property
    def mac(self) -> str:
        """The hardware address of the client that a DHCP message is of."""
        return self.payload[packet.CHADDR][:6].hex(":")


class Capture:
    """A recording that is being made. Read it after `stop`."""

    def __init__(self, host: Host, interface: str, expression: str = BOOT_PORTS) -> None:
        name = f"{host.name}-{interface}"
        self.path = host.lab.state_dir / f"{name}.pcap"
        log = self.path.with_suffix(".tcpdump")
        argv = ["tcpdump", "-n", "-i", interface, "-w", str(self.path), "-Z", "root"]
        argv += ["--packet-buffered", "--immediate-mode", expression]
        self._tcpdump: subprocess.Popen[str] = host.popen(argv, log=log.name)
        deadline = time.monotonic() + START_SECONDS
        while "listening on" not in log.read_text():
            if self._tcpdump.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"tcpdump on {name} did not start:\n{log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the recording; the file is complete then."""
        self._tcpdump.terminate()
        self._tcpdump.wait(timeout=10)

    def save(self, path: Path) -> None:
        """Copy the recording to where it is kept."""
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(self.path, path)

    def leases(self) -> dict[str, str]:
        """Return the address that each client was given, by its MAC address."""
        found = {}
        for datagram in datagrams(self.path):
            options = packet.readable_options(datagram.payload)
            address = datagram.payload[packet.YIADDR]
            if packet.message_type(options) == DHCPACK and address != packet.UNSET:
                found[datagram.mac] = str(IPv4Address(address))
        return found

    def asked_for_boot(self) -> set[str]:
        """Return the MAC addresses of the clients whose DHCP or PXE requests are in the recording."""
        return {
            datagram.mac
            for datagram in datagrams(self.path)
            if datagram.destination_port in (packet.SERVER_PORT, PXE_PORT)
            and datagram.payload[packet.OP] == packet.BOOTREQUEST
        }

    def asked_for_files(self) -> set[str]:
        """Return the addresses that sent TFTP requests."""
        return {
            datagram.source for datagram in datagrams(self.path) if datagram.destination_port == TFTP_PORT
        }


def datagrams(path: Path) -> Iterator[Datagram]:
    """Return the UDP datagrams of a pcap file of Ethernet frames, as tcpdump writes it here."""
    data = path.read_bytes()
    magic, *_, link = FILE_HEADER.unpack_from(data)
    if (magic, link) != (MAGIC, ETHERNET):
        raise ValueError(f"{path}: no recording of Ethernet in this machine's byte order")
    position = FILE_HEADER.size
    while position < len(data):
        _, _, size, _ = RECORD_HEADER.unpack_from(data, position)
        start = position + RECORD_HEADER.size
        position = start + size
        frame = data[start:position]
        if frame[12:14] == IPV4 and frame[23] == UDP:
            yield _datagram(frame[14:])


def _datagram(ip: bytes) -> Datagram:
    """Take an IP packet apart; fragments do not occur in what we record."""
    udp = ip[(ip[0] & 0x0F) * 4 :]
    source_port, destination_port, size = struct.unpack_from("!HHH", udp)
    return Datagram(
        source=str(IPv4Address(ip[12:16])),
        source_port=source_port,
        destination=str(IPv4Address(ip[16:20])),
        destination_port=destination_port,
        payload=udp[8:size],
    )
