"""What DNS names of servers stood for when last asked.

A table of answers is a value: the relay reads it, the daemon's resolver makes a new one. A name that
can't be resolved keeps the addresses it had, and its error is told until it is resolved again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address

from pxerelay.policy.servers import Address, NamedServer, Pool, Target

Servers = Mapping[str, Sequence[Target]]
"""What is behind each name, as in `model.Config.servers`."""


@dataclass(frozen=True)
class ResolvedName:
    """What a name stands for: the addresses of its A and, where DHCPv6 is on, of its AAAA records.

    `error` and `error6` tell why the last question for either failed, empty if it did not. That a name has
    none of one family, and some of the other, is no error.
    """

    addresses: tuple[IPv4Address, ...] = ()
    error: str = ""
    addresses6: tuple[IPv6Address, ...] = ()
    error6: str = ""

    @property
    def both(self) -> tuple[Address, ...]:
        """The addresses of both families."""
        return (*self.addresses, *self.addresses6)

    @property
    def trouble(self) -> str:
        """What went wrong in either family, once if it is the same; empty if nothing did."""
        return "; ".join(dict.fromkeys(filter(None, (self.error, self.error6))))


@dataclass(frozen=True)
class ResolvedNames:
    """Answers by DNS name."""

    by_name: Mapping[str, ResolvedName] = field(default_factory=dict)

    def of(self, target: Target) -> tuple[IPv4Address, ...]:
        """Return the IPv4 addresses of a target, of a pool all; none for a name that was never resolved."""
        if isinstance(target, IPv4Address):
            return (target,)
        if isinstance(target, Pool):
            return tuple(dict.fromkeys(address for host in target.hosts for address in self.of(host)))
        return self.by_name.get(target, ResolvedName()).addresses if isinstance(target, str) else ()

    def of6(self, target: Target) -> tuple[IPv6Address, ...]:
        """Return the IPv6 addresses of a target, of a pool all; none for a name that was never resolved."""
        if isinstance(target, IPv6Address):
            return (target,)
        if isinstance(target, Pool):
            return tuple(dict.fromkeys(address for host in target.hosts for address in self.of6(host)))
        return self.by_name.get(target, ResolvedName()).addresses6 if isinstance(target, str) else ()

    def is_known(self, name: str) -> bool:
        """Whether the IPv6 addresses of a name are known, be it that there are none."""
        answer = self.by_name.get(name)
        return answer is not None and bool(answer.addresses6 or not answer.trouble)

    def names(self, servers: Servers, address: Address) -> list[str]:
        """Return all names under `servers:` that an address goes by."""
        addresses = self.of if isinstance(address, IPv4Address) else self.of6
        return [
            name
            for name, targets in servers.items()
            if any(address in addresses(target) for target in targets)
        ]

    def named(self, servers: Servers, address: Address) -> NamedServer:
        """Return an address with the first of these names."""
        return NamedServer(next(iter(self.names(servers, address)), ""), str(address))

    def renewed(self, fresh: Mapping[str, ResolvedName]) -> ResolvedNames:
        """Return the answers to other questions, keeping old addresses where the new question failed."""
        return ResolvedNames({name: self._kept(name, answer) for name, answer in fresh.items()})

    def updated(self, name: str, answer: ResolvedName) -> ResolvedNames:
        """Return the answers with a new one for one name, keeping its old addresses if that failed."""
        return ResolvedNames({**self.by_name, name: self._kept(name, answer)})

    def _kept(self, name: str, answer: ResolvedName) -> ResolvedName:
        return replace(
            answer,
            addresses=self.of(name) if answer.error else answer.addresses,
            addresses6=self.of6(name) if answer.error6 else answer.addresses6,
        )
