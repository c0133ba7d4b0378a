"""Which servers a client's requests go to, once the mapping has chosen: what both families ask.

A target is an address, a DNS name or a pool. Of a pool a client gets the server that is its own, by its
octets and by what is thought of servers; a client in the middle of a boot the one that it began with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from pxerelay.policy.model import Config
from pxerelay.policy.pools import Standing, chosen
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.servers import Address, Pool, Target
from pxerelay.policy.sticky import AnySticky


class Asking(Protocol):
    """What a request says of who sent it."""

    @property
    def client_octets(self) -> bytes:
        """What tells the client from others."""

    @property
    def client_key(self) -> bytes:
        """What tables have it by."""

    @property
    def begins_anew(self) -> bool:
        """Whether it looks for servers."""

    @property
    def named_server(self) -> bytes | None:
        """What it names its server by: the address, in DHCPv6 the DUID; None if it names none."""


Named = frozenset[bytes] | None
"""Addresses of the server that a request names, none if it names none; None where it is not known which."""


_NOBODY: frozenset[bytes] = frozenset()


class Choosing:
    """The servers of one configuration, and what is thought of them.

    `answers` are for servers' DNS names; `addresses` returns those of a target, of a pool all, that are of
    the family in question. `sticky` has the clients that keep the `standing` before this one; without it
    nobody does.
    """

    def __init__(
        self,
        config: Config,
        answers: ResolvedNames,
        addresses: Callable[[Target], Iterable[Address]],
        standing: Standing,
        sticky: AnySticky[Any] | None,
    ) -> None:
        self.config = config
        self.answers = answers
        self.sticky = sticky
        self._addresses = addresses
        self._standing = standing
        self._pools = {pool: self._packed((pool,)) for pool in config.pools.values()}

    def now_for(self, targets: Iterable[Target], client: bytes) -> tuple[bytes, ...]:
        """Return the servers that targets stand for, for a client with these octets that begins now."""
        return self._of(targets, client, self._standing)

    def _decided(self, targets: Iterable[Target], asking: Asking) -> tuple[bytes, ...]:
        """Return the servers that targets stand for, of each pool the one that is this client's.

        A client in the middle of a boot stays where that began. When it begins anew it does so only if its
        servers are thought to answer: its second DISCOVER, iPXE's say, has to reach the same one. A REQUEST
        that names one of a pool goes to that one, whatever happened in between (rules 42 and 126).
        """
        octets, named = asking.client_octets, self._named_by(asking)
        now = self._of(targets, octets, self._standing, named)
        if named is None or any(not named.isdisjoint(members) for members in self._pools.values()):
            return now
        kept = self.sticky.standing_for(asking.client_key) if self.sticky else None
        if self.sticky is None or kept is None:
            return now
        before = self._of(targets, octets, kept)
        if before == now or (not self._standing.trusts(before) and asking.begins_anew):
            self.sticky.release(asking.client_key)
            return now
        return before

    def _named_by(self, asking: Asking) -> Named:
        """Return the server that a request is for, as it says itself."""
        named = asking.named_server
        return _NOBODY if named is None else frozenset((named,))

    def _of(
        self, targets: Iterable[Target], octets: bytes, standing: Standing, named: Named = _NOBODY
    ) -> tuple[bytes, ...]:
        """Return the servers that targets stand for; of a pool the one that a client has named, if it has."""
        found: dict[bytes, None] = {}
        for target in targets:
            if isinstance(target, Pool):
                found.update(dict.fromkeys(self._in_pool(target, octets, standing, named)))
            else:
                found.update(dict.fromkeys(self._packed((target,))))
        return tuple(found)

    def _in_pool(self, pool: Pool, octets: bytes, standing: Standing, named: Named) -> tuple[bytes, ...]:
        """Return which of a pool get a request: the one that it names, all where it is not known which."""
        members = self._pools[pool]
        if named is None:
            return members
        meant = tuple(member for member in members if member in named) if named else ()
        return chosen(pool, meant or members, octets, standing)

    def members(self, pool: Pool, octets: bytes, standing: Standing | None = None) -> tuple[bytes, ...]:
        """Return which of a pool get a client's requests, by its octets and what is thought now, or was."""
        return chosen(pool, self._pools[pool], octets, standing or self._standing)

    def addresses_of(self, target: Target) -> tuple[Address, ...]:
        """Return the addresses of the family that a target stands for, of a pool all."""
        return tuple(self._addresses(target))

    def _packed(self, targets: Iterable[Target]) -> tuple[bytes, ...]:
        found = (address.packed for target in targets for address in self._addresses(target))
        return tuple(dict.fromkeys(found))
