"""DHCPv6 messages that are decided on by a decision remembered from an earlier message.

As `fast_path`. What decides about a client's request is where it is heard, what the rules say of its MAC, and
what it says of itself (`form6`); what decides about a reply is which server sent it, and which link-address
and Interface-Id it brings. `FastPath6` remembers what `Relay6` decided for these, and takes what it knows of
a batch. It leaves to the relay what was relayed already, clients whose MAC nobody told, and all that does not
come from a link-local address, or does not go to one. A property test holds the two equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pxerelay.policy.ports6 import Port6
from pxerelay.relay.any_fast_path import ALONE, AnyFastPath
from pxerelay.relay.decision6 import Arrival6, Decision6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.outcome6 import Group6, Replies6, Requests6, Route6
from pxerelay.relay.relay6 import Relay6
from pxerelay.wire import eui64, packet6
from pxerelay.wire.batch import SLOT
from pxerelay.wire.batch6 import FROM_SERVER_PORT, IN_FRONT, Batch6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.form6 import Forms6, ReplyForm, ReplyForms
from pxerelay.wire.frames6 import HEADERS_SIZE, Reply6
from pxerelay.wire.option_fingerprint import Fingerprint
from pxerelay.wire.packet6 import ALL_RELAYS_AND_SERVERS, LINK_ADDRESS, PEER_ADDRESS, RELAY_REPL

_ROUTES = 1 << 14
"""Routes that are remembered; there are as many as VLANs, servers and kinds of firmware make."""

_LOOKED_AT = 4
"""Messages that went one way of which a SOLICIT is looked for."""

_SAID = 1 << 14
"""Addresses of which it is remembered which Ethernet address they say; with more, all are forgotten."""

_NOT_OF_CLIENTS = frozenset(
    {packet6.ADVERTISE, packet6.REPLY, packet6.RECONFIGURE, packet6.RELAY_FORW, packet6.RELAY_REPL}
)
"""Types of messages that clients do not send, or that are no request of theirs alone."""

_LINK_LOCAL = eui64.LINK_LOCAL[0]
"""How addresses begin that one host on a link has, and no group."""

_OF_THE_MAPPING = frozenset({Drop6.MAPPED_TO_DROP, Drop6.NOT_PXE, Drop6.NOT_RESOLVED, Drop6.NO_IPV6_SERVER})
"""Drops that the mapping decided on: their client counts as met."""

Form = Fingerprint | int
"""What a request says of its client: a form of options; or only its length, where nobody asks."""

Key = tuple[int, int, Form]
"""The interface a request was heard on, a number for what the rules say of its client, and its form."""

ExitKey = tuple[int, bytes, bytes, bytes, ReplyForm]
"""Where a reply was heard and of whom; its link-address, its Interface-Id, its form."""


class _Exit:
    """Where replies of one server leave, and the VRF that they are sent in."""

    __slots__ = ("index", "port", "source")

    def __init__(self, port: Port6, index: int, source: bytes) -> None:
        self.port, self.index, self.source = port, index, source


class FastPath6(AnyFastPath):
    """The memory of one `Relay6`; made anew with it. When the relay follows something, so has this."""

    def __init__(self, relay: Relay6) -> None:
        super().__init__(relay)
        self._relay = relay
        self._pools = bool(relay.config.pools)
        self._forms = Forms6() if relay.asks_what_clients_are or self._pools else None
        self._reply_forms = ReplyForms(tells_server=self._pools)
        self._any_port = relay.config.any_source_port
        self._routes: dict[Key, Route6] = {}
        self._exits: dict[ExitKey, _Exit] = {}
        self._said: dict[bytes, bytes] = {}
        self.follow()

    def follow(self) -> None:
        """Forget what was decided, for the network is another."""
        self._own = self._relay.own_addresses
        self._forget_routes()
        self._exits.clear()

    def _forget_routes(self) -> None:
        self._routes.clear()

    def take(self, batch: Batch6, positions: Iterable[int]) -> tuple[list[Group6], list[int]]:
        """Return what becomes of the messages whose way is known, of those at some positions, and the rest.

        Headers are written in front of requests. `batch.macs` must be known.
        """
        self._begin_anew_if_full()
        self._strangers.clear()
        if not len(batch):
            return [], []
        types = batch.types()
        groups: list[Group6] = []
        rest = self._take_requests(batch, types, positions, groups)
        if rest:
            rest = self._take_replies(batch, types, rest, groups)
        return groups, rest

    def _take_requests(
        self, batch: Batch6, types: list[int], positions: Iterable[int], groups: list[Group6]
    ) -> list[int]:
        rest = []
        found: defaultdict[Route6, list[int]] = defaultdict(list)
        rules, routes = self._rules, self._routes
        form = len if self._forms is None else self._forms.known
        macs, messages, interfaces = batch.macs, batch.messages, batch.interfaces
        fitting = self._all_fit(batch, types)
        for at in positions:
            mac = macs[at]
            if mac is not None and (fitting or self._fits(batch, types, at)):
                rule = rules.get(mac) or self._rule_for(mac)
                route = routes.get((interfaces[at], rule, form(messages[at])))  # type: ignore[arg-type]
                if route is not None:
                    found[route].append(at)
                    continue
            rest.append(at)
        groups.extend(self._requests(batch, route, here) for route, here in found.items())
        return rest

    def _all_fit(self, batch: Batch6, types: list[int]) -> bool:
        """Whether all messages of a batch fit: to look at a whole column is faster than at each of it."""
        sources, sizes = batch.origins, batch.sizes
        return (
            min(sizes) >= packet6.HEADER_SIZE
            and max(sizes) <= SLOT
            and _NOT_OF_CLIENTS.isdisjoint(types)
            and min(sources)[0] == max(sources)[0] == _LINK_LOCAL
            and self._own.isdisjoint(sources)
        )

    def _fits(self, batch: Batch6, types: list[int], at: int) -> bool:
        """Whether a message may be a client's request, from a client's address, and lies in its slot."""
        source = batch.origins[at]
        return (
            types[at] not in _NOT_OF_CLIENTS
            and packet6.HEADER_SIZE <= batch.sizes[at] <= SLOT
            and source[0] == _LINK_LOCAL
            and source not in self._own
        )

    def _requests(self, batch: Batch6, route: Route6, positions: list[int]) -> Requests6:
        macs, strangers, new = batch.macs, self._strangers, list[int]()
        if strangers:
            for at in positions:
                mac = macs[at]
                if mac in strangers:
                    strangers.discard(mac)
                    new.append(at)
        going = route.write(batch, positions)
        sticky, decision = self._relay.sticky, route.decision
        if sticky is not None:
            sticky.met(mac for mac in map(macs.__getitem__, positions) if mac)
            if sticky.wanted and decision.pools:
                for at, message in zip(positions[:_LOOKED_AT], going, strict=False):
                    facts, header = Facts6(bytes(batch.messages[at])), bytes(message[: route.size])
                    sticky.look(decision.pools, facts, header, decision.source, decision.vrf)
        return Requests6(decision, route.index, positions, going, new, route)

    def _take_replies(
        self, batch: Batch6, types: list[int], positions: Iterable[int], groups: list[Group6]
    ) -> list[int]:
        rest = []
        found: defaultdict[_Exit, list[Reply6]] = defaultdict(list)
        known, exits, own, said = self._reply_forms.known, self._exits, self._own, self._said
        messages, ports, sources = batch.messages, batch.ports, batch.origins
        interfaces, behind, any_port = batch.interfaces, self._relay.behind, self._any_port
        for at in positions:
            if types[at] == RELAY_REPL and (ports[at] == FROM_SERVER_PORT or any_port):
                message = messages[at]
                form = known(message)
                if form is not None and message[form.kind] != RELAY_REPL:
                    name = message[form.interface_id].tobytes()
                    leaves = exits.get(
                        (interfaces[at], sources[at], message[LINK_ADDRESS].tobytes(), name, form)
                    )
                    peer = message[PEER_ADDRESS].tobytes()
                    if leaves and peer.startswith(eui64.LINK_LOCAL) and peer not in own:
                        mac = behind(leaves.index, peer) or said.get(peer) or self._address_says(peer)
                        if mac is not None:
                            found[leaves].append(Reply6(message[form.inside], peer, mac))
                            continue
            rest.append(at)
        for leaves, replies in found.items():
            groups.append(Replies6(leaves.port, leaves.source, replies))
            if self._pools:
                self._relay.learn(replies[0].message, leaves.source)
        return rest

    def _address_says(self, address: bytes) -> bytes | None:
        mac = eui64.mac_of(address)
        if mac is not None:
            if len(self._said) >= _SAID:
                self._said.clear()
            self._said[address] = mac
        return mac

    def decide(self, arrival: Arrival6, facts: Facts6) -> tuple[Decision6, bool]:
        """Return what becomes of one message that is not refused, and whether its client is a stranger.

        It is as the relay decides; it is remembered if others may go that way.
        """
        key = self._key(arrival, facts)
        decision = self._relay.decide_on_taken(arrival, facts)
        if isinstance(decision, ToPeer):
            self._remember_exit(arrival, decision)
            return decision, False
        mac = decision.client.chaddr if decision.client else None
        if mac is not None and mac not in self._rules and mac not in self._alone:
            self._rule_for(mac)
        stranger = mac in self._strangers
        if stranger and mac is not None:
            self._strangers.discard(mac)
        if isinstance(decision, Dropped6):
            if mac is not None and decision.reason not in _OF_THE_MAPPING:
                self._forget(mac)
                stranger = False
            return decision, stranger
        if key is not None and len(decision.header) <= IN_FRONT:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            others = decision._replace(client=None)
            self._routes.setdefault(key, Route6(others, arrival.interface))
        return decision, stranger

    def note(self, decision: ToServers6, facts: Facts6) -> None:
        """Note who is booting, and show the request to those who look for one."""
        sticky = self._relay.sticky
        if sticky is not None and decision.client is not None:
            sticky.met((decision.client.client_key,))
            if sticky.wanted and decision.pools:
                sticky.look(decision.pools, facts, decision.header, decision.source, decision.vrf)

    def _key(self, arrival: Arrival6, facts: Facts6) -> Key | None:
        """Return what decides about a request of a client itself; None if more than that does."""
        message, mac = arrival.message, arrival.mac
        if (
            mac is None
            or arrival.destination != ALL_RELAYS_AND_SERVERS
            or message[packet6.TYPE] in _NOT_OF_CLIENTS
        ):
            return None
        rule = self._rules.get(mac) or self._rule_for(mac)
        if rule == ALONE:
            return None
        if self._forms is None:
            return arrival.interface, rule, len(message)
        if self._pools and packet6.SERVER_ID in facts.options:
            return None  # it may go to the server that it names, whatever others do
        form = self._forms.learn(message)
        return None if form is None else (arrival.interface, rule, form)

    def _remember_exit(self, arrival: Arrival6, decision: ToPeer) -> None:
        port, index = decision.port, arrival.interface
        if (
            port is None
            or port.index is None
            or not port.hardware
            or decision.source is None
            or self._relay.is_client_interface(index)  # what is the way to a server may change
            or decision.udp_port != packet6.CLIENT_PORT
            or not decision.address.startswith(eui64.LINK_LOCAL)
            or len(decision.message) + HEADERS_SIZE > port.mtu
        ):
            return
        message = memoryview(arrival.message)
        form = self._reply_forms.learn(message)
        if form is None:
            return
        if len(self._exits) >= _ROUTES:
            self._exits.clear()
        key = (
            index,
            arrival.source,
            message[LINK_ADDRESS].tobytes(),
            message[form.interface_id].tobytes(),
            form,
        )
        self._exits[key] = _Exit(port, port.index, arrival.source)
