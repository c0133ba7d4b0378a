"""A tap on a lab's wire: sends frames with any headers, takes down every IPv4 UDP datagram that arrives."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from tests.differential.cases import Checksum
from tests.integration.wire import inside
from tests.lab import Host
from tests.unit.test_frames import slow_sum

_ETH_P_ALL, _ETH_P_IP = 3, b"\x08\x00"
_UDP = 17
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_STATUS_CHECKSUM_NOT_READY = 8
"""The sender's kernel left the checksum to the device, and a veth pair has no need of it (packet(7))."""
_SO_RCVBUFFORCE = 33
_BUFFER = 16 << 20


@dataclass(frozen=True, order=True)
class Arrival:
    """A datagram on a wire. `at` is the wire, `hardware` the Ethernet destination."""

    at: str
    hardware: str
    source: str
    destination: str
    ports: tuple[int, int]
    checksum: Checksum
    payload: bytes

    @property
    def xid(self) -> int | None:
        """The transaction that it belongs to; None if it is too short to say."""
        return int.from_bytes(self.payload[4:8], "big") if len(self.payload) >= 8 else None


class Tap:
    """A packet socket on an interface of a host."""

    def __init__(self, name: str, host: Host, interface: str = "eth0") -> None:
        self.name = name
        with inside(host):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        with inside(host):
            self._socket.bind((interface, _ETH_P_ALL))
        self._socket.setblocking(False)
        self._mac: bytes = self._socket.getsockname()[4]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """Let select(2) wait for it."""
        return self._socket.fileno()

    def send(
        self,
        payload: bytes,
        source: str,
        destination: str,
        ports: tuple[int, int],
        hardware: bytes,
        checksum: Checksum = Checksum.GOOD,
    ) -> None:
        """Send a datagram in one frame."""
        addresses = IPv4Address(source).packed + IPv4Address(destination).packed
        udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        total = slow_sum(addresses + struct.pack("!HH", _UDP, len(udp)) + udp)
        value = {Checksum.GOOD: 0xFFFF - total or 0xFFFF, Checksum.NONE: 0, Checksum.BAD: total or 1}[
            checksum
        ]
        udp = udp[:6] + struct.pack("!H", value) + udp[8:]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, _UDP, 0) + addresses
        head = head[:10] + struct.pack("!H", 0xFFFF - slow_sum(head)) + head[12:]
        self._socket.send(hardware + self._mac + _ETH_P_IP + head + udp)

    def arrivals(self) -> list[Arrival]:
        """Return what has arrived since the last call."""
        found: list[Arrival] = []
        while True:
            try:
                raw, control, _, origin = self._socket.recvmsg(65535, 128)
            except BlockingIOError:
                return found
            status = struct.unpack("@I", control[0][2][:4])[0]
            if origin[2] != _PACKET_OUTGOING and raw[12:14] == _ETH_P_IP and raw[23] == _UDP:
                found.append(self._taken_apart(raw, bool(status & _STATUS_CHECKSUM_NOT_READY)))

    def _taken_apart(self, raw: bytes, offloaded: bool) -> Arrival:
        length, _, fragment = struct.unpack("!HHH", raw[16:22])
        if fragment & 0x3FFF or raw[14] != 0x45:
            raise ValueError(f"{self.name}: a fragment or IP options, which no case asks for: {raw.hex()}")
        ip = raw[14 : 14 + length]
        source_port, destination_port, size, checksum = struct.unpack("!HHHH", ip[20:28])
        if slow_sum(ip[:20]) != 0xFFFF or size != length - 20:
            raise ValueError(f"{self.name}: bad IP or UDP header: {raw.hex()}")
        pseudo = ip[12:20] + struct.pack("!HH", _UDP, size)
        good = offloaded or slow_sum(pseudo + ip[20:]) == 0xFFFF
        kind = Checksum.NONE if not checksum and not offloaded else Checksum.GOOD if good else Checksum.BAD
        return Arrival(
            at=self.name,
            hardware=raw[:6].hex(":"),
            source=str(IPv4Address(ip[12:16])),
            destination=str(IPv4Address(ip[16:20])),
            ports=(source_port, destination_port),
            checksum=kind,
            payload=ip[28:],
        )
