"""UDP datagrams and the Ethernet frames that carry them, made and taken apart by offset (RFC 791, RFC 768).

Apart from the code under test: nothing here comes from pxerelay.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Address

IPV4, ARP = b"\x08\x00", b"\x08\x06"
"""EtherTypes (IANA)."""

ETHERNET_HEADER, IP_HEADER, UDP_HEADER = 14, 20, 8
EVERYONE = "255.255.255.255"
ALL_STATIONS = b"\xff" * 6
MTU = 1500

_UDP = 17
_TTL = 64
_MORE = 0x2000
_OFFSET = 0x1FFF


class Checksum(Enum):
    """What the UDP checksum of a datagram is; NONE is 0, which RFC 768 allows."""

    GOOD = "good"
    NONE = "none"
    BAD = "bad"

    def __lt__(self, other: "Checksum") -> bool:
        return self.value < other.value


@dataclass(frozen=True, order=True)
class Datagram:
    """A UDP datagram and how it travelled.

    `hardware` is the Ethernet destination of its last frame, `sender` its source, `vlan` that frame's tag.
    `offloaded` says that the sender's kernel left the checksum to the device. `hop_limit` is IPv4's TTL.
    """

    hardware: str
    source: str
    destination: str
    ports: tuple[int, int]
    checksum: Checksum
    payload: bytes
    vlan: int | None = None
    offloaded: bool = field(default=False, compare=False)
    sender: str = field(default="", compare=False)
    hop_limit: int = field(default=0, compare=False)

    @property
    def source_port(self) -> int:
        """Where it was sent from."""
        return self.ports[0]

    @property
    def port(self) -> int:
        """Where it was sent to."""
        return self.ports[1]


def internet_sum(octets: bytes) -> int:
    """Return the 16-bit one's complement sum as RFC 1071, 4.1 has it: add words, then fold the carries."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets[: len(octets) // 2 * 2]))
    total += octets[-1] << 8 if len(octets) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def frames(
    payload: bytes | bytearray,
    *,
    source: str = "0.0.0.0",
    destination: str = EVERYONE,
    ports: tuple[int, int] = (68, 67),
    sender: bytes = bytes(6),
    hardware: bytes = ALL_STATIONS,
    checksum: Checksum = Checksum.GOOD,
    identification: int = 1,
) -> list[bytes]:
    """Return the Ethernet frames that carry a datagram, several if it is larger than the MTU."""
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    udp = struct.pack("!HHHH", *ports, UDP_HEADER + len(payload), 0) + payload
    if checksum is not Checksum.NONE:
        total = internet_sum(addresses + struct.pack("!HH", _UDP, len(udp)) + udp)
        field = 0xFFFF - total or 0xFFFF if checksum is Checksum.GOOD else total or 1
        udp = udp[:6] + struct.pack("!H", field) + udp[8:]
    found = []
    step = (MTU - IP_HEADER) // 8 * 8 if IP_HEADER + len(udp) > MTU else len(udp)
    for start in range(0, len(udp), step):
        part = udp[start : start + step]
        place = start // 8 | (_MORE if start + step < len(udp) else 0)
        size = IP_HEADER + len(part)
        head = struct.pack("!BBHHHBBH", 0x45, 0, size, identification, place, _TTL, _UDP, 0) + addresses
        head = head[:10] + struct.pack("!H", 0xFFFF - internet_sum(head)) + head[12:]
        found.append(hardware + sender + IPV4 + head + part)
    return found


class Joiner:
    """Takes frames in the order they arrive and gives back the UDP datagrams they complete."""

    def __init__(self) -> None:
        self._parts: dict[tuple[bytes, bytes], list[tuple[int, bool, bytes]]] = {}

    def take(self, frame: bytes, offloaded: bool = False, vlan: int | None = None) -> Datagram | None:
        """Return the datagram of which this is the only frame or the last that was missing, else None.

        `offloaded` says that the sender's kernel left the UDP checksum to the device; `vlan` is the tag that
        stood in the frame.
        Raises ValueError for an IPv4 header that is damaged.
        """
        ip = frame[ETHERNET_HEADER:]
        if frame[12:14] != IPV4 or len(ip) < IP_HEADER or ip[9] != _UDP:
            return None
        header = (ip[0] & 0x0F) * 4
        (length,) = struct.unpack_from("!H", ip, 2)
        (place,) = struct.unpack_from("!H", ip, 6)
        if internet_sum(ip[:header]) != 0xFFFF or not header <= length <= len(ip):
            raise ValueError(f"a damaged IPv4 header: {frame.hex()}")
        udp = ip[header:length]
        if place & (_MORE | _OFFSET):
            whole = self._join(ip[4:6], ip[12:20], place, udp)
            if whole is None:
                return None
            udp = whole
        found = _datagram(frame[:6].hex(":"), ip[12:20], udp, offloaded)
        sender, hop_limit = frame[6:12].hex(":"), ip[8]
        return replace(found, vlan=vlan, offloaded=offloaded, sender=sender, hop_limit=hop_limit)

    def _join(self, identification: bytes, addresses: bytes, place: int, part: bytes) -> bytes | None:
        parts = self._parts.setdefault((identification, addresses), [])
        parts.append(((place & _OFFSET) * 8, not place & _MORE, part))
        parts.sort()
        whole = b""
        for start, last, octets in parts:
            if start != len(whole):
                return None
            whole += octets
            if last:
                del self._parts[identification, addresses]
                return whole
        return None


def _datagram(hardware: str, addresses: bytes, udp: bytes, offloaded: bool) -> Datagram:
    source_port, destination_port, size, field = struct.unpack_from("!HHHH", udp)
    if not UDP_HEADER <= size <= len(udp):
        raise ValueError(f"a damaged UDP header: {udp.hex()}")
    pseudo = addresses + struct.pack("!HH", _UDP, size)
    if offloaded or (field and internet_sum(pseudo + udp[:size]) == 0xFFFF):
        checksum = Checksum.GOOD
    else:
        checksum = Checksum.BAD if field else Checksum.NONE
    return Datagram(
        hardware=hardware,
        source=str(IPv4Address(addresses[:4])),
        destination=str(IPv4Address(addresses[4:])),
        ports=(source_port, destination_port),
        checksum=checksum,
        payload=udp[UDP_HEADER:size],
    )


def datagrams(found: Iterable[bytes]) -> Iterator[Datagram]:
    """Return the UDP datagrams of frames; their checksums are taken as they stand."""
    joiner = Joiner()
    for frame in found:
        datagram = joiner.take(frame)
        if datagram:
            yield datagram
