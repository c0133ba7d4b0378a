"""Addresses of both families as files spell them, and what is wrong with one that can't be used.

IPv6 addresses are read in any spelling of RFC 4291, 2.2; what is said of them is spelled by RFC 5952.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from pxerelay.config import schema
from pxerelay.config.data import List
from pxerelay.policy.servers import Address, can_be_server
from pxerelay.wire.text import ends


def parse(text: str) -> Address | None:
    """Return an address, None if the text is none."""
    if schema.pattern_of("address4").search(text):
        return IPv4Address(text)
    if schema.pattern_of("address6").search(text):
        return IPv6Address(text)
    return None


def parse_network(text: str) -> IPv4Network | IPv6Network | None:
    """Return the network that an address is in, by the prefix length behind it; None if the text is none."""
    spelled, slash, bits = text.partition("/")
    address = parse(spelled)
    if address is None or (slash and not (_BITS.fullmatch(bits) and int(bits) <= address.max_prefixlen)):
        return None
    return ip_network((address, int(bits) if slash else address.max_prefixlen), strict=False)


_BITS = re.compile(r"0|[1-9][0-9]{0,2}")


def looks_like_one(text: str) -> bool:
    """Whether somebody meant an address: digits and dots, or something with colons."""
    return ":" in text or text.replace(".", "").isdigit()


def not_one(text: str) -> str:
    """Tell that a text that looks like an address is none, and what one is."""
    example = "IPv6 address such as 2001:db8:20::10" if ":" in text else "IPv4 address such as 10.20.0.10"
    return f"'{ends(text)}' is not an {example}{schema.remedy(text)}"


def why_no_server(text: str, address: Address) -> str:
    """Tell why requests can't go to an address, spelled so, and what would be right; empty if they can."""
    if can_be_server(address):
        return ""
    why = "write the unicast address of one"
    if isinstance(address, IPv6Address):
        if address.is_link_local:
            why = "it is a link-local address, good on one link only; write a global one of that server"
        elif address.is_multicast:
            why = "it is a multicast address, by which all are asked; write the address of each server"
        elif (mapped := _ipv4_in(address)) is not None:
            why = f"it stands for an IPv4 address; write {mapped}"
        else:
            why = "write a global one (2000::/3) or a unique local one (fc00::/7)"
    return f"{text} can't be a server; {why}"


def _ipv4_in(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv4-mapped or IPv4-compatible one has in it (RFC 4291, 2.5.5)."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address)) if 0xFFFF < int(address) <= 0xFFFFFFFF else None


def why_no_own(address: Address) -> str:
    """Tell why an address can't be one of this host's that servers know it by; empty if it can."""
    if isinstance(address, IPv6Address):
        if address.is_link_local:
            return f"{address} is a link-local address, good on one link only; write a global one"
        if can_be_server(address):
            return ""
    elif can_be_server(address):
        return ""
    return f"{address} can't be an address of this host; write a unicast address"


class Twice:
    """Finds an IPv6 address that stands twice in one list, spelled in two ways."""

    def __init__(self, items: List) -> None:
        self._items = items
        self._first: dict[Address, int] = {}

    def said_of(self, address: Address, at: int) -> str:
        """Take the address of an item; return what is wrong if it stood there before, else nothing.

        That the same text stands twice is the schema's to say.
        """
        first = self._first.setdefault(address, at)
        if first == at or self._items[first] == self._items[at]:
            return ""
        mark = self._items.mark(first)
        place = f"line {mark.line}, column {mark.column}"
        return f"'{self._items[at]}' is {address}, which stands in {place} already; keep one"
