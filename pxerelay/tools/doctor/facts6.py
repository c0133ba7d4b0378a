"""What is known of a host in DHCPv6, as it was gathered: values, without a judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address

from pxerelay.policy.model import Config
from pxerelay.policy.ports6 import Port6
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.servers import NamedServer
from pxerelay.tools.doctor.facts import Holder


@dataclass(frozen=True)
class Settings6:
    """Settings of an interface: does it keep addresses when it goes down, and does it hear routers.

    `managed` says that a service which puts addresses back takes care of it. `accept_ra` is the kernel's
    value (ip-sysctl.rst).
    """

    keeps_addresses: bool = True
    managed: bool = True
    accept_ra: int = 0


@dataclass(frozen=True)
class Advertised:
    """What routers say on a client interface; `heard` is whether any did, `error` why nobody listened.

    `managed` and `other` are the flags M and O of any of them (RFC 4861, 4.2).
    """

    interface: str
    heard: bool = False
    managed: bool = False
    other: bool = False
    error: str = ""


@dataclass(frozen=True)
class HostFacts6:
    """All of it. `holders` are sockets on UDP port 547, `daemon` tells whether there is one that relays.

    `waiting` is what the daemon's interfaces wait for. `leaves_by` has the interface of the way to each
    server from each VRF, by index; empty where none leads. `by_kernel` counts the replies that needed a
    neighbour entry, of which the kernel keeps `most_neighbours`.
    """

    config: Config
    answers: ResolvedNames
    ports: tuple[Port6, ...]
    ours: frozenset[IPv6Address]
    settings: Mapping[str, Settings6]
    daemon: bool
    holders: tuple[Holder, ...]
    waiting: Mapping[str, str]
    leaves_by: Mapping[tuple[IPv6Address, int], str]
    forwarding: bool = False
    by_kernel: int = 0
    most_neighbours: int = 1024

    @cached_property
    def active(self) -> tuple[Port6, ...]:
        """The client interfaces that messages are relayed from."""
        return tuple(port for port in self.ports if not port.waiting)

    @cached_property
    def servers(self) -> tuple[IPv6Address, ...]:
        """The servers that are looked at."""
        return tuple(dict.fromkeys(server for server, _ in self.leaves_by))

    def named(self, server: IPv6Address) -> NamedServer:
        """Return a server with the name that the configuration has for it."""
        return self.answers.named(self.config.servers, server)


@dataclass(frozen=True)
class ServerAnswer6:
    """A RELAY-REPL as the relay got it; `dropped` is a value of `Drop6`, `status` the status code in words.

    `port_4011` says that option 16 is `PXEClient`.
    """

    source: IPv6Address
    milliseconds: float
    octets: int
    dropped: str | None = None
    address: str | None = None
    boot_file: str | None = None
    status: str | None = None
    no_addresses: bool = False
    port_4011: bool = False


@dataclass(frozen=True)
class Sighting6:
    """A reply, or its first fragment, as it was seen on an interface, before the firewall made up its mind.

    `xid` is that of the message to the client, in hexadecimal digits.
    """

    interface: str
    source: IPv6Address
    destination: IPv6Address
    port: int
    octets: int
    fragmented: bool
    xid: str


@dataclass(frozen=True)
class Asked6:
    """What became of SOLICITs to one server from one place; `interface` as in `facts.Asked`.

    `seen` are answers as they came in.
    """

    server: IPv6Address
    interface: str | None
    link_address: str | None
    error: str = ""
    failures: tuple[str, ...] = ()
    answers: tuple[ServerAnswer6, ...] = ()
    seen: tuple[Sighting6, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether it need not be asked again."""
        return bool(self.error or self.failures or self.answers or self.seen)
