"""What the fast paths of both families remember of clients: their rules, and who was met lately."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pxerelay.policy.sticky import AnySticky
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.client_groups import ClientGroups

_CLIENTS = 1 << 14
"""Clients whose rule is remembered; with more, all are forgotten."""

_SIFTED = 1 << 14
"""Clients that are gone through to forget some, in a millisecond or two; of more, all are forgotten."""

ALONE = 0
"""In the place of a rule's number, for a client in the middle of a boot: no cached route uses it."""


class AnyFastPath(ABC):
    """The memory of one relay's clients, by their Ethernet addresses."""

    def __init__(self, relay: Choosing) -> None:
        self._first = relay.config.policy.rules.first
        self._rules: dict[bytes, int] = {}
        self._sticky: AnySticky[Any] | None = relay.sticky
        self._alone: set[bytes] = set()
        self._strangers: set[bytes] = set()
        self._groups = ClientGroups(relay)

    @abstractmethod
    def _forget_routes(self) -> None:
        """Forget all that is known of requests."""

    def meet_anew(self) -> None:
        """Forget the clients that no rule names, so that each of them is a stranger again."""
        if len(self._rules) > _SIFTED:
            self._rules.clear()
        self._alone.clear()
        no_rule = self._groups.no_rule
        self._rules = {client: rule for client, rule in self._rules.items() if rule not in no_rule}

    def _forget(self, client: bytes) -> None:
        """Forget a client as if its request had not come."""
        self._rules.pop(client, None)
        self._alone.discard(client)

    def _rule_for(self, client: bytes) -> int:
        """Return a number that stands for what the rules say of a client not met yet, and remember it.

        If they say nothing it is a stranger. The number is 0, and is not remembered, for a client that is to
        be decided about by itself; that it was met is, apart from the others.
        """
        rule = self._first(client)
        if rule is None and client not in self._alone:
            self._strangers.add(client)
        if self._sticky and self._sticky.standing_for(client):
            self._alone.add(client)
            return ALONE
        if len(self._rules) >= _CLIENTS:
            self._rules.clear()
        found = self._rules[client] = self._groups.number(rule, client)
        return found

    def _begin_anew_if_full(self) -> None:
        """Forget what numbers stand for, and so all that is known by them, when there are too many."""
        if self._groups.full:
            self._rules.clear()
            self._forget_routes()
            self._groups.clear()
