"""Client interfaces of one family, DHCPv4 or DHCPv6, kept up as the interfaces of the host change.

Which interfaces serve clients, which address stands for each and in which VRF that is goes by the same rules
in both families. What a port is made of does not, and is for `ports` and `ports6` to say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Generic, TypeVar

from pxerelay.policy.links import Link
from pxerelay.policy.model import LOOPBACK, Config, InterfaceSetting
from pxerelay.policy.servers import Address


@dataclass(frozen=True, slots=True)
class AnyPort:
    """A client interface in either family, called as the configuration calls it.

    `setting` is the entry that means it; `link` is what it is, if it is there. `index` is None while it
    waits, and `waiting` says what for. `vrf` is the VRF of the address that stands for it, where servers are
    asked; `hardware` is the interface's Ethernet address, empty if it has none.
    """

    name: str
    setting: InterfaceSetting
    _: KW_ONLY
    index: int | None = None
    mtu: int = 1500
    waiting: str = ""
    vrf: int = 0
    hardware: bytes = bytes(6)
    link: Link | None = field(default=None, compare=False)

    @property
    def state(self) -> str:
        """`active` or `waiting`."""
        return "waiting" if self.waiting else "active"


Port = TypeVar("Port", bound=AnyPort)
Own = TypeVar("Own", bound=Address)


@dataclass(frozen=True)
class Change(Generic[Port]):
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


class AnyPortTable(ABC, Generic[Port, Own]):
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
        self._homes: dict[Own, tuple[int, ...]] = {}
        self._settings = tuple(entry for entry in config.interfaces if self._serves(entry))
        self._meant: dict[str, set[int]] = {entry.name: set() for entry in self._settings}
        self._elsewhere: dict[Own, set[int]] = {}
        self._members: defaultdict[int, set[int]] = defaultdict(set)
        self._candidates: dict[int, Port] = {}
        self._sharing: dict[tuple[int, Own], set[int]] = {}
        self._ports: dict[int, Port] = {}
        self._absent: dict[str, Port] = {}
        self._named: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.update({link.index: link for link in links})

    @staticmethod
    @abstractmethod
    def _serves(setting: InterfaceSetting) -> bool:
        """Whether the family is relayed on the interfaces that an entry means."""

    @staticmethod
    @abstractmethod
    def _configured(setting: InterfaceSetting) -> Own | None:
        """Return the address that an entry says stands for its interface."""

    @staticmethod
    @abstractmethod
    def _addresses(link: Link) -> Sequence[Own]:
        """Return all addresses of the family that a link has."""

    @staticmethod
    @abstractmethod
    def _of_host(link: Link | None) -> tuple[object, ...]:
        """Return what of a link has a say beyond its port: its addresses, the VRF it is in, or is."""

    @staticmethod
    @abstractmethod
    def _waits(name: str, setting: InterfaceSetting, why: str, link: Link | None) -> Port:
        """Return a port that waits."""

    @abstractmethod
    def _candidate(self, name: str, setting: InterfaceSetting, link: Link) -> Port:
        """Return the port that a link makes, whatever others have its address too."""

    @staticmethod
    @abstractmethod
    def _standing(port: Port) -> Own | None:
        """Return the address that stands for a port, None while it waits."""

    @staticmethod
    @abstractmethod
    def _mark(port: Port) -> bytes | None:
        """Return what replies bring that tells this port from others with its address."""

    @property
    def ports(self) -> tuple[Port, ...]:
        """All of them, by the index of their interfaces, then those without one."""
        return (*(self._ports[index] for index in sorted(self._ports)), *self._absent.values())

    def update(self, changed: Mapping[int, Link | None]) -> Change[Port]:
        """Take links that changed, by index, None for one that is gone; return what that changed."""
        affected, absent = set(changed), self._absent
        links = []
        for index, link in changed.items():
            before = self._links.get(index)
            if self._of_host(before) != self._of_host(link):
                links.append((before, link))
            if before is not None:
                self._forget(before)
                affected.update(self._dependent(before))
            if link is not None:
                self._learn(link)
                affected.update(self._dependent(link))
        shared: set[tuple[int, Own]] = set()
        settled = [index for index in affected if self._settle_candidate(index, shared)]
        found = set(settled).union(*(self._sharing.get(key, ()) for key in shared))
        ports_before = {index: self._ports.get(index) for index in found}
        for index in settled:
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
        for address in self._addresses(link):
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
        for address in self._addresses(link):
            self._homes[address] = (*self._homes.get(address, ()), link.vrf)
        self._members[link.vrf].add(link.index)
        for name in link.names:
            self._named[name] = link.index

    def _dependent(self, link: Link) -> Iterable[int]:
        """Return the links that an address of this one stands for, or that are in this VRF."""
        if link.vrf != link.index and not self._elsewhere:
            return ()
        found = self._members.get(link.index, set()) if link.vrf == link.index else set()
        return set(found).union(*(self._elsewhere.get(address, ()) for address in self._addresses(link)))

    def _settle_candidate(self, index: int, shared: set[tuple[int, Own]]) -> bool:
        """Find what port a link makes, but for addresses that stand for several: those are added to `shared`.

        Return whether it makes one, or did.
        """
        before, link = self._candidates.pop(index, None), self._links.get(index)
        if before is not None:
            self._meant[before.setting.name].discard(index)
            configured, standing = self._configured(before.setting), self._standing(before)
            if configured is not None:
                self._elsewhere[configured].discard(index)
            if standing is not None:
                self._sharing[before.vrf, standing].discard(index)
                shared.add((before.vrf, standing))
        meant = self._config.meant_by(link.names) if link is not None and not link.loopback else None
        if link is None or meant is None or not self._serves(meant[1]):
            return before is not None
        name, setting = meant
        self.names[index] = name
        self._meant[setting.name].add(index)
        configured = self._configured(setting)
        if configured is not None:
            self._elsewhere.setdefault(configured, set()).add(index)
        port = self._candidates[index] = self._candidate(name, setting, link)
        standing = self._standing(port)
        if standing is not None:
            key = port.vrf, standing
            self._sharing.setdefault(key, set()).add(index)
            shared.add(key)
        return True

    def _out_of_order(self, link: Link) -> str:
        """Tell why nothing can be sent on a link in any family; empty if something can."""
        vrf = self._links.get(link.vrf)
        if vrf is not None and link.vrf != 0 and not vrf.up:
            return f"its VRF {vrf.name} is down"
        return "" if link.up else "the interface is down or has no carrier"

    def _home(self, address: Own, link: Link) -> int | None:
        """Return the VRF of an address that stands for a link, its own if it is there; None if nowhere."""
        vrfs = self._homes.get(address)
        if not vrfs:
            return None
        return link.vrf if link.vrf in vrfs else min(vrfs)

    def _settle_shared(self, key: tuple[int, Own]) -> None:
        """Of ports with one address, have those wait that replies can't be told apart from ones before."""
        first: Port | None = None
        unmarked: Port | None = None
        marked: dict[bytes, Port] = {}
        for index in sorted(self._sharing.get(key, ())):
            port = self._candidates[index]
            mark = self._mark(port)
            rival = first if mark is None else marked.get(mark) or unmarked
            if rival is not None:
                why = f"{rival.name} has the address {key[1]} too"
                port = self._waits(port.name, port.setting, why, port.link)
            else:
                first = first or port
                if mark is None:
                    unmarked = port
                else:
                    marked[mark] = port
            self._ports[index] = port

    def _absent_ports(self) -> Iterator[Port]:
        for setting in self._settings:
            if not self._meant[setting.name]:
                why, known = self._absence(setting), self._absent.get(setting.name)
                same = known is not None and known.waiting == why
                yield known if known is not None and same else self._waits(setting.name, setting, why, None)

    def _absence(self, setting: InterfaceSetting) -> str:
        if setting.is_glob:
            return "no interface matches"
        link = self._links.get(self._named.get(setting.name, 0))
        if link is None:
            return "the interface is not there"
        if link.loopback or setting.name == LOOPBACK:
            return "it is the loopback interface, which has no clients"
        return f"it is another name of {link.name}, which has an entry of its own"


def vrfs_to_hear(ports: Iterable[AnyPort], links: Iterable[Link], *, routers: bool) -> dict[int, str]:
    """Return the VRFs that hold a client interface or the address that stands for it, by index, with names.

    Where routers may relay to us it is every VRF there is.
    """
    vrfs = {link.index: link.name for link in links if link.vrf == link.index}
    if routers or not vrfs:
        return vrfs
    used: set[int] = set()
    for port in ports:
        used.add(port.vrf)
        if port.link is not None:
            used.add(port.link.vrf)
    return {index: name for index, name in vrfs.items() if index in used}
