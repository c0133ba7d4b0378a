"""Following clients: which messages of a batch are theirs, and what those who watch are told of them.

A `Watch` is what one peer of the control socket wants to see, `Watches` are all of them. What is told is
events, mappings of values that JSON has: `message` (an `Account` and how long the answer took), and what
changes meanwhile: `reload`, `refused`, `mapping`, `interface`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from pxerelay.policy.ports import Port
from pxerelay.policy.rules import Match
from pxerelay.relay.account import Account, Narrator
from pxerelay.relay.decision import MEANING, Decision, Drop
from pxerelay.relay.relay import Relay, recipients
from pxerelay.relay.words import named_server, port_text
from pxerelay.wire import packet
from pxerelay.wire.batch import NOWHERE, Batch
from pxerelay.wire.client import DescribedClient
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS, Pattern

MOST = 4
"""Watches at the same time."""

RATE = 500
"""Messages that are told of in a second, to all together: what that takes of a second is a twentieth.

Those beyond it are relayed as if nobody watched, and counted for who would have been told.
"""

SAMPLE = 50
"""Messages that whoever samples is told of in a second. Of those beyond it hears nothing."""

_ASKED = 256
"""Requests of one watch that wait for replies; beyond that the oldest are forgotten."""

_FIRMWARE = b"PXEClient"
"""Option 60 of the client that the mapping is asked about before it was heard (RFC 4578, 2.1)."""

Event = dict[str, Any]


class TraceError(Exception):
    """Nothing can be followed so; the message says why."""


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
        self._asked: OrderedDict[packet.Transaction, float] = OrderedDict()
        self._indexes: frozenset[int] = frozenset()
        self._giaddrs: frozenset[bytes] = frozenset()

    def obey(self, relay: Relay, names: Mapping[int, str]) -> None:
        """Find the place anew, among interfaces with these names by index."""
        self.mapping = mapping_of(relay, self.pattern, self.place)
        self._indexes = frozenset(index for index, name in names.items() if name == self.place)
        ports = (port.giaddr for port in relay.ports if port.name == self.place and port.giaddr)
        self._giaddrs = frozenset(giaddr.packed for giaddr in (*ports, *_address(self.place)))

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
        if self.place is None or bytes(message[packet.GIADDR]) in self._giaddrs:
            return True
        return message[packet.OP] == packet.BOOTREQUEST and batch.indexes[at] in self._indexes

    def tell(
        self,
        account: Account,
        transaction: packet.Transaction,
        failures: Sequence[str],
        now: float,
        at: float,
    ) -> None:
        """Tell of a message that was sent, or received, at the monotonic time `now`.

        `at` is the same as seconds since 1970.
        """
        event: Event = {"event": "message", "at": round(at, 3), **account.plain, "failures": list(failures)}
        if not account.request:
            if self.place is not None and account.out not in ("", self.place):  # it shares its giaddr
                return
            asked = self._asked.get(transaction)
            event["milliseconds"] = None if asked is None else round(max(now - asked, 0.0) * 1000, 1)
        elif account.servers:
            self._asked[transaction] = now
            self._asked.move_to_end(transaction)
            if len(self._asked) > _ASKED:
                self._asked.popitem(last=False)
        self.put(event)


class Watches:
    """All watches. False if there are none, so that packets cost nothing more then."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.relay: Relay
        self.narrator: Narrator
        self._ports: tuple[Port, ...] = ()
        self._names: Mapping[int, str] = {}
        self._watches: list[Watch] = []
        self._second = self._sampled = 0.0
        self._left, self._sample_left = RATE, SAMPLE

    def __bool__(self) -> bool:
        return bool(self._watches)

    def obey(self, relay: Relay, names: Mapping[int, str], config: dict[str, Any]) -> None:
        """Tell of this relay's decisions from now on, and of what is another than before.

        `names` are those of interfaces by index, `config` says which configuration this is.
        """
        reloaded = config != self.config
        before = {port.name: port for port in self._ports} if self._watches else {}
        self.relay, self.narrator, self._names, self.config = relay, Narrator(relay), names, config
        self._ports = relay.ports
        for watch in self._watches:
            old = watch.mapping
            watch.obey(relay, names)
            if reloaded:
                watch.put({"event": "reload", "config": config, "mapping": watch.mapping})
            elif old != watch.mapping:
                watch.put({"event": "mapping", "mapping": watch.mapping})
            for port in relay.ports:
                if before.get(port.name) != port and watch.place in (None, port.name):
                    watch.put({"event": "interface", "name": port.name, "text": port_text(port)})

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
        watch.obey(self.relay, self._names)
        places = [port for port in self._ports if watch.place in (None, port.name)]
        return {
            "event": "start",
            "watching": str(watch.pattern),
            "interface": watch.place,
            "config": self.config,
            "mapping": watch.mapping,
            "active": [port.name for port in places if not port.waiting],
            "waiting": [port_text(port) for port in places if port.waiting],
            "routers": list(map(str, self.relay.config.accept_relayed_from)),
        }

    def _check(self, place: str | None) -> None:
        """Raise TraceError for a place where no client could ever be heard."""
        known = {port.name for port in self._ports} | set(self._names.values())
        if place is None or place in known or any(_address(place)):
            return
        if self.relay.config.setting_for(place) is None:
            names = ", ".join(port.name for port in self._ports) or "none"
            raise TraceError(f"{place} is no client interface of this relay; there are: {names}")

    def remove(self, watch: Watch) -> None:
        """Follow no more."""
        if watch in self._watches:
            self._watches.remove(watch)

    def wanting(self, batch: Batch, now: float) -> dict[int, list[Watch]]:
        """Return the positions of messages in a batch that somebody is to be told of, and who."""
        found: dict[int, list[Watch]] = {}
        sampled: dict[int, list[Watch]] = {}
        clients = batch.clients()
        for watch in self._watches:
            if watch.sample:
                sampled.update((at, [watch]) for at in self._sampling(watch, batch, clients, now))
                continue
            for at in watch.wanting(batch, clients):
                found.setdefault(at, []).append(watch)
        found = self._bounded(found, now) if found else found
        for at, watches in sampled.items():
            found.setdefault(at, []).extend(watches)
        return found

    def _sampling(self, watch: Watch, batch: Batch, clients: Sequence[bytes], now: float) -> list[int]:
        """Return the positions of messages for who samples; none, at no cost, when it has had its share."""
        if now - self._sampled >= 1.0:
            self._sampled, self._sample_left = now, SAMPLE
        if not self._sample_left:
            return []
        found = watch.wanting(batch, clients)[: self._sample_left]
        self._sample_left -= len(found)
        return found

    def _bounded(self, found: dict[int, list[Watch]], now: float) -> dict[int, list[Watch]]:
        if now - self._second >= 1.0:
            self._second, self._left = now, RATE
        if len(found) <= self._left:
            self._left -= len(found)
            return found
        order = sorted(found)
        for at in order[self._left :]:
            for watch in found.pop(at):
                watch.lost(1)
        self._left = 0
        return found

    def account(self, facts: Facts, index: int, source: bytes, decision: Decision) -> Account:
        """Return the account of a message that came in on an interface, given by its index."""
        return self.narrator.account(facts, self._names.get(index, f"interface {index}"), source, decision)


def mapping_of(relay: Relay, pattern: Pattern, place: str | None) -> list[Event]:
    """Return what the mapping says of a client that boots from the network, by where it is heard.

    Nothing for a pattern of many addresses. Places where the same entry chooses are one item, `where` has
    their names; None stands for behind a router. `lost` are the entries that would have chosen if that one
    did not, at all of these places.
    """
    if not pattern.exact:
        return []
    chaddr = pattern.chaddr
    ports: list[Port | None] = [port for port in relay.ports if place in (None, port.name)]
    if relay.config.accept_relayed_from and (place is None or not ports):
        ports.append(None)
    said: dict[tuple[Any, ...], Event] = {}
    for port in ports:
        verdict = _verdict(relay, chaddr, port)
        key = (verdict["reason"], verdict["rule"], tuple(verdict["servers"]), verdict["dropped"])
        known = said.setdefault(key, verdict)
        known["where"].append(port.name if port else None)
        known["lost"] = [entry for entry in known["lost"] if entry in verdict["lost"]]
    return list(said.values())


def _verdict(relay: Relay, chaddr: bytes, port: Port | None) -> Event:
    config = relay.config
    client = DescribedClient(chaddr, port.name if port else None, _FIRMWARE, ())
    winner, *losers = config.policy.candidates(client, port.setting.default if port else None)
    pxe_only = port.setting.pxe_only if port else config.pxe_only
    sent = recipients(config, client, winner.choice, pxe_only=pxe_only)
    addresses = () if isinstance(sent, Drop) else relay.now_for(sent, chaddr)
    dropped = sent if isinstance(sent, Drop) else None if addresses else Drop.NOT_RESOLVED
    return {
        "where": [],
        **_entry(winner),
        "servers": [str(named_server(relay, address)) for address in addresses],
        "dropped": MEANING[dropped] if dropped else "",
        "lost": list(map(_entry, losers)),
    }


def _entry(match: Match) -> Event:
    return {"reason": match.reason.value, "rule": match.rule, "choice": match.choice.label}


def _address(text: str | None) -> tuple[IPv4Address, ...]:
    try:
        return (IPv4Address(text or ""),)
    except AddressValueError:
        return ()
