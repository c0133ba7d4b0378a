"""Captured frames to IP packets: link layers, VLAN tags, SNAP, PPPoE and MPLS.

What a header says comes next is written as an EtherType throughout, for each of these layers has one, and GRE
and Linux cooked captures name their content so too.
"""

from __future__ import annotations

from typing import NamedTuple


class Packet(NamedTuple):
    """An IP packet and the VLAN tags of the Ethernet frame around it, the outer one first.

    `is_wrapped` says that there is more around it than a frame and tags, which a relay's interface never has.
    `kind` is its EtherType. `sender` is the address that the frame right around it came from, None where
    there is none or the link type does not have it.
    """

    octets: bytes
    tags: tuple[int, ...] = ()
    is_wrapped: bool = False
    kind: int = 0x0800
    sender: bytes | None = None


class Other(NamedTuple):
    """What brings no UDP datagram; `name` is what it is counted under."""

    name: str


CUT_SHORT = Other("cut short")
"""A header of which the capture does not have all."""

ETHERNET_FRAME = 0x6558
"""The EtherType of an Ethernet frame within something else (RFC 1701)."""

IPV4, IPV6, _PPP, _PPPOE = 0x0800, 0x86DD, 0x880B, 0x8864
"""EtherTypes (IANA, IEEE 802 Numbers; PPPoE's session stage by RFC 2516, 4)."""

ONLY_IPV4, BOTH = frozenset({IPV4}), frozenset({IPV4, IPV6})
"""What packets may be wanted."""

_MPLS = frozenset({0x8847, 0x8848})
"""EtherTypes of MPLS (RFC 5332, 3)."""

_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
"""EtherTypes of C-VLAN and S-VLAN tags (IEEE 802.1Q, 9.6), and what outer tags had before 802.1ad."""

_VLAN_MASK = 0x0FFF
"""The VLAN in a tag (IEEE 802.1Q, 9.6)."""

_LARGEST_LENGTH = 1500
"""Up to this the field is no EtherType but a length, and LLC follows (IEEE 802.3, 3.2.6)."""

_SNAP = b"\xaa\xaa\x03"
"""LLC's header in front of a SNAP header (RFC 1042)."""

_BRIDGED = frozenset({b"\0\0\0", b"\0\0\xf8"})
"""OUIs of SNAP that say that an EtherType follows (RFC 1042; IEEE 802.1H)."""

_BOTTOM = 0x100
"""The bit of an MPLS label that says that it is the last (RFC 3032, 2.1)."""

_ETHERNET_HEADER, _TAG, _PPPOE_HEADER, _LABEL, _LLC_AND_SNAP = 14, 4, 6, 4, 8

_MOST = 24
"""Headers that are taken off: a frame with more was made to keep its reader busy."""

_ADDRESS_AND_CONTROL = b"\xff\x03"
"""What PPP frames may begin with (RFC 1662, 3.1)."""

_OF_PPP = {0x0021: IPV4, 0x0057: IPV6, 0x0281: 0x8847}
"""EtherTypes by PPP's own numbers (RFC 1332, 4; RFC 5072, 2; RFC 3032, 4.3)."""

_NAMES = {
    IPV4: "IPv4",
    IPV6: "IPv6",
    0x0806: "ARP",
    0x8863: "PPPoE discovery",
    0x888E: "EAPOL",
    0x88CC: "LLDP",
    0x88E5: "MACsec",
    0x88E7: "802.1ah",
    0x8809: "LACP",
}
"""What is counted by a name of its own (IANA, IEEE 802 Numbers)."""

_STP, _CDP = b"\x42\x42\x03", b"\0\0\x0c\x20\0"
"""LLC's header of spanning tree (IEEE 802.1D, 9.2), OUI and type of Cisco's discovery in SNAP."""

_AF_INET = 2
_AF_INET6 = frozenset({10, 24, 28, 30})
"""Address families in front of packets of BSD's loopback, IPv6's as each system numbers it."""

_NULL, _ETHERNET, _PPP_LINK, _PPP_SERIAL, _PPP_ETHER, _LOOP, _SLL, _SLL2 = 0, 1, 9, 50, 51, 108, 113, 276
"""Link types (tcpdump.org's link-layer header types)."""

_COOKED = {_SLL: (14, 16), _SLL2: (0, 20)}
"""Where the EtherType stands in a Linux cooked header, and where what it tells of begins."""

_RAW = frozenset({12, 14, 101, 228, 229})
"""Link types that are an IP packet and nothing else."""

LINK_TYPES = frozenset({_NULL, _ETHERNET, _PPP_LINK, _PPP_SERIAL, _PPP_ETHER, _LOOP, *_COOKED, *_RAW})
"""Link types that can be read."""

_NAMES_OF_LINKS = {
    **dict.fromkeys((105, 119, 127, 163), "802.11"),
    **dict.fromkeys((149, 258), "Apple pktap"),
    **dict.fromkeys((189, 220, 249, 186), "USB"),
    **dict.fromkeys((187, 201, 251), "Bluetooth"),
    239: "netfilter log",
    253: "netlink",
}
"""What other links are counted under."""


def is_cooked(link: int) -> bool:
    """Whether a link type is that of `tcpdump -i any`, which hears a packet on each interface it passes."""
    return link in _COOKED


def of_link(link: int, octets: bytes, wanted: frozenset[int] = ONLY_IPV4) -> Packet | Other:
    """Return the packet in a frame of a link type, of IPv4 unless other EtherTypes are wanted."""
    if link == _ETHERNET:
        return of_type(ETHERNET_FRAME, octets, wanted, is_wrapped=False)
    if link in _COOKED:
        type_at, start = _COOKED[link]
        if len(octets) < start:
            return CUT_SHORT
        kind = octets[type_at] << 8 | octets[type_at + 1]
        return of_type(kind, octets[start:], wanted, is_wrapped=False, sender=_cooked_sender(link, octets))
    if link in _RAW:
        kind = IPV6 if octets[:1] and octets[0] >> 4 == 6 else IPV4
        return of_type(kind, octets, wanted, is_wrapped=False)
    if link in (_NULL, _LOOP):
        return _of_loopback(octets, wanted)
    if link in (_PPP_LINK, _PPP_SERIAL):
        return of_type(_PPP, octets, wanted, is_wrapped=False)
    if link == _PPP_ETHER:
        return of_type(_PPPOE, octets, wanted)
    return Other(_NAMES_OF_LINKS.get(link, f"link type {link}"))


def _cooked_sender(link: int, octets: bytes) -> bytes:
    length_at, start = _SENDERS[link]
    return octets[start : start + octets[length_at]]


_SENDERS = {_SLL: (5, 6), _SLL2: (11, 12)}
"""Where a Linux cooked header has the length of the sender's address (its low octet), and the address."""


def _of_loopback(octets: bytes, wanted: frozenset[int]) -> Packet | Other:
    """Return the packet behind an address family, which is in the byte order of the host that captured it."""
    if len(octets) < 4:
        return CUT_SHORT
    family = min(int.from_bytes(octets[:4], "little"), int.from_bytes(octets[:4], "big"))
    if family == _AF_INET or family in _AF_INET6:
        kind = IPV4 if family == _AF_INET else IPV6
        return of_type(kind, octets[4:], wanted, is_wrapped=False)
    return Other(f"address family {family}")


def of_type(
    kind: int,
    octets: bytes,
    wanted: frozenset[int] = ONLY_IPV4,
    *,
    is_wrapped: bool = True,
    sender: bytes | None = None,
) -> Packet | Other:
    """Return the packet of an EtherType wanted in what one names; `is_wrapped` tells what is around that.

    An Ethernet frame's type or length stands in 2 octets behind its addresses; `octets` begin with these.
    """
    tags: tuple[int, ...] = ()
    for _ in range(_MOST):
        if kind in wanted:
            return Packet(octets, tags, is_wrapped, kind, sender)
        found: tuple[int, bytes] | Other
        if kind in _TAGS:
            found = _behind_tag(octets)
            if not isinstance(found, Other) and (vlan := octets[0] << 8 & _VLAN_MASK | octets[1]):
                tags = (*tags, vlan)  # 0 is a priority and no VLAN
        elif kind == ETHERNET_FRAME:
            found, tags, sender = _behind_addresses(octets), (), octets[6:12]
        elif kind <= _LARGEST_LENGTH:
            found = _behind_llc(octets)
        elif kind == _PPPOE:
            found, is_wrapped, sender = (_PPP, octets[_PPPOE_HEADER:]), True, None
        elif kind == _PPP:
            found = _behind_ppp(octets)
        elif kind in _MPLS:
            found, is_wrapped, sender = _behind_labels(octets), True, None
        else:
            return Other(_NAMES.get(kind, f"EtherType {kind:#06x}"))
        if isinstance(found, Other):
            return found
        kind, octets = found
    return Other("too many headers")


def _behind_tag(octets: bytes) -> tuple[int, bytes] | Other:
    if len(octets) < _TAG:
        return CUT_SHORT
    return octets[2] << 8 | octets[3], octets[_TAG:]


def _behind_addresses(octets: bytes) -> tuple[int, bytes] | Other:
    if len(octets) < _ETHERNET_HEADER:
        return CUT_SHORT
    return octets[12] << 8 | octets[13], octets[_ETHERNET_HEADER:]


def _behind_llc(octets: bytes) -> tuple[int, bytes] | Other:
    """Return what SNAP names; other LLC carries nothing of ours."""
    if octets[:3] == _STP:
        return Other("STP")
    if octets[:3] != _SNAP:
        return Other("LLC")
    if len(octets) < _LLC_AND_SNAP:
        return CUT_SHORT
    if octets[3:6] in _BRIDGED:
        kind = octets[6] << 8 | octets[7]
        return (kind, octets[_LLC_AND_SNAP:]) if kind > _LARGEST_LENGTH else Other("SNAP")
    return Other("CDP" if octets[3:8] == _CDP else "SNAP")


def _behind_ppp(octets: bytes) -> tuple[int, bytes] | Other:
    """Return what PPP names; its number is one octet where that is odd (RFC 1661, 2 and 6.5)."""
    start = 2 if octets[:2] == _ADDRESS_AND_CONTROL else 0
    size = 1 if len(octets) > start and octets[start] & 1 else 2
    if len(octets) < start + size:
        return CUT_SHORT
    number = int.from_bytes(octets[start : start + size], "big")
    return (_OF_PPP[number], octets[start + size :]) if number in _OF_PPP else Other("PPP")


def _behind_labels(octets: bytes) -> tuple[int, bytes] | Other:
    """Return what is behind the last label: nothing names it, so its first digit tells (RFC 4928, 3).

    4 and 6 are IP; else it is an Ethernet frame. A 0 is a control word's in front of that (RFC 4448, 4.6),
    unless only without one the frame is one that we know.
    """
    for start in range(0, len(octets) - _LABEL + 1, _LABEL):
        if int.from_bytes(octets[start : start + _LABEL], "big") & _BOTTOM:
            inner = octets[start + _LABEL :]
            break
    else:
        return CUT_SHORT
    first = inner[0] >> 4 if inner else 0
    if first in (4, 6):
        return (IPV4 if first == 4 else IPV6), inner
    has_word = first == 0 and (_is_frame(inner[_LABEL:]) or not _is_frame(inner))
    return ETHERNET_FRAME, inner[_LABEL:] if has_word else inner


def _is_frame(octets: bytes) -> bool:
    """Whether an Ethernet frame's type is one that we know."""
    found = _behind_addresses(octets)
    return not isinstance(found, Other) and found[0] in (IPV4, _PPPOE, *_MPLS, *_TAGS, *_NAMES)
