"""Messages whose way is known already.

What decides about a client's request is where it is heard, what the rules say of its MAC, and options 60 and
93. `FastPath` remembers what `Relay` decided for these three, so that it need not be asked about other
clients that have them in common (`client_groups`); a client in the middle of a boot (`policy.sticky`) has
nothing in common with anybody. Of a batch it takes what it knows, patches hops and giaddr, and puts together
what goes the same way. Of replies it takes those that most are: to a client that has been given an address, which goes
to it by link layer. Everything else is the `Relay`'s to decide. So all packet rules stay there, and a
property test holds the two equal.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from pxerelay.relay.client_groups import ClientGroups
from pxerelay.relay.counters import Counters
from pxerelay.relay.relay import Decision, Relay, ToClient, ToServers
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch, client_number, number
from pxerelay.wire.frames import Reply
from pxerelay.wire.mac import MAC_OCTETS
from pxerelay.wire.option_fingerprint import Fingerprint, Fingerprints

_CLIENTS = 1 << 16
"""Clients whose rule is remembered; when there are more, it starts anew."""

_SIFTED = 1 << 14
"""Clients that are gone through to forget some, in a millisecond or two; of more, all are forgotten."""

_WAYS = 1 << 14
"""Ways that are remembered; there are as many as servers, kinds of firmware and routers make."""

_ALONE = 0
"""In the place of a rule's number, for a client that is in the middle of a boot: no way has it."""

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


class CachedRoute:
    """Where requests of an interface go that need no change but in hops and giaddr, which becomes `giaddr`.

    `count` is how many went so that the counters were not told of yet.
    """

    __slots__ = ("count", "decision", "giaddr", "index")

    def __init__(self, decision: ToServers, giaddr: bytes, index: int) -> None:
        self.decision, self.giaddr, self.index = decision, giaddr, index
        self.count = 0


class CachedExit:
    """Where replies of one server, given as a number, leave: an interface. `count` as in `CachedRoute`."""

    __slots__ = ("count", "index", "source")

    def __init__(self, index: int, source: int) -> None:
        self.index, self.source = index, source
        self.count = 0


class Known:
    """What of a batch is known.

    `groups` holds requests of one length by their way, `replies` those of one server that leave by one
    interface.
    `clients` has the number of the client for each request (`batch.client_number`). `strangers` are the
    positions in the batch, known or not, of requests whose client no rule names, one for each client that
    was not met since `FastPath.meet_anew`.
    """

    __slots__ = ("clients", "groups", "replies", "strangers")

    def __init__(self) -> None:
        self.strangers: list[int] = []
        self.groups: defaultdict[CachedRoute, list[memoryview]] = defaultdict(list)
        self.clients: list[int] = []
        self.replies: defaultdict[CachedExit, list[Reply]] = defaultdict(list)

    def leave_out(self, excess: Mapping[int, int]) -> Counter[int]:
        """Take out so many messages of these clients, and return how many there were by interface."""
        left, out = dict(excess), Counter[int]()
        for way, messages in self.groups.items():
            kept = []
            for message in messages:
                client = client_number(message)
                if left.get(client, 0):
                    left[client] -= 1
                else:
                    kept.append(message)
            out[way.index] += len(messages) - len(kept)
            self.groups[way] = kept
        return out


Origin = int | tuple[int, int, int]
"""Where a request was heard: on an interface; or on an interface from a router, with that giaddr."""

Form = Fingerprint | int
"""What a request says of its client: a layout of options; or only its length, where nobody asks."""


Key = tuple[Origin, int, Form]
"""Where a request was heard, a number for what the rules say of its client, and its form."""


class FastPath:
    """The memory of one `Relay`; made anew with it. What goes its known way is counted by `counters`."""

    def __init__(self, relay: Relay, counters: Counters | None = None) -> None:
        self._relay = relay
        self._counters = Counters() if counters is None else counters
        self._next_hops = {
            number(bytes((packet.BOOTREQUEST, *_ETHERNET, hops))): hops + 1
            for hops in range(relay.config.max_hops + 1)
        }
        self._adding = {port.index for port in relay.ports if port.info}
        self._fingerprints = Fingerprints() if relay.config.asks_what_clients_are else None
        self._first = relay.config.policy.rules.first
        self._rules: dict[int, int] = {}
        self._sticky = relay.sticky
        self._alone: set[int] = set()
        self._groups = ClientGroups(relay)
        self._ways: dict[Key, CachedRoute] = {}
        self._exits: dict[tuple[int, int, int], CachedExit] = {}

    def settle(self) -> None:
        """Tell the counters what it was not told of yet."""
        for way in self._ways.values():
            if way.count:
                self._counters.add_requests(way.index, way.decision, way.count)
                way.count = 0
        for leaves in self._exits.values():
            if leaves.count:
                self._counters.add_replies(
                    leaves.index, leaves.source.to_bytes(4, sys.byteorder), leaves.count
                )
                leaves.count = 0

    def take(self, batch: Batch, leave: Collection[int] = ()) -> tuple[Known, list[int]]:
        """Return what is known of a batch, patched, and the positions of the rest, `leave` among them."""
        self._begin_anew_if_full()
        known, heads = Known(), batch.words(packet.OP)
        for at in leave:
            heads[at] = _UNKNOWN
        rest = self._take_requests(batch, heads, known)
        if rest:
            rest = self._take_replies(batch, heads, rest, known)
        return known, rest

    def _take_requests(self, batch: Batch, heads: list[int], known: Known) -> list[int]:
        rest, groups, clients, sources = [], known.groups, known.clients, batch.sources
        next_hops, rules, ways, fingerprints = self._next_hops, self._rules, self._ways, self._fingerprints
        strangers = known.strangers
        columns = zip(
            batch.messages,
            batch.sizes,
            heads,
            batch.words(packet.GIADDR.start),
            batch.clients(),
            batch.indexes,
            strict=True,
        )
        for at, (message, size, head, giaddr, client, index) in enumerate(columns):
            if head in next_hops and size >= packet.HEADER_SIZE:
                way = ways.get(
                    (
                        (index, giaddr, sources[at]) if giaddr else index,
                        rules.get(client) or self._rule_for(client, at, strangers),
                        size if fingerprints is None else fingerprints.of(message),
                    )  # type: ignore[arg-type]  # None is no key, and so finds nothing
                )
                if way is not None:
                    message[packet.HOPS] = next_hops[head]
                    message[packet.GIADDR] = way.giaddr
                    clients.append(client)
                    groups[way].append(message)
                    continue
            rest.append(at)
        if self._sticky and clients:
            self._sticky.met(clients)
            if self._sticky.wanted:
                for way, messages in groups.items():
                    self._note((), way.decision, messages)
        return rest

    def _note(
        self, clients: Collection[int], decision: ToServers, messages: Sequence[packet.Message]
    ) -> None:
        """Note who is booting, and show what was decided on to those who look for a DISCOVER."""
        if self._sticky:
            self._sticky.met(clients)
            if self._sticky.wanted and decision.pools:
                self._sticky.look(decision.pools, messages, decision.source, decision.vrf)

    def meet_anew(self) -> None:
        """Forget the clients that no rule names, so that each of them is a stranger again."""
        if len(self._rules) > _SIFTED:
            self._rules.clear()
        self._alone.clear()
        no_rule = self._groups.no_rule
        self._rules = {client: rule for client, rule in self._rules.items() if rule not in no_rule}

    def strangers(self, batch: Batch, among: Iterable[int] | None = None) -> list[int]:
        """Return what `take` finds as `Known.strangers`, where it is not asked, or not about some."""
        self._begin_anew_if_full()
        found: list[int] = []
        heads, clients = batch.words(packet.OP), batch.clients()
        for at in range(len(batch)) if among is None else among:
            if heads[at] in self._next_hops and batch.sizes[at] >= packet.HEADER_SIZE:
                self._rules.get(clients[at]) or self._rule_for(clients[at], at, found)
        return found

    def forget(self, client: int) -> None:
        """Forget a client as if its request had not come."""
        self._rules.pop(client, None)
        self._alone.discard(client)

    def _rule_for(self, client: int, at: int, strangers: list[int]) -> int:
        """Return a number that stands for what the rules say of a client not met yet, and remember it.

        If they say nothing its position goes to `strangers`. The number is 0, and is not remembered, for a
        client that is to be decided about by itself; that it was met is, apart from the others.
        """
        chaddr = client.to_bytes(8, sys.byteorder)[:MAC_OCTETS]
        rule = self._first(chaddr)
        if rule is None and client not in self._alone:
            strangers.append(at)
        if self._sticky and self._sticky.standing_for(client):
            self._alone.add(client)
            return _ALONE
        if len(self._rules) >= _CLIENTS:
            self._rules.clear()
        found = self._rules[client] = self._groups.number(rule, chaddr)
        return found

    def _begin_anew_if_full(self) -> None:
        """Forget what numbers stand for, and so all that is known by them, when there are too many."""
        if self._groups.full:
            self.settle()
            for memory in (self._rules, self._ways):
                memory.clear()
            self._groups.clear()

    def _take_replies(self, batch: Batch, heads: list[int], rest: Iterable[int], known: Known) -> list[int]:
        sizes, messages = batch.sizes, batch.messages
        flags = batch.octets(packet.FLAGS)
        ciaddrs, yiaddrs = batch.words(packet.CIADDR.start), batch.words(packet.YIADDR.start)
        giaddrs, clients = batch.words(packet.GIADDR.start), batch.clients()
        options, exits, sources = batch.quads(packet.HEADER_SIZE), self._exits, batch.sources
        left = []
        for at in rest:
            if (
                heads[at] in _REPLIES
                and sizes[at] >= _TYPED_SIZE
                and options[at] & _SEVEN_OCTETS in _NO_NAK
                and flags[at] < packet.BROADCAST_FLAG
                and not ciaddrs[at]
                and yiaddrs[at]
                and (leaves := exits.get((batch.indexes[at], sources[at], giaddrs[at])))
            ):
                hardware = clients[at].to_bytes(8, sys.byteorder)[:MAC_OCTETS]
                known.replies[leaves].append(Reply(messages[at], yiaddrs[at], hardware))
            else:
                left.append(at)
        return left

    def decide(self, batch: Batch, at: int) -> Decision:
        """Return what to do with one message that was not known when its batch was looked at.

        It may be by now. If not the relay decides, and that is remembered if others may go the same way.
        """
        message, index, source, unicast = batch.arrival(at)
        key = self._key(message, index, batch.sources[at])
        if key is not None:
            way = self._ways.get(key)
            if way is not None:
                message[packet.HOPS] += 1
                message[packet.GIADDR] = way.giaddr
                self._note((client_number(message),), way.decision, (message,))
                return way.decision
        decision = self._relay.decide(message, index, source, unicast)
        if isinstance(decision, ToServers):
            self._note((client_number(message),), decision, (decision.message or message,))
            if key is not None:
                if len(self._ways) >= _WAYS:
                    self.settle()
                    self._ways.clear()
                self._ways[key] = CachedRoute(decision, bytes(message[packet.GIADDR]), index)
        elif isinstance(decision, ToClient) and decision.port.index and not decision.port.info:
            exit_ = index, batch.sources[at], number(bytes(message[packet.GIADDR]))
            if exit_ not in self._exits:
                if len(self._exits) >= _WAYS:
                    self.settle()
                    self._exits.clear()
                self._exits[exit_] = CachedExit(decision.port.index, batch.sources[at])
        return decision

    def _key(self, message: memoryview, index: int, source: int) -> Key | None:
        """Return what decides about a request; None if more than that does."""
        if len(message) < packet.HEADER_SIZE or index in self._adding:
            return None
        form = len(message) if self._fingerprints is None else self._fingerprints.of(message)
        if form is None or number(bytes(message[:4])) not in self._next_hops:
            return None
        giaddr = number(bytes(message[packet.GIADDR]))
        client = client_number(message)
        rule = self._rules.get(client) or self._rule_for(client, 0, [])
        if rule == _ALONE:
            return None
        return (index, giaddr, source) if giaddr else index, rule, form
