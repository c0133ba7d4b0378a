"""What is known of a host, as it was gathered: values, without a judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address

from pxerelay.policy.links import Link
from pxerelay.policy.model import Config
from pxerelay.policy.ports import Port
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.servers import NamedServer, Target


@dataclass(frozen=True)
class Nic:
    """What a network interface has beside its `Link`.

    `up` is what the administrator says, `carrier` what the cable does. `lower` is the index of the device
    beneath, of a VLAN say, `master` that of the one that it is a part of; 0 if there is none. `rp_filter` is
    what holds: the larger of the interface's own and `all` (ip-sysctl.rst).
    """

    index: int
    name: str
    up: bool = True
    carrier: bool = True
    addresses: tuple[IPv4Interface, ...] = ()
    lower: int = 0
    master: int = 0
    rp_filter: int = 0


@dataclass(frozen=True)
class Holder:
    """A socket on UDP port 67, and whose it is as far as we may know; `unit` is a systemd service."""

    address: str
    user: str
    pid: int | None = None
    command: str = ""
    unit: str = ""
    ours: bool = False

    @property
    def is_pxerelay(self) -> bool:
        """Whether the process looks like this program."""
        return any(word.rpartition("/")[2] == "pxerelay" for word in self.command.split())


@dataclass(frozen=True)
class Running:
    """The daemon that answers at the control socket; `capabilities` are bits (capabilities(7)).

    `no_metrics` says why it does not serve the metrics that its configuration wants. `waiting6` is what
    interfaces wait for in DHCPv6, `by_kernel` how many replies of DHCPv6 needed an entry in the kernel's
    table of neighbours.
    """

    pid: int
    path: str
    sha256: str
    last_error: str | None
    waiting: Mapping[str, str]
    not_received: int
    capabilities: int | None
    no_metrics: str | None = None
    waiting6: Mapping[str, str] = field(default_factory=dict)
    by_kernel: int = 0


@dataclass(frozen=True)
class ServerRoute:
    """The way to a server from a VRF, given by its index, or why there is none.

    `mtu` is the octets of the largest packet that it is known to carry, 0 if that is not known.
    """

    server: IPv4Address
    vrf: int
    interface: str = ""
    gateway: IPv4Address | None = None
    source: IPv4Address | None = None
    local: bool = False
    refused: str = ""
    mtu: int = 0


@dataclass(frozen=True)
class Arrival:
    """A packet that would come in by an interface and that the kernel would drop.

    `back` is the interface that the way back to its source leaves by, empty if there is none.
    """

    source: IPv4Address
    destination: IPv4Address
    interface: str
    back: str


@dataclass(frozen=True)
class Facts:
    """All of it. `refused_clients` and `refused_replies` are packets that the kernel would drop.

    `no_daemon` says why none answers, `denied` that one may, but not to us. `capabilities` are those of this
    process. `newest_file` is when the newest of the configuration's files was written, in seconds as `now`.
    `wanted6` are the IPv6 addresses of servers that are to be looked at.
    """

    config: Config
    sha256: str
    path: str
    answers: ResolvedNames
    running: Running | None
    no_daemon: str
    denied: bool
    capabilities: int
    holders: tuple[Holder, ...]
    links: tuple[Link, ...]
    nics: Mapping[str, Nic]
    ports: tuple[Port, ...]
    ways: tuple[ServerRoute, ...]
    refused_clients: tuple[Arrival, ...] = ()
    refused_replies: tuple[Arrival, ...] = ()
    receive_limit: int = 128 << 20
    unprivileged_ports: int = 1024
    wanted6: tuple[IPv6Address, ...] = ()
    now: float = 0.0
    newest_file: float = 0.0

    @cached_property
    def active(self) -> tuple[Port, ...]:
        """The client interfaces that requests are relayed from."""
        return tuple(port for port in self.ports if not port.waiting)

    @cached_property
    def ours(self) -> frozenset[IPv4Address]:
        """The addresses of this host."""
        return frozenset(address for link in self.links for address in link.addresses)

    def named(self, server: IPv4Address) -> NamedServer:
        """Return a server with the name that the configuration has for it."""
        return self.answers.named(self.config.servers, server)

    @cached_property
    def choices(self) -> frozenset[tuple[Target, ...]]:
        """What rules, classes and defaults choose; of a large mapping few choices are different objects."""
        policy = self.config.policy
        choices = {id(choice): choice for _, choice in policy.rules.exact()}
        rest = [policy.default.choice, *(entry.choice for entry in policy.classes)]
        rest += (rule.choice for rule in policy.rules.patterns())
        rest += (entry.default.choice for entry in self.config.interfaces if entry.default)
        choices |= {id(choice): choice for choice in rest}
        return frozenset(choice.servers for choice in choices.values())

    @cached_property
    def vrf_of(self) -> Mapping[int, int]:
        """The VRF of each interface, both by index."""
        return {link.index: link.vrf for link in self.links}

    @cached_property
    def nic_at(self) -> Mapping[int, Nic]:
        """The interfaces by index."""
        return {nic.index: nic for nic in self.nics.values()}

    def way(self, server: IPv4Address, vrf: int) -> ServerRoute | None:
        """Return the way to a server."""
        return next((way for way in self.ways if (way.server, way.vrf) == (server, vrf)), None)


@dataclass(frozen=True)
class ServerAnswer:
    """A reply as the relay got it; `dropped` is its reason for not relaying it, a value of `relay.Drop`."""

    source: IPv4Address
    destination: IPv4Address
    interface: str
    milliseconds: float
    octets: int
    dropped: str | None = None
    giaddr: IPv4Address | None = None
    address: str | None = None
    boot_file: str | None = None
    boot_servers: tuple[tuple[IPv4Address, int | None], ...] = ()


@dataclass(frozen=True)
class Sighting:
    """A reply as it was seen on an interface, before the kernel made up its mind about it.

    `refused` says that the kernel takes no such packet from there, `back` is then as in `Arrival`.
    """

    source: IPv4Address
    destination: IPv4Address
    port: int
    interface: str
    octets: int
    fragmented: bool = False
    refused: bool = False
    back: str = ""


@dataclass(frozen=True)
class Service:
    """What became of a question to port 4011: `answered`, `closed` (ICMP said so), `silent`, or an error."""

    address: IPv4Address
    state: str


@dataclass(frozen=True)
class Asked:
    """What became of DISCOVERs to one server from one place.

    `interface` is a client interface, None if the answer was to come to `giaddr`, an address of this host,
    for want of one. `watched` says whether the wire was looked at too. `filtered` is how many packets
    rp_filter dropped meanwhile, whoever's they were. `mtu` is that of the client interface.
    """

    server: IPv4Address
    interface: str | None
    giaddr: IPv4Address | None
    mtu: int = 1500
    error: str = ""
    failures: tuple[str, ...] = ()
    answers: tuple[ServerAnswer, ...] = ()
    seen: tuple[Sighting, ...] = ()
    watched: bool = False
    filtered: int = 0
    no_arp: bool = False
    services: tuple[Service, ...] = field(default=())
