"""What passed an interface over IPv6, and what a test wants to know of it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.firmware.capture import TFTP_PORT, Recording
from tests.lab import Host, dhcp6, pcap
from tests.lab.frames import Datagram

CLIENT_PORT, SERVER_PORT, HTTP_PORT = 546, 547, 80
_UDP = " or ".join(f"udp port {port}" for port in (CLIENT_PORT, SERVER_PORT, TFTP_PORT))
BOOT_PORTS = f"ip6 and ({_UDP} or tcp port {HTTP_PORT})"


class Capture6(Recording):
    """A recording of DHCPv6 and of what follows."""

    def __init__(self, host: Host, interface: str) -> None:
        super().__init__(host, interface, BOOT_PORTS)

    def leases(self) -> dict[str, set[str]]:
        """Return the addresses that each client was given, by its MAC address; recorded on its link."""
        found: dict[str, set[str]] = {}
        for datagram in self._to(CLIENT_PORT):
            message = dhcp6.read(datagram.payload)
            address = dhcp6.address_of(message)
            if message.kind == dhcp6.REPLY and address:
                found.setdefault(datagram.hardware, set()).add(address)
        return found

    def relayed_for(self) -> set[str]:
        """Return the MAC addresses that RELAY-FORWs are said to be of, in option 79; recorded at a server."""
        return {
            dhcp6.read_relayed(datagram.payload).mac or f"no option 79: {datagram.payload.hex()}"
            for datagram in self._to(SERVER_PORT)
            if datagram.payload[0] == dhcp6.RELAY_FORW
        }

    def asked_by(self) -> dict[str, set[int]]:
        """Return which types of messages each client sent, by its MAC address; recorded on its link."""
        found: dict[str, set[int]] = {}
        for datagram in self._to(SERVER_PORT):
            found.setdefault(datagram.sender, set()).add(datagram.payload[0])
        return found

    def duids_of(self, mac: str) -> set[bytes]:
        """Return the DUIDs that a client called itself; recorded on its link."""
        told = (
            dhcp6.read(one.payload).one(dhcp6.CLIENT_ID) for one in self._to(SERVER_PORT) if one.sender == mac
        )
        return {duid for duid in told if duid}

    def asked_for_files(self) -> set[str]:
        """Return the addresses that sent TFTP requests."""
        return {datagram.source for datagram in self._to(TFTP_PORT)}

    def _to(self, port: int) -> Iterator[Datagram]:
        return (datagram for datagram in pcap.read6(self.path) if datagram.port == port)
