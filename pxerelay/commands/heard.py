"""What commands that read captures share: their arguments, and the DHCP packets of a capture."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple, TypeVar

from pxerelay.policy.model import Config
from pxerelay.tools.simulate import captures, replay
from pxerelay.tools.simulate.offline import Hints
from pxerelay.tools.simulate.replay6 import is_dhcp6
from pxerelay.wire import dissect
from pxerelay.wire.dissect import AnyDatagram, Datagram
from pxerelay.wire.dissect6 import Datagram6
from pxerelay.wire.layers import Other

_Address = TypeVar("_Address", IPv4Address, IPv6Address)


class HeardPacket(NamedTuple):
    """A capture's DHCP packets, what else it has by name, and why the rest could not be read."""

    datagrams: list[AnyDatagram]
    others: Mapping[str, int]
    fault: str

    @property
    def of4(self) -> list[Datagram]:
        """The packets of DHCPv4."""
        return [one for one in self.datagrams if isinstance(one, Datagram)]

    @property
    def of6(self) -> list[Datagram6]:
        """The packets of DHCPv6."""
        return [one for one in self.datagrams if isinstance(one, Datagram6)]


def add_hints(parser: argparse.ArgumentParser, *, interface: bool = True) -> None:
    """Add the options that tell where a capture was made."""
    if interface:
        parser.add_argument(
            "--interface", metavar="I", help="client interface that all of the capture was heard on"
        )
    parser.add_argument(
        "--vlan",
        dest="vlans",
        action="append",
        default=[],
        metavar="TAG=I",
        help="client interface of a VLAN, such as 10=vlan10; OUTER.INNER=I for two tags",
    )
    parser.add_argument(
        "--giaddr",
        dest="giaddrs",
        action="append",
        default=[],
        metavar="I=ADDRESS",
        help="giaddr of a client interface; default: the configuration's, else what the capture shows",
    )
    parser.add_argument(
        "--link-address",
        dest="link_addresses",
        action="append",
        default=[],
        metavar="I=ADDRESS",
        help="the same of DHCPv6",
    )


def hints_of(arguments: argparse.Namespace, config: Config) -> Hints:
    """Return what the options tell; LookupError for what is no such thing."""
    if arguments.interface is not None:
        _check(arguments.interface, config)
    vlans = {}
    for text in arguments.vlans:
        tags, sign, name = text.partition("=")
        parts = tags.split(".")
        if not (sign and name and all(map(_is_vlan, parts))):
            raise LookupError(f"--vlan {text}: write TAG=INTERFACE, such as 10=vlan10")
        vlans[".".join(str(int(part)) for part in parts)] = name
    giaddrs = _addresses("--giaddr", arguments.giaddrs, IPv4Address, "10.10.10.1", config)
    link_addresses = _addresses(
        "--link-address", arguments.link_addresses, IPv6Address, "2001:db8:10::1", config
    )
    return Hints(arguments.interface, vlans, giaddrs, link_addresses)


def _addresses(
    option: str, texts: Iterable[str], kind: Callable[[str], _Address], example: str, config: Config
) -> dict[str, _Address]:
    """Return the addresses that an option gives interfaces; LookupError, with an example, if one is none."""
    found = {}
    for text in texts:
        name, _, address = text.partition("=")
        try:
            found[name] = kind(address)
        except AddressValueError:
            raise LookupError(f"{option} {text}: write INTERFACE=ADDRESS, such as vlan10={example}") from None
        _check(name, config)
    return found


def _check(interface: str, config: Config) -> None:
    """Raise LookupError for an interface that no entry of `interfaces` means."""
    if config.setting_for(interface) is None:
        entries = ", ".join(entry.name for entry in config.interfaces) or "none"
        raise LookupError(f"no entry of `interfaces:` means '{interface}'; there are: {entries}")


def _is_vlan(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_VLAN and 0 < int(text) <= _LAST_VLAN


_LONGEST_VLAN, _LAST_VLAN = 4, 4094
"""Digits of a VLAN's number, and the largest one (IEEE 802.1Q, 9.6)."""


def hear(path: Path, *, ipv6: bool) -> HeardPacket:
    """Read a capture to its end or to where it is damaged; CaptureError if nothing of it can be read.

    `ipv6` is whether packets of IPv6 are opened.
    """
    found: list[AnyDatagram] = []
    others: Counter[str] = Counter()
    fault, began = "", False
    read = dissect.datagrams_of_both if ipv6 else dissect.datagrams
    try:
        for one in read(captures.frames(path)):
            began = True
            if isinstance(one, Other):
                others[one.name] += 1
            elif is_dhcp6(one) if isinstance(one, Datagram6) else replay.is_dhcp(one):
                found.append(one)
            else:
                others["UDP"] += 1
    except captures.CaptureError as error:
        if not began:
            raise
        fault = str(error)
    return HeardPacket(found, others, fault)
