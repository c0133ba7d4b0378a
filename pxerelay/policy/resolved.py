"""What DNS names of servers stood for when last asked.

A table of answers is a value: the relay reads it, the daemon's resolver makes a new one. A name that
can't be resolved keeps the addresses it had, and its error is told until it is resolved again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from pxerelay.policy.servers import NamedServer, Pool, Target

Servers = Mapping[str, Sequence[Target]]
"""What is behind each name, as in `model.Config.servers`."""


@dataclass(frozen=True)
class ResolvedName:
    """What a name stands for; `error` tells why the last question failed, empty if it did not."""

    addresses: tuple[IPv4Address, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class ResolvedNames:
    """Answers by DNS name."""

    by_name: Mapping[str, ResolvedName] = field(default_factory=dict)

    def of(self, target: Target) -> tuple[IPv4Address, ...]:
        """Return the addresses of a target, of a pool all; none for a name that was never resolved."""
        if isinstance(target, IPv4Address):
            return (target,)
        if isinstance(target, Pool):
            return tuple(dict.fromkeys(address for host in target.hosts for address in self.of(host)))
        return self.by_name.get(target, ResolvedName()).addresses

    def names(self, servers: Servers, address: IPv4Address) -> list[str]:
        """Return all names under `servers:` that an address goes by."""
        return [
            name for name, targets in servers.items() if any(address in self.of(target) for target in targets)
        ]

    def named(self, servers: Servers, address: IPv4Address) -> NamedServer:
        """Return an address with the first of these names."""
        return NamedServer(next(iter(self.names(servers, address)), ""), str(address))

    def renewed(self, fresh: Mapping[str, ResolvedName]) -> ResolvedNames:
        """Return the answers to other questions, keeping old addresses where the new question failed."""
        return ResolvedNames({name: self._kept(name, answer) for name, answer in fresh.items()})

    def updated(self, name: str, answer: ResolvedName) -> ResolvedNames:
        """Return the answers with a new one for one name, keeping its old addresses if that failed."""
        return ResolvedNames({**self.by_name, name: self._kept(name, answer)})

    def _kept(self, name: str, answer: ResolvedName) -> ResolvedName:
        return ResolvedName(self.of(name), answer.error) if answer.error else answer
