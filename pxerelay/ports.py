"""The relay's own side of the network: which interfaces serve clients, with which giaddr.

An interface that is not there, is down or has no address is no error: it waits, with the reason in
words, and is looked at again whenever the kernel tells of a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from pxerelay.model import Config, InterfaceSetting


@dataclass(frozen=True)
class Link:
    """A network interface as the kernel tells of it; `addresses` has the primary one first."""

    index: int
    name: str
    up: bool
    mtu: int
    addresses: tuple[IPv4Address, ...]


@dataclass(frozen=True)
class Port:
    """A client interface. `giaddr` and `index` are None while it waits, and `waiting` says what for."""

    name: str
    setting: InterfaceSetting
    index: int | None = None
    giaddr: IPv4Address | None = None
    mtu: int = 1500
    waiting: str = ""

    @property
    def state(self) -> str:
        """`active` or `waiting`."""
        return "waiting" if self.waiting else "active"


def assign(config: Config, links: Iterable[Link]) -> tuple[Port, ...]:
    """Return the ports that a configuration makes of the interfaces there are.

    Each interface that is there and meant becomes one port. An entry that names an interface which is
    not there, or a glob that matches none, becomes a port that waits.
    """
    links = tuple(links)
    own = {address for link in links for address in link.addresses}
    ports = []
    meant: set[InterfaceSetting] = set()
    taken: dict[IPv4Address, str] = {}
    for link in sorted(links, key=lambda item: item.index):
        setting = config.setting_for(link.name)
        if setting is None:
            continue
        meant.add(setting)
        port = _port(setting, link, own)
        if port.giaddr in taken:
            port = Port(link.name, setting, waiting=f"{taken[port.giaddr]} has the address {port.giaddr} too")
        elif port.giaddr is not None:
            taken[port.giaddr] = link.name
        ports.append(port)
    for setting in config.interfaces:
        if setting not in meant:
            why = "no interface matches" if setting.is_glob else "the interface is not there"
            ports.append(Port(setting.name, setting, waiting=why))
    return tuple(ports)


def _port(setting: InterfaceSetting, link: Link, own: set[IPv4Address]) -> Port:
    if not link.up:
        return Port(link.name, setting, waiting="the interface is down or has no carrier")
    giaddr = setting.giaddr
    if giaddr is None:
        if not link.addresses:
            return Port(link.name, setting, waiting="the interface has no IPv4 address")
        giaddr = link.addresses[0]
    elif giaddr not in own:
        return Port(link.name, setting, waiting=f"its giaddr {giaddr} is no address of this host")
    return Port(link.name, setting, link.index, giaddr, link.mtu)
