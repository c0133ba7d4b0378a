"""Servers known by DNS name: what the names stood for when last asked.

A table of answers is a value: the relay reads it, the daemon's resolver makes a new one. A name that
can't be resolved keeps the addresses it had, and its error is told until it is resolved again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address

Host = IPv4Address | str
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


def can_be_server(address: IPv4Address) -> bool:
    """Whether requests may go to an address: it is one host's, and not this one's own."""
    return not (address.is_unspecified or address.is_multicast or address.is_reserved or address.is_loopback)


@dataclass(frozen=True)
class Answer:
    """What a name stands for; `error` tells why the last question failed, empty if it did not."""

    addresses: tuple[IPv4Address, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Answers:
    """Answers by DNS name."""

    by_name: Mapping[str, Answer] = field(default_factory=dict)

    def of(self, target: Target) -> tuple[IPv4Address, ...]:
        """Return the addresses of a target, of a pool all; none for a name that was never resolved."""
        if isinstance(target, IPv4Address):
            return (target,)
        if isinstance(target, Pool):
            return tuple(dict.fromkeys(address for host in target.hosts for address in self.of(host)))
        return self.by_name.get(target, Answer()).addresses

    def renewed(self, fresh: Mapping[str, Answer]) -> Answers:
        """Return the answers to other questions, keeping old addresses where the new question failed."""
        return Answers({name: self._kept(name, answer) for name, answer in fresh.items()})

    def updated(self, name: str, answer: Answer) -> Answers:
        """Return the answers with a new one for one name, keeping its old addresses if that failed."""
        return Answers({**self.by_name, name: self._kept(name, answer)})

    def _kept(self, name: str, answer: Answer) -> Answer:
        return Answer(self.of(name), answer.error) if answer.error else answer
