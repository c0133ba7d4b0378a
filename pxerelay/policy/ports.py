"""The relay's own side of the network: which interfaces serve clients, with which giaddr, in which VRF.

An interface that is not there, is down or has no address is no error: it waits, with the reason in
words, and is looked at again whenever the kernel tells of a change.

Servers are asked in the VRF that giaddr belongs to, and answer there. As giaddr is the interface's own
address by default, that is the interface's VRF; a `giaddr` of another VRF, the default one say, is how
servers in that one are reached. The same address in two VRFs is two addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.wire.agentinfo import AgentInfo, info_for


@dataclass(frozen=True)
class Link:
    """A network interface as the kernel tells of it; `addresses` has the primary one first.

    `vrf` is the index of the VRF device that it is enslaved to, its own index if it is such a device,
    and 0 in the default VRF. `hardware` is its Ethernet address.
    """

    index: int
    name: str
    up: bool
    mtu: int
    addresses: tuple[IPv4Address, ...]
    vrf: int = 0
    hardware: bytes = bytes(6)


@dataclass(frozen=True)
class Port:
    """A client interface.

    `giaddr` and `index` are None while it waits, and `waiting` says what for. `address` is the
    interface's own address, which replies come from; `info` is what it adds as option 82. `vrf` is the
    VRF of giaddr, where servers are asked; `hardware` is the interface's Ethernet address.
    """

    name: str
    setting: InterfaceSetting
    index: int | None = None
    giaddr: IPv4Address | None = None
    address: IPv4Address | None = None
    info: AgentInfo | None = None
    mtu: int = 1500
    waiting: str = ""
    vrf: int = 0
    hardware: bytes = bytes(6)

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
    homes: dict[IPv4Address, set[int]] = {}
    for link in links:
        for address in link.addresses:
            homes.setdefault(address, set()).add(link.vrf)
    down = {link.index: link.name for link in links if link.vrf == link.index and not link.up}
    ports = []
    meant: set[InterfaceSetting] = set()
    sharing: dict[tuple[int, IPv4Address], list[Port]] = {}
    for link in sorted(links, key=lambda item: item.index):
        setting = config.setting_for(link.name)
        if setting is None:
            continue
        meant.add(setting)
        port = _port(config, setting, link, homes, hostname)
        if link.vrf in down:
            port = Port(link.name, setting, waiting=f"its VRF {down[link.vrf]} is down")
        elif port.giaddr is not None:
            others = sharing.setdefault((port.vrf, port.giaddr), [])
            alike = next((other for other in others if not _told_apart(port, other)), None)
            if alike:
                port = Port(link.name, setting, waiting=f"{alike.name} has the address {port.giaddr} too")
            else:
                others.append(port)
        ports.append(port)
    for setting in config.interfaces:
        if setting not in meant:
            why = "no interface matches" if setting.is_glob else "the interface is not there"
            ports.append(Port(setting.name, setting, waiting=why))
    return tuple(ports)


def _told_apart(port: Port, other: Port) -> bool:
    """Whether replies to a giaddr that both have say which of them they are for: by our circuit id."""
    one, two = port.info, other.info
    return one is not None and two is not None and None is not one.circuit_id != two.circuit_id


def vrfs_to_hear(config: Config, ports: Iterable[Port], links: Iterable[Link]) -> dict[int, str]:
    """Return the VRFs that hold a client interface or its giaddr, by index, with their names.

    Where routers may relay to us it is every VRF there is.
    """
    links = tuple(links)
    vrfs = {link.index: link.name for link in links if link.vrf == link.index}
    if config.accept_relayed_from:
        return vrfs
    used = {link.vrf for link in links if config.setting_for(link.name)} | {port.vrf for port in ports}
    return {index: name for index, name in vrfs.items() if index in used}


def _port(
    config: Config,
    setting: InterfaceSetting,
    link: Link,
    homes: Mapping[IPv4Address, set[int]],
    hostname: str,
) -> Port:
    if not link.up:
        return Port(link.name, setting, waiting="the interface is down or has no carrier")
    giaddr = setting.giaddr
    if giaddr is None:
        if not link.addresses:
            return Port(link.name, setting, waiting="the interface has no IPv4 address")
        giaddr = link.addresses[0]
    vrfs = homes.get(giaddr)
    if vrfs is None:
        return Port(link.name, setting, waiting=f"its giaddr {giaddr} is no address of this host")
    vrf = link.vrf if link.vrf in vrfs else min(vrfs)
    address = giaddr if giaddr in link.addresses or not link.addresses else link.addresses[0]
    info = None
    if config.option82 is not None:
        info = info_for(config.option82, link.name, hostname, giaddr, address)
    return Port(
        link.name, setting, link.index, giaddr, address, info, link.mtu, vrf=vrf, hardware=link.hardware
    )
