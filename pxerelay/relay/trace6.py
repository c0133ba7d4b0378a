"""DHCPv6 as traces see it: whose a message is, where it was heard, and what the mapping says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv6Address

from pxerelay.policy.ports6 import Port6
from pxerelay.relay.account6 import Account6, Narrator6
from pxerelay.relay.decision6 import MEANING6, Drop6, ToPeer
from pxerelay.relay.outcome6 import Outcome6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.trace import Event, View, Watch, Watches
from pxerelay.relay.trace_view import FIRMWARE, told
from pxerelay.relay.transactions6 import Transaction6, transaction
from pxerelay.relay.words6 import port_text
from pxerelay.wire import eui64, packet6, probe6, relayed6
from pxerelay.wire.batch6 import Batch6
from pxerelay.wire.client6 import Client6
from pxerelay.wire.facts6 import Facts6

_DHCPV6 = 6

_XID = bytes(3)


class View6(View):
    """DHCPv6: a place is an interface, or a router by its address or link-address."""

    family = _DHCPV6

    def __init__(self, relay: Relay6, names: Mapping[int, str]) -> None:
        super().__init__(relay.config, relay.ports, names)
        self.relay = relay
        self._narrator = Narrator6(relay)

    @property
    def routers(self) -> Sequence[str]:
        """The networks of routers that may relay to us."""
        return list(map(str, self.relay.config.accept_relayed_from6))

    def port_text(self, port: Port6) -> str:
        """Tell the state of a client interface."""
        return port_text(port)

    def is_address(self, place: str) -> bool:
        """Whether a place is spelled as an IPv6 address."""
        return bool(self.addresses(place))

    def addresses(self, place: str | None) -> frozenset[bytes]:
        """Return the address of a router; an interface is known by its index."""
        try:
            return frozenset((IPv6Address(place or "").packed,))
        except AddressValueError:
            return frozenset()

    def verdict(self, chaddr: bytes, port: Port6 | None) -> Event:
        """Return what the mapping says of a client that boots, on an interface, or None behind a router."""
        relay, policy = self.relay, self.config.policy
        facts = Facts6(probe6.solicit(chaddr, _XID, FIRMWARE, ()))
        client = Client6(facts, port.name if port else None, packet6.UNSET, chaddr)
        entries = tuple(policy.candidates(client, port.setting.default if port else None))
        pxe_only = port.setting.pxe_only if port else self.config.pxe_only
        sent = relay.recipients(client, entries[0].choice, pxe_only=pxe_only)
        addresses = () if isinstance(sent, Drop6) else relay.now_for(sent, chaddr)
        dropped = sent if isinstance(sent, Drop6) else None if addresses else relay.why_nobody(sent)
        return told(relay, entries, addresses, dropped, MEANING6[dropped] if dropped else "")

    def account(self, outcome: Outcome6) -> Account6:
        """Return the account of a message."""
        arrival = outcome.arrival
        interface = self.names.get(arrival.interface, f"interface {arrival.interface}")
        facts = outcome.facts or Facts6(arrival.message)
        return self._narrator.account(arrival, facts, interface, outcome.decision)


def may_want(watches: Watches, batch: Batch6) -> list[int]:
    """Return the positions of messages to and from clients that somebody follows, whatever becomes of them.

    Of others, which are not decided on in groups, some may be missing.
    """
    found = []
    for at, (kind, mac) in enumerate(zip(batch.types(), batch.macs, strict=True)):
        message = batch.messages[at]
        if kind == packet6.RELAY_REPL and len(message) >= packet6.RELAY_HEADER_SIZE:
            mac = eui64.mac_of(bytes(message[packet6.PEER_ADDRESS]))
            if mac is None or watches.of_client(mac):
                found.append(at)
        elif mac is not None and watches.of_client(mac):
            found.append(at)
    return found


def wanting(watches: Watches, outcomes: Sequence[Outcome6], now: float) -> dict[int, list[Watch]]:
    """Return the positions of outcomes that somebody is to be told of, and who."""
    found: dict[int, list[Watch]] = {}
    watches.renew(now)
    for at, outcome in enumerate(outcomes):
        who = [] if outcome.taken else _who(watches, outcome)
        if who:
            found[at] = who
    return watches.bounded(found, now) if found else found


def transactions(outcome: Outcome6) -> list[Transaction6]:
    """Return the transaction that a request is in, or those that a reply may be in."""
    if not isinstance(outcome.decision, ToPeer) and not _is_reply(outcome):
        return [transaction(outcome.facts or Facts6(outcome.arrival.message))]
    key = transaction(_inside(outcome))
    return [key, key.rapid]


def _is_reply(outcome: Outcome6) -> bool:
    return packet6.message_type(outcome.arrival.message) == packet6.RELAY_REPL


def _inside(outcome: Outcome6) -> Facts6:
    """Return the facts of the message to the client in a RELAY-REPL."""
    return Facts6(relayed6.innermost(outcome.arrival.message))


def _who(watches: Watches, outcome: Outcome6) -> list[Watch]:
    arrival, decision = outcome.arrival, outcome.decision
    if _is_reply(outcome):
        keys = transactions(outcome)
        known = watches.of_transaction(*keys)
        if isinstance(decision, ToPeer) and decision.hardware and decision.port:
            there = (
                one for one in watches.of_client(decision.hardware) if one.place in (None, _name(decision))
            )
            known += [one for one in there if one not in known]
        return known
    if isinstance(decision, ToPeer):
        return []
    client = decision.client
    chaddr = client.chaddr if client else arrival.mac
    if chaddr is None:
        return []
    layers = client.facts.layers if client else ()
    addresses = arrival.source, *(layer.link_address for layer in layers)
    return [one for one in watches.of_client(chaddr) if one.is_at(_DHCPV6, arrival.interface, *addresses)]


def _name(decision: ToPeer) -> str:
    return decision.port.name if decision.port else ""
