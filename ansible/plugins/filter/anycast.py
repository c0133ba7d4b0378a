"""Relays that share one address by routing: what BIRD is told, out of `pxerelay_anycast`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from ansible.errors import AnsibleFilterError

_HIGHEST_ASN = 2**32 - 1
"""Of autonomous systems (RFC 6793)."""

_HOLD_LEAST = 3
_HOLD_MOST = 65535
"""Seconds of BGP's hold time (RFC 4271, 4.2); 0, which is none, would never notice a host that is gone."""

_MOST_PREPENDED = 10

_TEXT = re.compile(r'[^"\n\r]+')
"""What BIRD takes between quotes."""

_INTERFACE = re.compile(r"[\w.:*-]{1,15}")

Address = IPv4Address | IPv6Address


def bird(anycast: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template of BIRD's configuration needs: addresses by family, peers, communities.

    AnsibleFilterError, with all that is wrong, for values that cannot be meant so.
    """
    findings: list[str] = []
    addresses = list(_addresses(anycast.get("address"), findings))
    peers = list(_peers(anycast.get("peers") or [], findings))
    ospf = anycast.get("ospf") or {}
    if bool(peers or anycast.get("peers")) is bool(ospf):
        findings.append("peers, ospf: give one of them, by which routers are told of the address")
    if peers or anycast.get("peers"):
        findings += _wrong_number("asn", anycast.get("asn"), 1, _HIGHEST_ASN)
        findings += _wrong_number("hold", anycast.get("hold", 9), _HOLD_LEAST, _HOLD_MOST)
        families = {peer["address"].version for peer in peers}
        findings += [
            f"address: {address} has no peer of its family: give one with an IPv{address.version} address"
            for address in addresses
            if families and address.version not in families
        ]
    for name in ospf.get("interfaces") or []:
        if not _INTERFACE.fullmatch(str(name)):
            findings.append(f"ospf: interfaces: {name} is no name of an interface")
    findings += _wrong_number("prepend", anycast.get("prepend", 2), 1, _MOST_PREPENDED)
    for key, default in (("fall", 1), ("rise", 10)):
        findings += _wrong_number(key, anycast.get(key, default), 1, 3600)
    if not 0.2 <= float(anycast.get("every", 1)) <= 60:
        findings.append(f"every: {anycast['every']} is none of 0.2 to 60 seconds")
    communities = [one for text in anycast.get("communities") or [] for one in _community(text, findings)]
    if findings:
        raise AnsibleFilterError("\n".join(f"pxerelay_anycast: {finding}" for finding in findings))
    return {
        "families": {
            f"ipv{version}": [f"{one}/{one.max_prefixlen}" for one in addresses if one.version == version]
            for version in (4, 6)
            if any(one.version == version for one in addresses)
        },
        "peers": [
            {**peer, "address": str(peer["address"]), "family": f"ipv{peer['address'].version}"}
            for peer in peers
        ],
        "communities": communities,
    }


def _addresses(said: Any, findings: list[str]) -> Iterator[Address]:
    texts = said if isinstance(said, Sequence) and not isinstance(said, str) else [said]
    if not said:
        findings.append("address: which address do the relays share?")
        return
    for text in texts:
        address = _address(text)
        if address is None or address.is_multicast or address.is_unspecified or address.is_loopback:
            findings.append(f"address: {text} is no address that hosts can share, such as 192.0.2.67")
        else:
            yield address


def _address(text: Any) -> Address | None:
    try:
        return ip_address(str(text))
    except ValueError:
        return None


def _peers(said: Sequence[Mapping[str, Any]], findings: list[str]) -> Iterator[dict[str, Any]]:
    for number, peer in enumerate(said, 1):
        where = f"peers: {peer.get('address', f'the {number}.')}"
        address = _address(peer.get("address"))
        if address is None or address.is_link_local:
            findings.append(f"{where}: it needs an address of a router, such as 10.20.0.254")
        findings += [f"{where}: {one}" for one in _wrong_number("asn", peer.get("asn"), 1, _HIGHEST_ASN)]
        password = peer.get("password") or ""
        if password and not _TEXT.fullmatch(str(password)):
            findings.append(f"{where}: password: BIRD takes none with a quote or a line break in it")
        if address is not None:
            yield {
                "address": address,
                "asn": peer.get("asn"),
                "password": str(password),
                "bfd": bool(peer.get("bfd", False)),
            }


def _community(text: Any, findings: list[str]) -> Iterator[dict[str, str]]:
    """Yield a community as BIRD writes it: of two numbers (RFC 1997), or a large one of three (RFC 8092)."""
    parts = str(text).split(":")
    most = {2: 2**16 - 1, 3: 2**32 - 1}.get(len(parts))
    if most is None or not all(part.isdecimal() and int(part) <= most for part in parts):
        findings.append(f'communities: {text} is none, such as "65010:67" or "4200000000:1:2", in quotes')
        return
    kind = "bgp_community" if len(parts) == 2 else "bgp_large_community"
    yield {"kind": kind, "value": f"({', '.join(str(int(part)) for part in parts)})"}


def _wrong_number(key: str, value: Any, least: int, most: int) -> list[str]:
    try:
        fits = least <= int(value) <= most
    except (TypeError, ValueError):
        fits = False
    return [] if fits else [f"{key}: {'it is missing' if value is None else value}; it is {least} to {most}"]


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {"bird": bird}
