"""What passed an interface, recorded by tcpdump, and what a test wants to know of it."""

from __future__ import annotations

import shutil
import subprocess
import time
from ipaddress import IPv4Address
from pathlib import Path

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from tests.lab import Host, LabError, pcap

START_SECONDS = 20.0
PXE_PORT = 4011
TFTP_PORT = 69
BOOT_PORTS = f"udp and (port 67 or port 68 or port {PXE_PORT})"
DHCPACK = 5


class Recording:
    """Packets that are being recorded. Read them after `stop`."""

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


class Capture(Recording):
    """A recording of DHCPv4 and of what follows."""

    def leases(self) -> dict[str, str]:
        """Return the address that each client was given, by its MAC address."""
        found = {}
        for datagram in pcap.read(self.path):
            options = Facts(datagram.payload).options
            address = datagram.payload[packet.YIADDR]
            if packet.message_type(options) == DHCPACK and address != packet.UNSET:
                found[mac_of(datagram.payload)] = str(IPv4Address(address))
        return found

    def asked_for_boot(self) -> set[str]:
        """Return the MAC addresses of the clients whose DHCP or PXE requests are in the recording."""
        return {
            mac_of(datagram.payload)
            for datagram in pcap.read(self.path)
            if datagram.port in (packet.SERVER_PORT, PXE_PORT)
            and datagram.payload[packet.OP] == packet.BOOTREQUEST
        }

    def asked_for_files(self) -> set[str]:
        """Return the addresses that sent TFTP requests."""
        return {datagram.source for datagram in pcap.read(self.path) if datagram.port == TFTP_PORT}


def mac_of(message: bytes) -> str:
    """Return the hardware address of the client that a DHCP message is of."""
    return message[packet.CHADDR][:6].hex(":")
