"""The relay's own side of the network: which interfaces serve clients, with which giaddr.

An interface that is not there, is down or has no address is no error: it waits, with the reason in
words, and is looked at again whenever the kernel tells of a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from pxerelay.agentinfo import AgentInfo, info_for
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
    """A client interface.

    `giaddr` and `index` are None while it waits, and `waiting` says what for. `address` is the
    interface's own address, which replies come from; `info` is what it adds as option 82.
    """

    name: str
    setting: InterfaceSetting
    index: int | None = None
    giaddr: IPv4Address | None = None
    address: IPv4Address | None = None
    info: AgentInfo | None = None
    mtu: int = 1500
    waiting: str = ""

    @property
    def state(self) -> str:
        """`active` or `waiting`."""
        return "waiting" if self.waiting else "active"


def assign(config: Config, links: Iterable[Link], hostname: str = "") -> tuple[Port, ...]:
    """Return the ports that a configuration makes of the interfaces there are.

    Each interface that is there and meant becomes one port. An entry that names an interface which is
    not there, or a glob that matches none, becomes a port that waits.
    """
    links = tuple(links)
    own = {address for link in links for address in link.addresses}
    ports = []
    meant: set[InterfaceSetting] = set()
    taken: dict[IPv4Address, str] = {}
    shared = config.option82 is not None and config.option82.tells_interfaces_apart
    for link in sorted(links, key=lambda item: item.index):
        setting = config.setting_for(link.name)
        if setting is None:
            continue
        meant.add(setting)
        port = _port(config, setting, link, own, hostname)
        if port.giaddr in taken and not shared:
            port = Port(link.name, setting, waiting=f"{taken[port.giaddr]} has the address {port.giaddr} too")
        elif port.giaddr is not None:
            taken[port.giaddr] = link.name
        ports.append(port)
    for setting in config.interfaces:
        if setting not in meant:
            why = "no interface matches" if setting.is_glob else "the interface is not there"
            ports.append(Port(setting.name, setting, waiting=why))
    return tuple(ports)


def _port(
    config: Config, setting: InterfaceSetting, link: Link, own: set[IPv4Address], hostname: str
) -> Port:
    if not link.up:
        return Port(link.name, setting, waiting="the interface is down or has no carrier")
    giaddr = setting.giaddr
    if giaddr is None:
        if not link.addresses:
            return Port(link.name, setting, waiting="the interface has no IPv4 address")
        giaddr = link.addresses[0]
    elif giaddr not in own:
        return Port(link.name, setting, waiting=f"its giaddr {giaddr} is no address of this host")
    address = giaddr if giaddr in link.addresses or not link.addresses else link.addresses[0]
    info = None
    if config.option82 is not None:
        info = info_for(config.option82, link.name, hostname, giaddr, address)
    return Port(link.name, setting, link.index, giaddr, address, info, link.mtu)
