"""What the benchmark sends: messages that real firmware sent, each made another client's."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from tests.lab import pcap
from tests.lab.frames import EVERYONE, Checksum, frames
from tests.lab.relays import GIADDR
from tests.lab.topology import RIS

CLIENTS = 10_000
"""Clients that ask in turn, some five times a second at the highest rate."""

_RECORDINGS = Path(__file__).parents[1] / "captures"
_HOPS, _YIADDR, _GIADDR, _CHADDR = 3, 16, 24, 28
_BOOTREQUEST, _BOOTREPLY = 1, 2
_SERVER = bytes.fromhex("020000fffffe")
_FIRST_ADDRESS = int(IPv4Address("10.10.128.0"))
"""Clients' addresses: 10.10.128.0/17."""


def macs(count: int) -> list[bytes]:
    """Return the hardware addresses of so many clients, locally administered, in three kinds in turn.

    They begin with 02:00:00 (one rule each), 02:80:64 (an OUI) and 52:54:00 (no rule).
    """
    kinds = (b"\x02\x00\x00", b"\x02\x80\x64", b"\x52\x54\x00")
    return [kinds[number % 3] + (number // 3).to_bytes(3, "big") for number in range(count)]


def _recorded(op: int) -> list[bytes]:
    """Return the messages with that op that were recorded on the clients' wire, each once."""
    found = dict.fromkeys(
        bytes(datagram.payload)
        for path in sorted(_RECORDINGS.glob("*-clients.pcap"))
        for datagram in pcap.read(path)
        if 67 in datagram.ports and datagram.payload[0] == op
    )
    return [message for message in found if message[12:16] == bytes(4)]


def requests(clients: Sequence[bytes], count: int, chance: random.Random) -> list[bytes]:
    """Return requests of clients in turn, as recorded of BIOS and UEFI firmware: 347 to 412 octets."""
    patterns = [
        message
        for message in _recorded(_BOOTREQUEST)
        if message[_GIADDR : _GIADDR + 4] == bytes(4) and b"PXEClient" in message
    ]
    found = []
    for number in range(count):
        message = bytearray(chance.choice(patterns))
        message[_CHADDR : _CHADDR + 6] = clients[number % len(clients)]
        found.append(bytes(message))
    return found


def sized(clients: Sequence[bytes], count: int, sizes: Sequence[int]) -> list[bytes]:
    """Return requests of clients in turn, as UEFI firmware sends them, of some sizes in turn."""
    pattern = next(one for one in _recorded(_BOOTREQUEST) if b"PXEClient:Arch:00007" in one)
    found = []
    for number in range(count):
        message = bytearray(pattern.ljust(sizes[number % len(sizes)], b"\0"))
        message[_CHADDR : _CHADDR + 6] = clients[number % len(clients)]
        found.append(bytes(message))
    return found


def replies(clients: Sequence[bytes], count: int, chance: random.Random) -> list[bytes]:
    """Return replies to clients in turn, each of which is being given an address of its own."""
    patterns = [message for message in _recorded(_BOOTREPLY) if message[_YIADDR : _YIADDR + 4] != bytes(4)]
    found = []
    for number in range(count):
        message = bytearray(chance.choice(patterns))
        which = number % len(clients)
        message[_YIADDR : _YIADDR + 4] = (_FIRST_ADDRESS + which).to_bytes(4, "big")
        message[_GIADDR : _GIADDR + 4] = IPv4Address(GIADDR).packed
        message[_CHADDR : _CHADDR + 6] = clients[which]
        message[10] &= 0x7F  # no broadcast flag
        found.append(bytes(message))
    return found


def request_frames(messages: Iterable[bytes]) -> list[bytes]:
    """Return the frames in which clients broadcast requests; clients with no address yet have sent them."""
    return [
        frame
        for message in messages
        for frame in frames(
            message, destination=EVERYONE, sender=message[_CHADDR : _CHADDR + 6], checksum=Checksum.NONE
        )
    ]


def routed_frames(messages: Sequence[bytes], relay: bytes, routers: Sequence[IPv4Address]) -> list[bytes]:
    """Return the frames in which routers in turn relay requests to us at a hardware address."""
    found = []
    for number, message in enumerate(messages):
        router = routers[number % len(routers)]
        relayed = bytearray(message)
        relayed[_HOPS], relayed[_GIADDR : _GIADDR + 4] = 1, router.packed
        found += frames(
            bytes(relayed),
            source=str(router),
            destination=GIADDR,
            ports=(67, 67),
            sender=_SERVER,
            hardware=relay,
            checksum=Checksum.NONE,
        )
    return found


def reply_frames(messages: Iterable[bytes], relay: bytes) -> list[bytes]:
    """Return the frames in which a server sends replies to the relay at a hardware address."""
    return [
        frame
        for message in messages
        for frame in frames(
            message,
            source=RIS,
            destination=GIADDR,
            ports=(67, 67),
            sender=_SERVER,
            hardware=relay,
            checksum=Checksum.NONE,
        )
    ]


def write_frames(path: Path, found: Iterable[bytes]) -> Path:
    """Write frames as `load` reads them."""
    path.write_bytes(b"".join(struct.pack("@H", len(frame)) + frame for frame in found))
    return path
