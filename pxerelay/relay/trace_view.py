"""DHCPv4 as traces see it, and what the views of both families share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from pxerelay.policy.ports import Port
from pxerelay.policy.rules import Match
from pxerelay.relay.account import Account, Narrator
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.decision import MEANING, Decision, Drop
from pxerelay.relay.relay import Relay, recipients
from pxerelay.relay.trace import Event, View
from pxerelay.relay.words import named_server, port_text
from pxerelay.wire.client import DescribedClient
from pxerelay.wire.facts import Facts

FIRMWARE = b"PXEClient"
"""What the client says of itself that the mapping is asked about before it was heard (RFC 4578, 2.1)."""


def told(
    relay: Choosing, entries: Sequence[Match], addresses: Iterable[bytes], dropped: Enum | None, meaning: str
) -> Event:
    """Return what a view's `verdict` does, of the entries that match a client, the winner first."""
    winner, *losers = entries
    return {
        **_entry(winner),
        "servers": [str(named_server(relay, address)) for address in addresses],
        "dropped": meaning if dropped else "",
        "lost": list(map(_entry, losers)),
    }


def _entry(match: Match) -> Event:
    return {"reason": match.reason.value, "rule": match.rule, "choice": match.choice.label}


class View4(View):
    """DHCPv4: a place is an interface, or a router by its giaddr."""

    family = 4

    def __init__(self, relay: Relay, names: Mapping[int, str]) -> None:
        super().__init__(relay.config, relay.ports, names)
        self.relay = relay
        self._narrator = Narrator(relay)

    @property
    def routers(self) -> Sequence[str]:
        """The networks of routers that may relay to us."""
        return list(map(str, self.relay.config.accept_relayed_from))

    def port_text(self, port: Port) -> str:
        """Tell the state of a client interface."""
        return port_text(port)

    def is_address(self, place: str) -> bool:
        """Whether a place is spelled as an IPv4 address."""
        return bool(_address(place))

    def addresses(self, place: str | None) -> frozenset[bytes]:
        """Return the giaddrs that stand for a place."""
        ports = (port.giaddr for port in self.relay.ports if port.name == place and port.giaddr)
        return frozenset(giaddr.packed for giaddr in (*ports, *_address(place)))

    def verdict(self, chaddr: bytes, port: Port | None) -> Event:
        """Return what the mapping says of a client that boots, on an interface, or None behind a router."""
        relay, config = self.relay, self.relay.config
        client = DescribedClient(chaddr, port.name if port else None, FIRMWARE, ())
        entries = tuple(config.policy.candidates(client, port.setting.default if port else None))
        pxe_only = port.setting.pxe_only if port else config.pxe_only
        sent = recipients(config, client, entries[0].choice, pxe_only=pxe_only)
        addresses = () if isinstance(sent, Drop) else relay.now_for(sent, chaddr)
        dropped = sent if isinstance(sent, Drop) else None if addresses else Drop.NOT_RESOLVED
        return told(relay, entries, addresses, dropped, MEANING[dropped] if dropped else "")

    def account(self, facts: Facts, index: int, source: bytes, decision: Decision) -> Account:
        """Return the account of a message that came in on an interface, given by its index."""
        return self._narrator.account(facts, self.names.get(index, f"interface {index}"), source, decision)


def _address(text: str | None) -> tuple[Any, ...]:
    try:
        return (IPv4Address(text or ""),)
    except AddressValueError:
        return ()
