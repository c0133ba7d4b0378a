"""Which clients go the same ways: by what the rules say of them, and which servers of a hash are theirs.

What a server's hash says of a client is asked once, when the client is met; after that it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from pxerelay.policy.rules import Choice, PatternRule, Reason
from pxerelay.policy.servers import Pool, Strategy
from pxerelay.relay.relay import Relay

_MOST = 1 << 14
"""Numbers of clients whose servers are chosen by hash: as many as choices, times combinations of servers."""

_NO_RULE = 1
"""The number that stands for no rule and no hash. Those above it stand for what rules say, and of what kind
they are; negative ones for that and for servers of hashes."""

Kind = tuple[int, Reason]
"""What a rule says, by its identity, and what kind of rule it is."""


class ClientGroups:
    """The numbers of one `Relay`; `no_rule` are those of clients that no rule names."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        config, policy = relay.config, relay.config.policy
        choices = [policy.default.choice, *(one.choice for one in policy.classes)]
        choices += [one.default.choice for one in config.interfaces if one.default]
        self._always = _hashes(config.dhcp_servers)
        self._else = self._always.union(*(_hashes(choice.servers) for choice in choices))
        self._of: dict[int, frozenset[Pool]] = {}
        self._numbers: dict[tuple[Kind, tuple[tuple[bytes, ...], ...]], int] = {}
        self._hashing = any(pool.strategy is Strategy.HASH for pool in config.pools.values())
        self._kinds: dict[Kind, int] = {}
        self.no_rule = {_NO_RULE}

    @property
    def full(self) -> bool:
        """Whether there are so many that it is time to begin anew."""
        return len(self._numbers) >= _MOST

    def clear(self) -> None:
        """Begin anew."""
        self._numbers.clear()
        self.no_rule = {_NO_RULE}

    def number(self, rule: Choice | PatternRule | None, chaddr: bytes) -> int:
        """Return a number that is equal for clients that go the same ways, if they say the same.

        `rule` is what the table says of the client first (`RuleTable.first`).
        """
        choice = rule.choice if isinstance(rule, PatternRule) else rule
        kind = id(choice), rule.reason if isinstance(rule, PatternRule) else Reason.MAC
        pools = self._pools_of(choice) if self._hashing else None
        if pools:
            members = tuple(self._relay.members(pool, chaddr) for pool in pools)
            found = self._numbers.setdefault((kind, members), -1 - len(self._numbers))
            if choice is None:
                self.no_rule.add(found)
            return found
        return _NO_RULE if choice is None else self._kinds.setdefault(kind, _NO_RULE + 1 + len(self._kinds))

    def _pools_of(self, choice: Choice | None) -> frozenset[Pool]:
        """Return the hashes that have a say about clients of a choice, or of those that no rule names."""
        found = self._of.get(id(choice))
        if found is None:
            found = self._else if choice is None else _hashes(choice.servers) | self._always
            self._of[id(choice)] = found
        return found


def _hashes(servers: Iterable[object]) -> frozenset[Pool]:
    return frozenset(one for one in servers if isinstance(one, Pool) and one.strategy is Strategy.HASH)
