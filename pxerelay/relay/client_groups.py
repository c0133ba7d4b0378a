"""Which clients are sent to the same servers: by the rule that matches, and by what hash pools choose.

The hash of a client is computed once, when its first request comes.
"""

from __future__ import annotations

from collections.abc import Iterable

from pxerelay.policy.rules import Choice, PatternRule, Reason
from pxerelay.policy.servers import Pool, Strategy
from pxerelay.relay.choosing import Choosing

_MOST = 1 << 14
"""Groups of clients whose servers are chosen by hash: one for each choice and combination of servers."""

_NO_RULE = 1
"""The group of clients with no rule and no hash pool. Higher numbers are groups by choice and kind of rule;
negative ones are groups by these and by the servers that hash pools choose."""

Kind = tuple[int, Reason]
"""The `id` of a rule's choice, and the kind of the rule."""


class ClientGroups:
    """Numbers groups of clients for one relay; `no_rule` has the groups of clients that no rule names."""

    def __init__(self, relay: Choosing) -> None:
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
        """Whether there are so many groups that the caller should `clear` them."""
        return len(self._numbers) >= _MOST

    def clear(self) -> None:
        """Forget all groups of hash pools; their numbers are given out again."""
        self._numbers.clear()
        self.no_rule = {_NO_RULE}

    def number(self, rule: Choice | PatternRule | None, chaddr: bytes) -> int:
        """Return the number of a client's group: like requests of its clients go to the same servers.

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
        """Return the hash pools among the servers of a choice; with None, of clients that no rule names."""
        found = self._of.get(id(choice))
        if found is None:
            found = self._else if choice is None else _hashes(choice.servers) | self._always
            self._of[id(choice)] = found
        return found


def _hashes(servers: Iterable[object]) -> frozenset[Pool]:
    return frozenset(one for one in servers if isinstance(one, Pool) and one.strategy is Strategy.HASH)
