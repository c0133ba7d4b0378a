"""UDP datagrams over IPv6 and the Ethernet frames that carry them, by offset (RFC 8200, RFC 768).

Apart from the code under test: nothing here comes from pxerelay.
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

from tests.lab.frames import ETHERNET_HEADER, MTU, UDP_HEADER, Checksum, Datagram, Joiner, internet_sum

IPV6 = b"\x86\xdd"
"""EtherType (IANA)."""

ALL_AGENTS = "ff02::1:2"
"""All_DHCP_Relay_Agents_and_Servers (RFC 9915, 7.1)."""

IPV6_HEADER = 40

_HOP_BY_HOP, _UDP, _FRAGMENT, _DESTINATION = 0, 17, 44, 60
_FRAGMENT_HEADER = 8
_MORE, _PLACE = 1, 0xFFF8
"""Of a Fragment header's third field: more fragments follow; the offset, in octets (RFC 8200, 4.5)."""


def link_local(mac: bytes) -> str:
    """Return the link-local address that is made of a MAC address (RFC 4291, appendix A)."""
    return str(IPv6Address(b"\xfe\x80".ljust(8, b"\0") + eui64(mac)))


def eui64(mac: bytes) -> bytes:
    """Return the modified EUI-64 identifier of a MAC address."""
    return bytes([mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]])


def group_mac(group: str) -> bytes:
    """Return the Ethernet address of a multicast group (RFC 2464, 7)."""
    return b"\x33\x33" + IPv6Address(group).packed[12:]


def frames6(
    payload: bytes | bytearray,
    *,
    source: str,
    destination: str = ALL_AGENTS,
    ports: tuple[int, int] = (546, 547),
    sender: bytes = bytes(6),
    hardware: bytes | None = None,
    checksum: Checksum = Checksum.GOOD,
    identification: int = 1,
    hop_limit: int = 64,
    mtu: int = MTU,
) -> list[bytes]:
    """Return the Ethernet frames that carry a datagram, several if it is larger than the MTU.

    `hardware` must be given unless the destination is a group. A checksum of 0 (NONE) is forbidden in IPv6
    (RFC 8200, 8.1), and made here for tests that send it.
    """
    if hardware is None:
        if not IPv6Address(destination).is_multicast:
            raise ValueError(f"{destination} is one station: say its Ethernet address")
        hardware = group_mac(destination)
    addresses = IPv6Address(source).packed + IPv6Address(destination).packed
    udp = struct.pack("!HHHH", *ports, UDP_HEADER + len(payload), 0) + payload
    if checksum is not Checksum.NONE:
        total = internet_sum(_pseudo(addresses, len(udp)) + udp)
        field = 0xFFFF - total or 0xFFFF if checksum is Checksum.GOOD else total or 1
        udp = udp[:6] + struct.pack("!H", field) + udp[8:]
    ethernet = hardware + sender + IPV6
    if IPV6_HEADER + len(udp) <= mtu:
        return [ethernet + _header(_UDP, len(udp), hop_limit) + addresses + udp]
    found = []
    step = (mtu - IPV6_HEADER - _FRAGMENT_HEADER) // 8 * 8
    for start in range(0, len(udp), step):
        part = udp[start : start + step]
        place = start | (_MORE if start + step < len(udp) else 0)
        head = _header(_FRAGMENT, _FRAGMENT_HEADER + len(part), hop_limit) + addresses
        found.append(ethernet + head + struct.pack("!BBHI", _UDP, 0, place, identification) + part)
    return found


class Joiner6(Joiner):
    """Takes frames in the order they arrive and gives back the UDP datagrams over IPv6 they complete."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}

    def take(self, frame: bytes, offloaded: bool = False, vlan: int | None = None) -> Datagram | None:
        """Return the datagram of which this is the only frame or the last that was missing, else None.

        Raises ValueError for a header that is damaged.
        """
        ip = frame[ETHERNET_HEADER:]
        if frame[12:14] != IPV6 or len(ip) < IPV6_HEADER:
            return None
        (length,) = struct.unpack_from("!H", ip, 4)
        if ip[0] >> 4 != 6 or IPV6_HEADER + length > len(ip):
            raise ValueError(f"a damaged IPv6 header: {frame.hex()}")
        udp = self._udp(ip[8:40], ip[6], ip[IPV6_HEADER : IPV6_HEADER + length])
        if udp is None:
            return None
        source_port, destination_port, size, field = struct.unpack_from("!HHHH", udp)
        if not UDP_HEADER <= size <= len(udp):
            raise ValueError(f"a damaged UDP header: {udp.hex()}")
        good = field and internet_sum(_pseudo(ip[8:40], size) + udp[:size]) == 0xFFFF
        bad = Checksum.BAD if field else Checksum.NONE
        return Datagram(
            hardware=frame[:6].hex(":"),
            source=str(IPv6Address(ip[8:24])),
            destination=str(IPv6Address(ip[24:40])),
            ports=(source_port, destination_port),
            checksum=Checksum.GOOD if good or offloaded else bad,
            payload=udp[UDP_HEADER:size],
            vlan=vlan,
            offloaded=offloaded,
            sender=frame[6:12].hex(":"),
            hop_limit=ip[7],
        )

    def _udp(self, addresses: bytes, kind: int, octets: bytes) -> bytes | None:
        """Return the UDP header and what is behind it; None if there is none yet."""
        while kind in (_HOP_BY_HOP, _DESTINATION):
            kind, octets = octets[0], octets[(octets[1] + 1) * 8 :]
        if kind != _FRAGMENT:
            return octets if kind == _UDP else None
        inner, _, place, identification = struct.unpack_from("!BBHI", octets)
        if inner != _UDP:
            return None
        key = addresses + struct.pack("!I", identification)
        pieces = self._pieces.setdefault(key, {})
        pieces[place & _PLACE] = (octets[_FRAGMENT_HEADER:], not place & _MORE)
        whole = b""
        for start in sorted(pieces):
            if start != len(whole):
                return None
            part, last = pieces[start]
            whole += part
            if last:
                del self._pieces[key]
                return whole
        return None


def datagrams6(found: Iterable[bytes]) -> Iterator[Datagram]:
    """Return the UDP datagrams over IPv6 of frames; their checksums are taken as they stand."""
    joiner = Joiner6()
    for frame in found:
        datagram = joiner.take(frame)
        if datagram:
            yield datagram


def _header(kind: int, length: int, hop_limit: int) -> bytes:
    """Return an IPv6 header up to its addresses."""
    return struct.pack("!IHBB", 0x6000_0000, length, kind, hop_limit)


def _pseudo(addresses: bytes, length: int) -> bytes:
    """Return the header that a checksum covers besides the datagram (RFC 8200, 8.1)."""
    return addresses + struct.pack("!II", length, _UDP)
