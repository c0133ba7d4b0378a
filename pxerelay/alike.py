"""Which clients go the same ways: by what the rules say of them, and which servers of a hash are theirs.

What a server's hash says of a client is asked once, when the client is met; after that it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from pxerelay.answers import Pool, Strategy
from pxerelay.relay import Relay
from pxerelay.rules import Choice

_MOST = 1 << 14
"""Numbers; there are as many as choices, and combinations of servers that are clients'."""


class Alike:
    """The numbers of one `Relay`; `no_rule` are those of clients that no rule names."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        config, policy = relay.config, relay.config.policy
        choices = [policy.default.choice, *(one.choice for one in policy.classes)]
        choices += [one.default.choice for one in config.interfaces if one.default]
        self._always = _hashes(config.dhcp_servers)
        self._else = self._always.union(*(_hashes(choice.servers) for choice in choices))
        self._of: dict[int, frozenset[Pool]] = {}
        self._numbers: dict[tuple[int, tuple[tuple[bytes, ...], ...]], int] = {}
        self._hashing = any(pool.strategy is Strategy.HASH for pool in config.pools.values())
        self.no_rule = {id(None)}

    @property
    def full(self) -> bool:
        """Whether there are so many that it is time to begin anew."""
        return len(self._numbers) >= _MOST

    def clear(self) -> None:
        """Begin anew."""
        self._numbers.clear()
        self.no_rule = {id(None)}

    def number(self, choice: Choice | None, chaddr: bytes) -> int:
        """Return a number that is equal for clients that go the same ways, if they say the same."""
        if not self._hashing:
            return id(choice)
        pools = self._of.get(id(choice))
        if pools is None:
            pools = self._else if choice is None else _hashes(choice.servers) | self._always
            self._of[id(choice)] = pools
        if not pools:
            return id(choice)
        members = tuple(self._relay.members(pool, chaddr) for pool in pools)
        found = self._numbers.setdefault((id(choice), members), -1 - len(self._numbers))
        if choice is None:
            self.no_rule.add(found)
        return found


def _hashes(servers: Iterable[object]) -> frozenset[Pool]:
    return frozenset(one for one in servers if isinstance(one, Pool) and one.strategy is Strategy.HASH)
