"""Messages out of captures: libpcap's classic file format, Ethernet, IPv4, UDP."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tests.differential.cases import ANSWERED, EVERYONE, SHOUTED, Case
from tests.differential.requests import put
from tests.lab.command import REPOSITORY
from tests.lab.relays import GIADDR
from tests.unit.messages import ip

FOLDER = REPOSITORY / "tests" / "captures"
_MAGIC = {
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
    b"\x4d\x3c\xb2\xa1": "<",
}
_ETHERNET = 1
_FRAME_START = 14
_BOOTREQUEST, _BOOTREPLY = b"\1", b"\2"
_EVERYONE = ip(EVERYONE)


def captured(folder: Path = FOLDER) -> Iterator[Case]:
    """Yield what clients shouted, then what servers answered, each message once.

    Replies are answers to a relay with another address, so giaddr becomes that of the relay here.
    """
    requests: dict[bytes, Case] = {}
    replies: dict[bytes, Case] = {}
    for path in sorted(folder.glob("*.pcap")):
        for number, (destination, payload) in enumerate(datagrams(path.read_bytes()), 1):
            name = f"{path.name}, datagram {number}"
            if payload[:1] == _BOOTREQUEST and destination == _EVERYONE:
                requests.setdefault(put(payload, 4, bytes(4)), Case(name, payload, SHOUTED))
            elif payload[:1] == _BOOTREPLY:
                answer = put(payload, 24, ip(GIADDR))
                replies.setdefault(put(answer, 4, bytes(4)), Case(name, answer, ANSWERED))
    yield from requests.values()
    yield from replies.values()


def datagrams(capture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield destination address and payload of each whole UDP datagram that goes to port 67 or 68."""
    order = _MAGIC.get(capture[:4])
    if order is None:
        raise ValueError("no capture in libpcap's classic format")
    (kind,) = struct.unpack_from(f"{order}I", capture, 20)
    if kind != _ETHERNET:
        raise ValueError(f"link type {kind} is not Ethernet")
    at = 24
    while at < len(capture):
        _, _, kept, original = struct.unpack_from(f"{order}IIII", capture, at)
        frame = capture[at + 16 : at + 16 + kept]
        at += 16 + kept
        if kept == original and frame[12:14] == b"\x08\x00" and frame[23] == 17:
            yield from _payload(frame[_FRAME_START:])


def _payload(packet: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = (packet[0] & 0x0F) * 4
    (fragment,) = struct.unpack_from("!H", packet, 6)
    if fragment & 0x3FFF == 0:
        port, size = struct.unpack_from("!HH", packet, start + 2)
        if port in (67, 68):
            yield packet[16:20], packet[start + 8 : start + size]
