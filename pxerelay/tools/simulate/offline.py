"""A relay for packets of a capture: its interfaces are made up from the configuration.

What the relay host's kernel would tell is not there, so it is given by whoever asks (`Hints`), or found in
the configuration or the capture. Where none tells an interface's giaddr, a placeholder stands for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from itertools import chain

from pxerelay.policy.links import Link
from pxerelay.policy.model import Config
from pxerelay.policy.ports import Port, assign
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.policy.servers import NamedServer
from pxerelay.relay.relay import Relay
from pxerelay.relay.words import named_server
from pxerelay.wire import packet
from pxerelay.wire.dissect import Datagram
from pxerelay.wire.dissect6 import Datagram6

_PLACEHOLDERS = (IPv4Network("192.0.2.0/24"), IPv4Network("198.18.0.0/15"))
"""For documentation, and for many VLANs for tests of networks (RFC 5737, 3; RFC 2544, C.2.2)."""

_PLACEHOLDER_SERVERS = IPv4Network("240.0.0.0/4")
"""For servers known by DNS name, which nobody looks up here; no host has such an address (RFC 1112, 4)."""


_NAMED_AFTER_A_VLAN = re.compile(r"(vlan|\.)[0-9]+$", re.IGNORECASE)


@dataclass(frozen=True)
class Hints:
    """What is said of a capture: where all of it was heard, names of VLANs, addresses of interfaces.

    `giaddrs` and `link_addresses` are what stands for interfaces in DHCPv4 and in DHCPv6.
    """

    interface: str | None = None
    vlans: Mapping[str, str] = field(default_factory=dict)
    giaddrs: Mapping[str, IPv4Address] = field(default_factory=dict)
    link_addresses: Mapping[str, IPv6Address] = field(default_factory=dict)


class Whereabouts:
    """Tells the client interface that a packet was heard on: by hints, the capture, the configuration."""

    def __init__(self, config: Config, hints: Hints) -> None:
        self._config = config
        self._hints = hints
        self.named = [setting.name for setting in config.interfaces if not setting.is_glob]
        self.only = self.named[0] if len(config.interfaces) == len(self.named) == 1 else None

    def __call__(self, datagram: Datagram | Datagram6) -> str | None:
        """Return the interface's name, None if nothing tells it."""
        for tag in _spelled(datagram.tags):
            if tag in self._hints.vlans:
                return self._hints.vlans[tag]
        if self._hints.interface is not None:
            return self._hints.interface
        heard_on = datagram.interface
        if not datagram.tags and heard_on and self._config.setting_for(heard_on):
            return heard_on
        if datagram.tags:
            found = self._of_vlan(datagram.tags[-1])
            return (
                None
                if found is None and self.only and _NAMED_AFTER_A_VLAN.search(self.only)
                else found or self.only
            )
        return self.only

    def names(self, datagrams: Iterable[Datagram | Datagram6], more: Iterable[str]) -> dict[str, None]:
        """Return the interfaces that there are: named ones, `more`, and those heard on."""
        names = dict.fromkeys([*self.named, *more, *self._hints.vlans.values()])
        names.update(dict.fromkeys(name for one in datagrams if (name := self(one))))
        return names

    def _of_vlan(self, vlan: int) -> str | None:
        """Return the only interface whose name ends in a number, or would if its glob were filled in."""
        pattern = re.compile(rf"(^|.*[^0-9])0*{vlan}")
        found = [name for name in self.named if pattern.fullmatch(name)]
        if not found:
            globs = [setting.name for setting in self._config.interfaces if setting.is_glob]
            found = [
                f"{glob[:-1]}{vlan}" for glob in globs if re.fullmatch(r"[^*?\[\]]*[^*?\[\]0-9]\*", glob)
            ]
        return found[0] if len(found) == 1 else None

    def advice(self, datagram: Datagram | Datagram6) -> str:
        """Return what to give so that a packet's interface is known."""
        if datagram.tags:
            tags = next(_spelled(datagram.tags))
            return f"which interface has VLAN {tags}? say so by --vlan {tags}=NAME"
        return "which interface was it heard on? say so by --interface NAME"


def _spelled(tags: tuple[int, ...]) -> Iterator[str]:
    """Yield the names of VLANs that hints may use: all tags with dots in between, and the inner one."""
    if tags:
        yield ".".join(map(str, tags))
        yield str(tags[-1])


def servers_of(config: Config) -> ResolvedNames:
    """Return answers for the servers that are known by DNS name: a placeholder for each."""
    names = sorted(config.dns_names)
    return ResolvedNames(
        {name: ResolvedName((_PLACEHOLDER_SERVERS[at + 1],)) for at, name in enumerate(names)}
    )


SERVER_SIDE, FIRST_INDEX = 1, 2
"""Indexes of made-up interfaces: the one that servers and routers are behind, and the first of clients."""


UNKNOWN_GIADDR = "?"
"""In the place of a placeholder."""


class Offline:
    """A relay with made-up interfaces. `guessed` are those whose giaddr is a placeholder."""

    def __init__(
        self, config: Config, names: Iterable[str], giaddrs: Mapping[str, IPv4Address], hostname: str = ""
    ) -> None:
        links = []
        guessed = set()
        free = chain.from_iterable(network.hosts() for network in _PLACEHOLDERS)
        self.indexes: dict[str, int] = {}
        for index, name in enumerate(dict.fromkeys(names), FIRST_INDEX):
            setting = config.setting_for(name)
            giaddr = (setting.giaddr if setting else None) or giaddrs.get(name)
            if giaddr is None:
                giaddr = next(free)
                guessed.add(name)
            self.indexes[name] = index
            links.append(Link(index, name, up=True, mtu=1500, addresses=(giaddr,)))
        self.guessed = frozenset(guessed)
        self.relay = Relay(config, assign(config, links, hostname), links, servers_of(config))
        self.ports: dict[str, Port] = {
            port.name: port for port in self.relay.ports if port.giaddr is not None
        }
        self.own = frozenset(
            port.giaddr.packed for name, port in self.ports.items() if port.giaddr and name not in guessed
        )
        self.servers = frozenset(
            address.packed for target in config.mentioned for address in self.relay.answers.of(target)
        )

    def interface_of(self, giaddr: bytes) -> str | None:
        """Return the client interface whose giaddr this is known to be, None if there is none, or several."""
        found = [name for name, port in self.ports.items() if port.giaddr and port.giaddr.packed == giaddr]
        return found[0] if len(found) == 1 and found[0] not in self.guessed else None

    def server(self, address: bytes) -> NamedServer:
        """Return a server by its 4 octets; one that the configuration has by DNS name with that."""
        ip = IPv4Address(address)
        looked_up = next(
            (name for name, answer in self.relay.answers.by_name.items() if ip in answer.addresses), None
        )
        named = named_server(self.relay, address)
        return replace(named, address=looked_up) if looked_up else named

    def giaddr_text(self, port: Port) -> str:
        """Spell a port's giaddr, `?` if it is not known."""
        return UNKNOWN_GIADDR if port.name in self.guessed else str(port.giaddr)


def learnt(datagrams: Sequence[Datagram], where: Whereabouts, config: Config) -> dict[str, IPv4Address]:
    """Return the giaddr of interfaces as the capture shows it.

    What has been relayed of a client tells it, that was heard without one on an interface before; where there
    is only one interface and no router may relay to us, every reply to a relay agent does. What most packets
    say counts.
    """
    heard: dict[packet.Transaction, str] = {}
    seen: dict[str, Counter[bytes]] = {}
    only = where.only if not config.accept_relayed_from else None
    for datagram in datagrams:
        message = datagram.payload
        if len(message) < packet.HEADER_SIZE:
            continue
        giaddr = message[packet.GIADDR]
        if giaddr == packet.UNSET:
            if message[packet.OP] == packet.BOOTREQUEST and (name := where(datagram)):
                heard.setdefault(packet.transaction(message), name)
            continue
        if datagram.source_port != packet.SERVER_PORT or any(
            IPv4Address(giaddr) in network for network in config.accept_relayed_from
        ):
            continue
        name = heard.get(packet.transaction(message))
        if name is None and only and datagram.destination == giaddr:
            name = only
        if name is not None and (
            giaddr in (datagram.source, datagram.destination)
            or IPv4Address(datagram.destination) in config.mentioned
        ):
            seen.setdefault(name, Counter())[giaddr] += 1
    return {name: IPv4Address(counted.most_common(1)[0][0]) for name, counted in seen.items()}
