"""Servers as the configuration names them: addresses, DNS names, pools of which one is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
"""A server's address; its family is that of the requests that it gets."""

Host = Address | str
"""A server as the configuration names it: an address or a DNS name."""


class Strategy(Enum):
    """How one of several servers is chosen; the values are what the file says."""

    FAILOVER = "failover"
    HASH = "hash"


@dataclass(frozen=True)
class Probing:
    """To ask servers in the name of a client of this address, in seconds: how often, and how long to wait."""

    every: int
    timeout: int
    chaddr: bytes


@dataclass(frozen=True)
class Pool:
    """Servers one of which gets a client's requests.

    Pools are equal if they send each client to the same server: whatever they are called, and however
    their servers' health is found out. Of a failover the order means something, else `hosts` are sorted.
    """

    name: str = field(compare=False)
    strategy: Strategy
    hosts: tuple[Host, ...]
    probing: Probing | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Spell the servers and how one of them is chosen."""
        if self.strategy is Strategy.FAILOVER:
            return " else ".join(map(str, self.hosts))
        return f"{' or '.join(map(str, self.hosts))} by hash"


Target = Host | Pool
"""Who gets requests: a server, or one of several."""


def hosts_of(target: Target) -> tuple[Host, ...]:
    """Return the hosts that a target is: of a pool all."""
    return target.hosts if isinstance(target, Pool) else (target,)


@dataclass(frozen=True)
class NamedServer:
    """A server as people and programs are told of it.

    `name` is what `servers:` calls it, empty if nothing; `address` its address, DNS name or pool, as text.
    """

    name: str
    address: str

    def __str__(self) -> str:
        """Spell it as `name address`."""
        return f"{self.name} {self.address}".lstrip()


UNICAST6 = IPv6Network("2000::/3"), IPv6Network("fc00::/7")
"""IPv6 addresses of single hosts beyond their link: global ones, and unique local ones (RFC 4193)."""


def can_be_server(address: Address) -> bool:
    """Whether requests may go to an address: it is one host's, and not this one's own.

    A link-local one would need an interface beside it, and clients are not on the servers' link.
    """
    if isinstance(address, IPv6Address):
        return any(address in network for network in UNICAST6)
    return not (address.is_unspecified or address.is_multicast or address.is_reserved or address.is_loopback)
