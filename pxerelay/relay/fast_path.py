"""Messages that are decided on by a decision remembered from an earlier message.

What decides about a client's request is where it is heard, what the rules say of its MAC, and options 60 and
93. `FastPath` remembers what `Relay` decided for these three, so that it need not be asked about other
clients that have them in common (`client_groups`); a client in the middle of a boot (`policy.sticky`) has
nothing in common with anybody. Of a batch it takes what it knows, patches hops and giaddr, and puts together
what goes the same way. Of replies it takes those that most are: to a client that has been given an address,
which goes to it by link layer. Everything else is the `Relay`'s to decide, one message at a time. So all
packet rules stay there, and a property test holds the two equal. What comes out is the same for both:
`outcome`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet

from pxerelay.policy.ports import Port
from pxerelay.policy.sticky import StickyClients
from pxerelay.relay.any_fast_path import ALONE, AnyFastPath
from pxerelay.relay.decision import Drop, ToClient, ToServers
from pxerelay.relay.outcome import Lost, Outcome, Replies, Requests, Route
from pxerelay.relay.relay import Relay
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch, number, numbers
from pxerelay.wire.facts import Facts
from pxerelay.wire.frames import Reply
from pxerelay.wire.mac import MAC_OCTETS
from pxerelay.wire.option_fingerprint import Fingerprint, Fingerprints

_ROUTES = 1 << 14
"""Routes that are remembered; there are as many as VLANs, servers and kinds of firmware make."""

_SOURCES = 1 << 14
"""Addresses of routers and clients that are remembered, whether what they send is taken or not."""

_ETHERNET = bytes((packet.HTYPE_ETHERNET, MAC_OCTETS))

_REPLIES = frozenset(number(bytes((packet.BOOTREPLY, *_ETHERNET, hops))) for hops in range(256))
"""How a reply to an Ethernet client begins."""

_UNKNOWN = 0
"""How neither a request nor a reply begins."""

_TYPE_FIRST = packet.MAGIC_COOKIE + bytes((packet.MESSAGE_TYPE, 1))

_NO_NAK = frozenset(number(_TYPE_FIRST + bytes((kind, 0))) for kind in range(256) if kind != packet.DHCPNAK)
"""How options of a DHCP message begin that is no DHCPNAK; what an option 53 further on would add does not
make it one (RFC 3396)."""

_SEVEN_OCTETS = number(b"\xff" * 7 + b"\0")
_TYPED_SIZE = packet.HEADER_SIZE + 7

_NAMES_A_SERVER = (packet.MESSAGE_TYPE, packet.SERVER_IDENTIFIER)
"""Options by which a REQUEST names the one of several servers that it goes to (rule 42)."""

_SERVER_PORT = number(packet.SERVER_PORT.to_bytes(2, "big"))

_OF_THE_MAPPING = frozenset({Drop.MAPPED_TO_DROP, Drop.NOT_PXE, Drop.NOT_RESOLVED})
"""Drops that the mapping decided on: their client counts as met."""

Place = int
"""Where a request was heard: the index of an interface, or `~index` if a router relayed it to us."""

_REFUSED: Place = 0
"""The place of a request that the relay perhaps does not take: no cached route uses it."""

Form = Fingerprint | int
"""What a request says of its client: a fingerprint of options; or only its length, where nobody asks."""

Key = tuple[Place, int, Form]
"""Where a request was heard, a number for what the rules say of its client, and its form."""


class _Exit:
    """Where replies of one server, given as a number, leave."""

    __slots__ = ("port", "source")

    def __init__(self, port: Port, source: int) -> None:
        self.port, self.source = port, source


class FastPath(AnyFastPath):
    """The memory of one `Relay`; made anew with it. What the relay follows, this has to `follow` too."""

    def __init__(self, relay: Relay) -> None:
        super().__init__(relay)
        self._relay = relay
        self._sticky: StickyClients | None = relay.sticky
        self._next_hops = {
            number(bytes((packet.BOOTREQUEST, *_ETHERNET, hops))): hops + 1
            for hops in range(relay.config.max_hops + 1)
        }
        pools = bool(relay.config.pools)
        asks = pools or relay.config.asks_what_clients_are
        self._fingerprints = Fingerprints(_NAMES_A_SERVER if pools else ()) if asks else None
        self._any_port = relay.config.any_source_port
        self._routes: dict[Key, Route] = {}
        self._places: dict[tuple[Place, int], Place] = {}
        self._exits: dict[tuple[int, int, int], _Exit] = {}

        self.follow(frozenset())

    def follow(self, indexes: AbstractSet[int]) -> None:
        """Forget what was decided about messages of some interfaces, for the network is another there."""
        self._own = numbers(self._relay.own_addresses)
        self._adding = {port.index for port in self._relay.ports if port.info}
        self._places.clear()
        if indexes:
            places = {*indexes, *(~index for index in indexes)}
            self._routes = {key: route for key, route in self._routes.items() if key[0] not in places}
            self._exits = {
                key: leaves
                for key, leaves in self._exits.items()
                if key[0] not in indexes and leaves.port.index not in indexes
            }

    def _forget_routes(self) -> None:
        self._routes.clear()

    def take(self, batch: Batch, leave: Collection[int] = ()) -> tuple[list[Outcome], list[int]]:
        """Return what becomes of the messages whose way is known, patched, and the positions of the rest.

        Those of `leave` are among the rest, whatever is known of them.
        """
        self._begin_anew_if_full()
        self._strangers.clear()
        heads = batch.words(packet.OP)
        for at in leave:
            heads[at] = _UNKNOWN
        outcomes: list[Outcome] = []
        rest = self._take_requests(batch, heads, outcomes)
        if rest:
            rest = self._take_replies(batch, heads, rest, outcomes)
        return outcomes, rest

    def _take_requests(self, batch: Batch, heads: list[int], outcomes: list[Outcome]) -> list[int]:
        rest = []
        groups: defaultdict[Route, list[int]] = defaultdict(list)
        next_hops, rules, routes = self._next_hops, self._rules, self._routes
        form = len if self._fingerprints is None else self._fingerprints.known
        columns = zip(
            batch.messages,
            batch.sizes,
            heads,
            batch.words(packet.GIADDR.start),
            batch.clients(),
            batch.indexes,
            batch.sources,
            strict=True,
        )
        for at, (message, size, head, giaddr, client, index, source) in enumerate(columns):
            if head in next_hops and size >= packet.HEADER_SIZE:
                route = routes.get(
                    (
                        self._place(index, giaddr, source) if giaddr or source else index,
                        rules.get(client) or self._rule_for(client),
                        form(message),
                    )  # type: ignore[arg-type]  # None is no key, and so finds nothing
                )
                if route is not None:
                    message[packet.HOPS] = next_hops[head]
                    if not giaddr:
                        message[packet.GIADDR] = route.giaddr
                    groups[route].append(at)
                    continue
            rest.append(at)
        if groups:
            self._put_together(batch, groups, outcomes)
        return rest

    def _put_together(self, batch: Batch, groups: dict[Route, list[int]], outcomes: list[Outcome]) -> None:
        messages, strangers = batch.messages, self._strangers
        clients = batch.clients() if strangers or self._sticky else []
        for route, positions in groups.items():
            new = []
            if strangers:
                for at in positions:
                    if clients[at] in strangers:
                        strangers.discard(clients[at])
                        new.append(at)
            going: list[packet.Message] = [messages[at] for at in positions]
            outcomes.append(Requests(route.decision, route.index, positions, going, new, route))
            if self._sticky:
                self._note([clients[at] for at in positions], route.decision, going)

    def _place(self, index: int, giaddr: int, source: int) -> Place:
        """Return the place of a request from an address, if the relay takes it whatever else it says."""
        if giaddr in self._own:
            return _REFUSED
        key = ~index if giaddr else index, source
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= _SOURCES:
                self._places.clear()
            octets = source.to_bytes(4, sys.byteorder)
            relay = self._relay
            taken = relay.takes_from_router if giaddr else relay.serves_directly
            place = self._places[key] = key[0] if taken(index, octets) else _REFUSED
        return place

    def _note(
        self, clients: Iterable[bytes], decision: ToServers, messages: Sequence[packet.Message]
    ) -> None:
        """Note who is booting, and show what was decided on to those who look for a DISCOVER."""
        if self._sticky:
            self._sticky.met(clients)
            if self._sticky.wanted and decision.pools:
                self._sticky.look(decision.pools, messages, decision.source, decision.vrf)

    def _note_one(self, facts: Facts, decision: ToServers, message: packet.Message) -> None:
        if self._sticky:
            self._note((facts.client_key,), decision, (message,))

    def _take_replies(
        self, batch: Batch, heads: list[int], rest: Iterable[int], outcomes: list[Outcome]
    ) -> list[int]:
        sizes, messages = batch.sizes, batch.messages
        flags = batch.octets(packet.FLAGS)
        ciaddrs, yiaddrs = batch.words(packet.CIADDR.start), batch.words(packet.YIADDR.start)
        giaddrs, clients = batch.words(packet.GIADDR.start), batch.clients()
        options, exits = batch.quads(packet.HEADER_SIZE), self._exits
        sources, ports = batch.sources, batch.ports
        groups: defaultdict[_Exit, list[Reply]] = defaultdict(list)
        left = []
        for at in rest:
            if (
                heads[at] in _REPLIES
                and sizes[at] >= _TYPED_SIZE
                and options[at] & _SEVEN_OCTETS in _NO_NAK
                and flags[at] < packet.BROADCAST_FLAG
                and not ciaddrs[at]
                and yiaddrs[at]
                and (ports[at] == _SERVER_PORT or self._any_port)
                and (leaves := exits.get((batch.indexes[at], sources[at], giaddrs[at])))
            ):
                groups[leaves].append(Reply(messages[at], yiaddrs[at], clients[at]))
            else:
                left.append(at)
        outcomes.extend(Replies(leaves.port, leaves.source, replies) for leaves, replies in groups.items())
        return left

    def decide(self, batch: Batch, at: int, facts: Facts) -> Outcome:
        """Return what becomes of one message as the relay decides; remember it if others may go that way."""
        message, index, source, unicast = batch.arrival(at)
        client = self._client(message)
        key = self._key(facts, client, index, batch.sources[at])
        strangers = (at,) if client is not None and client in self._strangers else ()
        if strangers and client is not None:
            self._strangers.discard(client)
        decision = self._relay.decide(message, index, source, unicast, facts, batch.port(at))
        if isinstance(decision, ToServers):
            going = decision.message or message
            self._note_one(facts, decision, going)
            if key is not None:
                if len(self._routes) >= _ROUTES:
                    self._routes.clear()
                others = decision._replace(client=None)
                self._routes.setdefault(key, Route(others, bytes(message[packet.GIADDR]), index))
            return Requests(decision, index, [at], [going], strangers)
        if isinstance(decision, ToClient):
            if not decision.port.info and not self._relay.is_client_interface(index):
                if len(self._exits) >= _ROUTES:
                    self._exits.clear()
                exit_ = index, batch.sources[at], number(bytes(message[packet.GIADDR]))
                self._exits[exit_] = _Exit(decision.port, batch.sources[at])
            reply = Reply(decision.message or message, number(decision.address), decision.hardware)
            return Replies(decision.port, batch.sources[at], [reply], decision)
        if client is not None and decision.reason not in _OF_THE_MAPPING:
            self._forget(client)
            strangers = ()
        return Lost(decision, index, [at], strangers)

    def _client(self, message: packet.Message) -> bytes | None:
        """Return the Ethernet address of a request's client that a rule could name; None for others."""
        if not packet.is_request(message) or number(bytes(message[:4])) not in self._next_hops:
            return None
        return bytes(message[packet.CHADDR_START : packet.CHADDR_START + MAC_OCTETS])

    def _key(self, facts: Facts, client: bytes | None, index: int, source: int) -> Key | None:
        """Return what decides about a request; None if more than that does."""
        if client is None:
            return None
        rule = self._rules.get(client) or self._rule_for(client)
        if rule == ALONE or index in self._adding:
            return None
        form = len(facts.message) if self._fingerprints is None else self._fingerprints.learn(facts)
        giaddr = number(bytes(facts.message[packet.GIADDR]))
        place = self._place(index, giaddr, source) if giaddr or source else index
        return None if form is None or place == _REFUSED else (place, rule, form)
