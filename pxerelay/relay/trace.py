"""Following clients: which messages of a batch are theirs, and what those who watch are told of them.

A `Watch` is what one peer of the control socket wants to see, `Watches` are all of them. What is told is
events, mappings of values that JSON has: `message` (an `Account` and how long the answer took), and what
changes meanwhile: `reload`, `refused`, `mapping`, `interface`. A `View` is one family as traces see it;
`trace_view` has DHCPv4's, `trace6` DHCPv6's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from pxerelay.policy.model import Config
from pxerelay.policy.port_table import AnyPort
from pxerelay.relay.account import AnyAccount
from pxerelay.wire import packet
from pxerelay.wire.batch import NOWHERE, Batch
from pxerelay.wire.mac import MAC_OCTETS, Pattern

MOST = 4
"""Watches at the same time."""

RATE = 500
"""Messages that are told of in a second, to all together: what that takes of a second is a twentieth.

Those beyond it are relayed as if nobody watched, and counted for who would have been told.
"""

SAMPLE, SAMPLE_AT_ONCE = 25, 10
"""Messages that whoever samples is told of in a second, and how many of them may come at once.

So an exchange of one client is told of as a whole, and under load they are spread over the second: nobody's
message waits for more than one of them. Of those beyond it hears nothing.
"""

_ASKED = 256
"""Requests of one watch that wait for replies; beyond that the oldest are forgotten."""

Event = dict[str, Any]


class TraceError(Exception):
    """Nothing can be followed so; the message says why."""


class View(ABC):
    """One family: its relay's `config`, its client interfaces, and the names of all interfaces by index."""

    family: int

    def __init__(self, config: Config, ports: Sequence[AnyPort], names: Mapping[int, str]) -> None:
        self.config, self.ports, self.names = config, ports, names

    @cached_property
    def alike(self) -> Sequence[Sequence[AnyPort]]:
        """The client interfaces in groups: on all of one the mapping says the same of any client.

        That is where default and `pxe_only` are the same, and the same classes hold. They are found once, so
        that a question about a client does not cost more the more VLANs there are.
        """
        places = [one.interfaces for one in self.config.policy.classes if one.interfaces is not None]
        found: dict[Hashable, list[AnyPort]] = {}
        for port in self.ports:
            held = tuple(port.name in interfaces for interfaces in places)
            key = id(port.setting.default), port.setting.pxe_only, held
            found.setdefault(key, []).append(port)
        return list(found.values())

    @property
    @abstractmethod
    def routers(self) -> Sequence[str]:
        """The networks of routers that may relay to us."""

    @abstractmethod
    def port_text(self, port: Any) -> str:
        """Tell the state of a client interface."""

    @abstractmethod
    def verdict(self, chaddr: bytes, port: Any) -> Event:
        """Return what the mapping says of a client that boots, on an interface, or None behind a router."""

    @abstractmethod
    def is_address(self, place: str) -> bool:
        """Whether a place is spelled as an address of the family."""

    @abstractmethod
    def addresses(self, place: str | None) -> frozenset[bytes]:
        """Return the addresses in messages that stand for a place: those of a router, or of an interface."""


class Watch:
    """Clients to follow, by a pattern; with a `place` only on that interface, or behind that router.

    `put` takes an event, `lost` a number of events that nobody will be told of. Neither may wait. With
    `sample` it wants some messages of each second (`SAMPLE`), and takes none of what others may be told.
    """

    def __init__(
        self,
        pattern: Pattern,
        place: str | None,
        put: Callable[[Event], None],
        lost: Callable[[int], None],
        *,
        sample: bool = False,
    ) -> None:
        self.pattern = pattern
        self.place = place
        self.sample = sample
        self.put = put
        self.lost = lost
        self.mapping: list[Event] = []
        self._asked: OrderedDict[Hashable, tuple[float, str]] = OrderedDict()
        self._indexes: frozenset[int] = frozenset()
        self._addresses: dict[int, frozenset[bytes]] = {}

    def obey(self, views: Sequence[View]) -> None:
        """Find the place anew."""
        self.mapping = [entry for view in views for entry in mapping_of(view, self.pattern, self.place)]
        named = (view.names.items() for view in views)
        self._indexes = frozenset(index for names in named for index, name in names if name == self.place)
        self._addresses = {view.family: view.addresses(self.place) for view in views}

    def is_at(self, family: int, index: int, *addresses: bytes) -> bool:
        """Whether what was heard on an interface, or has one of these addresses in it, is of the place."""
        if self.place is None or index in self._indexes:
            return True
        return not self._addresses.get(family, frozenset()).isdisjoint(addresses)

    def has_asked(self, *transactions: Hashable) -> bool:
        """Whether a request in one of these transactions was told of."""
        return any(one in self._asked for one in transactions)

    def wanting(self, batch: Batch, clients: Sequence[bytes]) -> list[int]:
        """Return the positions of messages that are to be told of; `clients` is the column of the batch."""
        matches = self.pattern.matches
        found = [at for at, client in enumerate(clients) if matches(client)]
        return [at for at in found if self._wants(batch, at)] if found else found

    def _wants(self, batch: Batch, at: int) -> bool:
        message = batch.messages[at]
        if (
            len(message) < packet.HEADER_SIZE
            or message[packet.HLEN] != MAC_OCTETS
            or batch.indexes[at] == NOWHERE
        ):
            return False
        index = batch.indexes[at] if message[packet.OP] == packet.BOOTREQUEST else NOWHERE
        return self.is_at(_DHCPV4, index, bytes(message[packet.GIADDR]))

    def tell(
        self,
        account: AnyAccount,
        transactions: Sequence[Hashable],
        failures: Sequence[str],
        now: float,
        at: float,
    ) -> None:
        """Tell of a message that was sent, or received, at the monotonic time `now`.

        `at` is the same as seconds since 1970. `transactions` are the one that a request is in, or those that
        a reply may be in.
        """
        event: Event = {"event": "message", "at": round(at, 3), **account.plain, "failures": list(failures)}
        if not account.request:
            if self.place is not None and account.out not in ("", self.place):  # it shares its giaddr
                return
            asked, mac = next(
                (self._asked[one] for one in transactions if one in self._asked), (None, account.mac)
            )
            event["mac"] = account.mac or mac
            event["milliseconds"] = None if asked is None else round(max(now - asked, 0.0) * 1000, 1)
        elif account.servers:
            for one in transactions:
                self._asked[one] = now, account.mac
                self._asked.move_to_end(one)
            if len(self._asked) > _ASKED:
                self._asked.popitem(last=False)
        self.put(event)


_DHCPV4 = 4


class Watches:
    """All watches. False if there are none, so that packets cost nothing more then."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.views: Mapping[int, View] = {}
        self._ports: dict[tuple[int, str], AnyPort] = {}
        self._watches: list[Watch] = []
        self._second = self._sampled_at = 0.0
        self._left = RATE
        self._sample_left = float(SAMPLE_AT_ONCE)

    def __bool__(self) -> bool:
        return bool(self._watches)

    def obey(self, views: Iterable[View], config: dict[str, Any]) -> None:
        """Tell of these families from now on, and of what is another than before.

        `config` says which configuration this is.
        """
        reloaded = config != self.config
        before = self._ports if self._watches else {}
        self.views, self.config = {view.family: view for view in views}, config
        families = list(self.views.values())
        self._ports = {(view.family, port.name): port for view in families for port in view.ports}
        for watch in self._watches:
            old = watch.mapping
            watch.obey(families)
            if reloaded:
                watch.put({"event": "reload", "config": config, "mapping": watch.mapping})
            elif old != watch.mapping:
                watch.put({"event": "mapping", "mapping": watch.mapping})
            for (family, name), port in self._ports.items():
                if before.get((family, name)) != port and watch.place in (None, name):
                    text = self.views[family].port_text(port)
                    watch.put({"event": "interface", "name": name, "text": text})

    def announce(self, event: Event) -> None:
        """Tell everybody of an event."""
        for watch in self._watches:
            watch.put(event)

    def add(self, watch: Watch) -> Event:
        """Begin to follow, and return the first event; TraceError if that makes no sense."""
        alike = [other for other in self._watches if other.sample == watch.sample]
        if watch.sample and alike:
            raise TraceError("somebody samples already, and one does at a time")
        if len(alike) >= MOST:
            others = ", ".join(str(other.pattern) for other in alike)
            raise TraceError(f"{MOST} traces are running already ({others}); end one of them")
        first = self.look(watch)
        self._watches.append(watch)
        return first

    def look(self, watch: Watch) -> Event:
        """Return the first event of a watch, which does not begin; TraceError if it makes no sense."""
        self._check(watch.place)
        views = list(self.views.values())
        watch.obey(views)
        return {
            "event": "start",
            "watching": str(watch.pattern),
            "interface": watch.place,
            "config": self.config,
            "mapping": watch.mapping,
            **self.heard_at(watch.place),
        }

    def heard_at(self, place: str | None = None) -> Event:
        """Return where clients are heard, at one place or all: `active`, `waiting`, and `routers`."""
        views = list(self.views.values())
        places = [(view, port) for view in views for port in view.ports if place in (None, port.name)]
        return {
            "active": list(dict.fromkeys(port.name for _, port in places if not port.waiting)),
            "waiting": [view.port_text(port) for view, port in places if port.waiting],
            "routers": [router for view in views for router in view.routers],
        }

    def _check(self, place: str | None) -> None:
        """Raise TraceError for a place where no client could ever be heard."""
        views = self.views.values()
        known = {name for _, name in self._ports} | {name for view in views for name in view.names.values()}
        if place is None or place in known or any(view.is_address(place) for view in views):
            return
        if all(view.config.setting_for(place) is None for view in views):
            names = ", ".join(dict.fromkeys(name for _, name in self._ports)) or "none"
            raise TraceError(f"{place} is no client interface of this relay; there are: {names}")

    def remove(self, watch: Watch) -> None:
        """Follow no more."""
        if watch in self._watches:
            self._watches.remove(watch)

    def wanting(self, batch: Batch, now: float) -> dict[int, list[Watch]]:
        """Return the positions of messages in a batch that somebody is to be told of, and who."""
        found: dict[int, list[Watch]] = {}
        clients = batch.clients()
        self.renew(now)
        for watch in self._watches:
            if watch.sample and not self._may_sample:
                continue  # it has had its share, and costs nothing more for now
            for at in watch.wanting(batch, clients):
                found.setdefault(at, []).append(watch)
        return self.bounded(found, now) if found else found

    def of_client(self, chaddr: bytes) -> list[Watch]:
        """Return those who follow a client with these octets; who samples only while its share lasts."""
        return [
            watch
            for watch in self._watches
            if watch.pattern.matches(chaddr) and (not watch.sample or self._may_sample)
        ]

    def of_transaction(self, *transactions: Hashable) -> list[Watch]:
        """Return those who were told of a request in one of these transactions."""
        return [watch for watch in self._watches if watch.has_asked(*transactions)]

    def bounded(self, found: dict[int, list[Watch]], now: float) -> dict[int, list[Watch]]:
        """Return as many as may be told of in this second, and count the others as lost.

        Who samples has its own share, and loses nothing.
        """
        self.renew(now)
        sampled = self._sampled(found)
        if len(found) > self._left:
            for at in sorted(found)[self._left :]:
                for watch in found.pop(at):
                    watch.lost(1)
        self._left -= len(found)
        for at, who in sampled.items():
            found.setdefault(at, []).extend(who)
        return found

    def renew(self, now: float) -> None:
        """Begin a new share where a second is over; who samples gets its own bit by bit."""
        if now - self._second >= 1.0:
            self._second, self._left = now, RATE
        more = (now - self._sampled_at) * SAMPLE
        self._sample_left = min(self._sample_left + more, SAMPLE_AT_ONCE)
        self._sampled_at = now

    @property
    def _may_sample(self) -> bool:
        return self._sample_left >= 1

    def _sampled(self, found: dict[int, list[Watch]]) -> dict[int, list[Watch]]:
        """Take out what is for who samples, and return what of it may be told of in this second."""
        sampled: dict[int, list[Watch]] = {}
        samplers = [watch for watch in self._watches if watch.sample]
        for at in sorted(found) if samplers else ():
            others = [watch for watch in found[at] if not watch.sample]
            if len(others) == len(found[at]):
                continue
            if self._may_sample:
                self._sample_left -= 1
                sampled[at] = samplers
            if others:
                found[at] = others
            else:
                del found[at]
        return sampled


def mapping_of(view: View, pattern: Pattern, place: str | None) -> list[Event]:
    """Return what the mapping says of a client that boots from the network, by where it is heard.

    Nothing for a pattern of many addresses. Places where the same entry chooses are one item, `where` has
    their names; None stands for behind a router. `lost` are the entries that would have chosen if that one
    did not, at all of these places.
    """
    found: list[Event] = []
    for step in mapping_steps(view, pattern.chaddr, place) if pattern.exact else ():
        found = step
    return found


def mapping_steps(view: View, chaddr: bytes, place: str | None = None) -> Iterator[list[Event]]:
    """Yield what `mapping_of` returns, with one group of places more each time; the last one is whole."""
    groups: list[Sequence[AnyPort | None]] = [
        some for group in view.alike if (some := [port for port in group if place in (None, port.name)])
    ]
    if view.routers and (place is None or not groups):
        groups.append([None])
    said: dict[tuple[Any, ...], Event] = {}
    for group in groups:
        verdict = view.verdict(chaddr, group[0])
        key = (verdict["reason"], verdict["rule"], tuple(verdict["servers"]), verdict["dropped"])
        known = said.setdefault(key, {"family": view.family, "where": [], **verdict})
        known["where"] += [port.name if port else None for port in group]
        known["lost"] = [entry for entry in known["lost"] if entry in verdict["lost"]]
        yield list(said.values())
