"""The relay's own side of the network: which interfaces serve clients, with which giaddr, in which VRF.

An interface that is not there, is down or has no address is no error: it waits, with the reason in
words, and is looked at again whenever the kernel tells of a change.

Servers are asked in the VRF that giaddr belongs to, and answer there. As giaddr is the interface's own
address by default, that is the interface's VRF; a `giaddr` of another VRF, the default one say, is how
servers in that one are reached. The same address in two VRFs is two addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import NamedTuple

from pxerelay.policy.model import LOOPBACK, Config, InterfaceSetting
from pxerelay.wire.agentinfo import AgentInfo, info_for


class Address6(NamedTuple):
    """An IPv6 address of an interface, with the bits of its prefix, as the kernel tells of it (RFC 4862).

    It is `tentative` while duplicate address detection runs, `duplicate` if that failed. A `deprecated` or
    `temporary` (RFC 8981) one is passed over where there is another; `static` is one of unlimited lifetime,
    so not from a router's advertisement.
    """

    address: IPv6Address
    prefix: int = 64
    tentative: bool = False
    duplicate: bool = False
    deprecated: bool = False
    temporary: bool = False
    static: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface as the kernel tells of it.

    `addresses` are all that it has, those that may stand for it first, the primary one before others.
    `narrow` are those of them that may not: their scope is less than global (rtnetlink(7)). `vrf` is the
    index of the VRF device that it is enslaved to, its own index if it is such a device, and 0 in the
    default VRF. `hardware` is its Ethernet address; it is empty where frames are no Ethernet frames.
    `altnames` are further names, `subnets` the networks that its addresses are in. `addresses6` are its IPv6
    addresses, link-local ones too, where anybody asked for them; `has_ipv6` is False where IPv6 is disabled.
    """

    index: int
    name: str
    up: bool
    mtu: int
    addresses: tuple[IPv4Address, ...]
    vrf: int = 0
    hardware: bytes = bytes(6)
    narrow: tuple[IPv4Address, ...] = ()
    altnames: tuple[str, ...] = ()
    loopback: bool = False
    subnets: tuple[IPv4Network, ...] = ()
    addresses6: tuple[Address6, ...] = ()
    has_ipv6: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """All names, its own first."""
        return (self.name, *self.altnames)

    @property
    def standing(self) -> tuple[IPv4Address, ...]:
        """The addresses that may stand for it."""
        return tuple(address for address in self.addresses if address not in self.narrow)


@dataclass(frozen=True, slots=True)
class Port:
    """A client interface, called as the configuration calls it; `link` is what it is, if it is there.

    `giaddr` and `index` are None while it waits, and `waiting` says what for. `address` is the
    interface's own address, which replies come from; `info` is what it adds as option 82. `vrf` is the
    VRF of giaddr, where servers are asked; `hardware` is the interface's Ethernet address, empty if it has
    none.
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
    link: Link | None = field(default=None, compare=False)

    @property
    def state(self) -> str:
        """`active` or `waiting`."""
        return "waiting" if self.waiting else "active"


Shared = tuple[int, IPv4Address]
"""A VRF and an address in it, which several ports may have for their giaddr."""


@dataclass(frozen=True)
class Change:
    """What changed, each thing as it was and as it is, None where it is not there.

    `ports` are those of interfaces, by index; `links` those that have a say beyond their port, as they have
    addresses, or belong to a VRF. `fresh` are the ports that are others than before, also those that wait
    for an interface to appear.
    """

    ports: Mapping[int, tuple[Port | None, Port | None]]
    links: Sequence[tuple[Link | None, Link | None]]
    fresh: tuple[Port, ...]

    @property
    def matters(self) -> bool:
        """Whether there is anything to follow."""
        return bool(self.ports or self.links or self.fresh)

    @property
    def indexes(self) -> frozenset[int]:
        """The interfaces about which more is another than their names."""
        ends = (link for pair in self.links for link in pair if link is not None)
        return frozenset((*self.ports, *(link.index for link in ends)))


class PortTable:
    """The ports that a configuration makes of the links there are, kept up as these change.

    Each interface that is there and meant becomes one port. An entry that names an interface which is
    not there, or a glob that matches none, becomes a port that waits. The loopback interface has no clients
    and becomes none. `names` has what each link is called by its index, client interfaces as their ports; it
    is the same mapping all the time.
    """

    def __init__(self, config: Config, links: Iterable[Link] = (), hostname: str = "") -> None:
        self._config = config
        self._hostname = hostname
        self._links: dict[int, Link] = {}
        self._homes: dict[IPv4Address, tuple[int, ...]] = {}
        self._meant: dict[str, set[int]] = {entry.name: set() for entry in config.interfaces}
        self._elsewhere: dict[IPv4Address, set[int]] = {}
        self._members: dict[int, set[int]] = {}
        self._candidates: dict[int, Port] = {}
        self._sharing: dict[Shared, set[int]] = {}
        self._ports: dict[int, Port] = {}
        self._absent: dict[str, Port] = {}
        self._named: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.update({link.index: link for link in links})

    @property
    def ports(self) -> tuple[Port, ...]:
        """All of them, by the index of their interfaces, then those without one."""
        return (*(self._ports[index] for index in sorted(self._ports)), *self._absent.values())

    def update(self, changed: Mapping[int, Link | None]) -> Change:
        """Take links that changed, by index, None for one that is gone; return what that changed."""
        affected, absent = set(changed), self._absent
        links = []
        for index, link in changed.items():
            before = self._links.get(index)
            if _of_host(before) != _of_host(link):
                links.append((before, link))
            if before is not None:
                self._forget(before)
                affected |= self._dependent(before)
            if link is not None:
                self._learn(link)
                affected |= self._dependent(link)
        shared: set[Shared] = set()
        for index in affected:
            shared |= self._settle_candidate(index)
        found = affected.union(*(self._sharing.get(key, ()) for key in shared))
        ports_before = {index: self._ports.get(index) for index in found}
        for index in affected:
            self._ports.pop(index, None)
            if index in self._candidates:
                self._ports[index] = self._candidates[index]
        for key in shared:
            self._settle_shared(key)
        self._absent = {port.name: port for port in self._absent_ports()}
        pairs = {index: (ports_before[index], self._ports.get(index)) for index in sorted(found)}
        pairs = {index: (before, after) for index, (before, after) in pairs.items() if before != after}
        fresh = [after for _, after in pairs.values() if after is not None]
        fresh += [port for name, port in self._absent.items() if absent.get(name) != port]
        return Change(pairs, links, tuple(fresh))

    def _forget(self, link: Link) -> None:
        del self._links[link.index], self.names[link.index]
        for address in link.addresses:
            vrfs = list(self._homes.pop(address))
            vrfs.remove(link.vrf)
            if vrfs:
                self._homes[address] = tuple(vrfs)
        self._members[link.vrf].discard(link.index)
        for name in link.names:
            if self._named.get(name) == link.index:
                del self._named[name]

    def _learn(self, link: Link) -> None:
        self._links[link.index] = link
        self.names[link.index] = link.name
        for address in link.addresses:
            self._homes[address] = (*self._homes.get(address, ()), link.vrf)
        self._members.setdefault(link.vrf, set()).add(link.index)
        self._named.update(dict.fromkeys(link.names, link.index))

    def _dependent(self, link: Link) -> set[int]:
        """Return the links whose giaddr is an address of this one, or that are in this VRF."""
        if link.vrf != link.index and not self._elsewhere:
            return set()
        found = self._members.get(link.index, set()) if link.vrf == link.index else set()
        return set(found).union(*(self._elsewhere.get(address, ()) for address in link.addresses))

    def _settle_candidate(self, index: int) -> set[Shared]:
        """Find what port a link makes, but for giaddrs that several have; return which giaddrs to look at."""
        before, link = self._candidates.pop(index, None), self._links.get(index)
        shared = set()
        if before is not None:
            self._meant[before.setting.name].discard(index)
            if before.setting.giaddr is not None:
                self._elsewhere[before.setting.giaddr].discard(index)
            if before.giaddr is not None:
                self._sharing[before.vrf, before.giaddr].discard(index)
                shared.add((before.vrf, before.giaddr))
        meant = self._config.meant_by(link.names) if link is not None and not link.loopback else None
        if link is None or meant is None:
            return shared
        name, setting = meant
        self.names[index] = name
        self._meant[setting.name].add(index)
        if setting.giaddr is not None:
            self._elsewhere.setdefault(setting.giaddr, set()).add(index)
        port = self._candidates[index] = self._candidate(name, setting, link)
        if port.giaddr is not None:
            key = port.vrf, port.giaddr
            self._sharing.setdefault(key, set()).add(index)
            shared.add(key)
        return shared

    def _candidate(self, name: str, setting: InterfaceSetting, link: Link) -> Port:
        vrf = self._links.get(link.vrf)
        if vrf is not None and link.vrf != 0 and not vrf.up:
            return Port(name, setting, waiting=f"its VRF {vrf.name} is down", link=link)
        if not link.up:
            return Port(name, setting, waiting="the interface is down or has no carrier", link=link)
        standing = link.standing
        giaddr = setting.giaddr or (standing[0] if standing else None)
        if giaddr is None:
            return Port(name, setting, waiting=_lack(link), link=link)
        vrfs = self._homes.get(giaddr)
        if not vrfs:
            why = f"its giaddr {giaddr} is no address of this host"
            return Port(name, setting, waiting=why, link=link)
        home = link.vrf if link.vrf in vrfs else min(vrfs)
        address = giaddr if giaddr in link.addresses or not standing else standing[0]
        info = None
        if self._config.option82 is not None:
            info = info_for(self._config.option82, name, self._hostname, giaddr, address)
        return Port(
            name,
            setting,
            link.index,
            giaddr,
            address,
            info,
            link.mtu,
            vrf=home,
            hardware=link.hardware,
            link=link,
        )

    def _settle_shared(self, key: Shared) -> None:
        """Of ports with one giaddr, have those wait that replies can't be told apart from ones before."""
        first: Port | None = None
        unmarked: Port | None = None
        marked: dict[bytes, Port] = {}
        for index in sorted(self._sharing.get(key, ())):
            port = self._candidates[index]
            circuit = port.info.circuit_id if port.info else None
            rival = first if circuit is None else marked.get(circuit) or unmarked
            if rival is not None:
                why = f"{rival.name} has the address {port.giaddr} too"
                port = Port(port.name, port.setting, waiting=why, link=port.link)
            else:
                first = first or port
                if circuit is None:
                    unmarked = port
                else:
                    marked[circuit] = port
            self._ports[index] = port

    def _absent_ports(self) -> Iterator[Port]:
        for setting in self._config.interfaces:
            if not self._meant[setting.name]:
                why, known = self._absence(setting), self._absent.get(setting.name)
                yield known if known and known.waiting == why else Port(setting.name, setting, waiting=why)

    def _absence(self, setting: InterfaceSetting) -> str:
        if setting.is_glob:
            return "no interface matches"
        link = self._links.get(self._named.get(setting.name, 0))
        if link is None:
            return "the interface is not there"
        if link.loopback or setting.name == LOOPBACK:
            return "it is the loopback interface, which has no clients"
        return f"it is another name of {link.name}, which has an entry of its own"


def _of_host(link: Link | None) -> tuple[object, ...]:
    """Return what of a link has a say beyond its port: its addresses, the VRF it is in, or is."""
    if link is None or not (link.addresses or link.vrf):
        return ()
    name = link.name if link.vrf == link.index else ""
    return link.vrf, link.addresses, link.narrow, name, (link.up, link.mtu) if link.addresses else None


def assign(config: Config, links: Iterable[Link], hostname: str = "") -> tuple[Port, ...]:
    """Return the ports that a configuration makes of the interfaces there are."""
    return PortTable(config, links, hostname).ports


def vrfs_to_hear(config: Config, ports: Iterable[Port], links: Iterable[Link]) -> dict[int, str]:
    """Return the VRFs that hold a client interface or its giaddr, by index, with their names.

    Where routers may relay to us it is every VRF there is.
    """
    vrfs = {link.index: link.name for link in links if link.vrf == link.index}
    if config.accept_relayed_from or not vrfs:
        return vrfs
    used: set[int] = set()
    for port in ports:
        used.add(port.vrf)
        if port.link is not None:
            used.add(port.link.vrf)
    return {index: name for index, name in vrfs.items() if index in used}


def _lack(link: Link) -> str:
    """Tell why no address stands for an interface."""
    if not link.addresses:
        return "the interface has no IPv4 address"
    return (
        f"its address {link.addresses[0]} is not of global scope, which servers and routers could answer; "
        f"give it one that is, or name this one as its giaddr"
    )
