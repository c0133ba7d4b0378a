"""What the relay would have done with each DHCPv6 packet of a capture; `replay` is for DHCPv4.

Decisions are those of `Relay6.decide`. A message between relay agents and servers shows which interface it is
about: by its Interface-Id, or its link-address. A client's MAC is that of its frame, where the capture has
frames; where it has none, rules can't be asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any, ClassVar, NamedTuple

from pxerelay.config.data import Document
from pxerelay.policy.model import Config
from pxerelay.relay import words6
from pxerelay.relay.decision6 import MEANING6, Arrival6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.tools.simulate.offline import SERVER_SIDE, UNKNOWN_GIADDR, Hints, Whereabouts
from pxerelay.tools.simulate.review import Origins
from pxerelay.tools.simulate.review6 import Reviewer6
from pxerelay.tools.simulate.verdict import Fate, Verdict
from pxerelay.wire import eui64, packet6, relayed6
from pxerelay.wire.client6 import Client6, MacSource
from pxerelay.wire.dissect import AnyDatagram
from pxerelay.wire.dissect6 import Datagram6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.mac import format_mac

DHCP6_PORTS = frozenset({packet6.SERVER_PORT, packet6.CLIENT_PORT})
"""Packets from or to one of these are DHCPv6."""

UNKNOWN_MAC = "(MAC unknown)"
"""In the place of the MAC of a client that nobody tells."""

_OF_SERVERS = frozenset({packet6.ADVERTISE, packet6.REPLY, packet6.RECONFIGURE, packet6.RELAY_REPL})
"""Types of messages that come from servers."""

_MOST_OPTIONS = 64
"""Options of a relayed message that are looked at."""


class Subject6(NamedTuple):
    """Who a DHCPv6 packet is about, as `Subject`; `router` is a relay agent's address that is not us.

    `duid` and `peer` are the client's, as far as the packet has them; `told_by` is what told its MAC.
    """

    mac: str = UNKNOWN_MAC
    interface: str | None = None
    router: str | None = None
    kind: str = ""
    duid: str = ""
    peer: str = ""
    told_by: MacSource = MacSource.NONE

    @property
    def who(self) -> str:
        """What tells it from other clients."""
        return self.mac if self.mac != UNKNOWN_MAC else self.duid or self.peer

    @property
    def label(self) -> str:
        """What it is called in a line of text."""
        return self.mac if self.mac != UNKNOWN_MAC else f"{self.mac} {self.peer}".rstrip()

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return self.interface or (f"relay agent {self.router}" if self.router else "?")

    @property
    def plain(self) -> Mapping[str, Any]:
        """All of it for JSON."""
        return {
            "family": 6,
            "mac": None if self.mac == UNKNOWN_MAC else self.mac,
            "mac_told_by": self.told_by.value,
            "interface": self.interface,
            "relay_agent": self.router,
            "kind": self.kind or None,
            "duid": self.duid or None,
            "peer": self.peer or None,
        }


class Verdict6(Verdict):
    """A DHCPv6 packet and what becomes of it."""

    called: ClassVar[str] = "link-address"


class _Around(NamedTuple):
    """What the outermost header of a relayed message says."""

    link_address: bytes
    peer: bytes
    interface_id: str | None


class Replayer6:
    """Decides on the packets of a capture by one configuration, as it holds on a day (`Config.on`)."""

    def __init__(
        self,
        config: Config,
        documents: Sequence[Document],
        whereabouts: Whereabouts,
        reviewer: Reviewer6,
        own: frozenset[bytes],
        macs: Mapping[bytes, bytes],
    ) -> None:
        self._config = config
        self._origins = Origins(documents)
        self._where = whereabouts
        self._reviewer = reviewer
        self._own = own
        self._macs = macs

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Names of all client interfaces that it knows of."""
        return tuple(self._reviewer.indexes)

    def verdict(self, datagram: AnyDatagram) -> Verdict:
        """Return what becomes of a packet."""
        assert isinstance(datagram, Datagram6)  # noqa: S101  # others are DHCPv4's
        message = datagram.payload
        if not datagram.is_whole:
            reason = f"the capture has {len(message)} of its {datagram.size} octets; tcpdump -s 0 keeps all"
            name = words6.message_name(packet6.message_type(message))
            subject = Subject6(_mac_text(datagram.mac), self._where(datagram))
            return Verdict6(datagram, subject, name, reason=reason)
        kind = packet6.message_type(message)
        if kind is None or len(message) < packet6.header_size(kind):
            drop = Drop6.TRUNCATED
            return Verdict6(datagram, Subject6(), "message", False, Fate.DROPPED, MEANING6[drop], drop)
        around = _around(message) if packet6.is_relayed(kind) else None
        to_client = kind in _OF_SERVERS and datagram.port == packet6.CLIENT_PORT
        is_reply = kind == packet6.RELAY_REPL or to_client
        subject = self._subject(datagram, around, is_reply=is_reply)
        name = words6.message_name(kind)
        if kind == packet6.RELAY_REPL:
            inside = relayed6.unwrapped(message)
            inner = relayed6.innermost(inside.message) if inside else b""
            name = words6.message_name(packet6.message_type(inner)) if inside else name
        elif kind == packet6.RELAY_FORW:
            name = words6.message_name(Facts6(message).kind)
        verdict = Verdict6(datagram, subject, name, is_reply)
        passing = (self._passing_reply if is_reply else self._passing_request)(datagram, kind, around)
        if passing:
            return replace(verdict, fate=passing[0], reason=passing[1])
        return self._reply(verdict, datagram) if is_reply else self._request(verdict, datagram)

    def request(self, verdict: Verdict) -> Verdict:
        """Return a verdict on a request that comes to the relay, given who it is about."""
        assert isinstance(verdict.datagram, Datagram6)  # noqa: S101  # others are DHCPv4's
        again = Verdict6(verdict.datagram, verdict.subject, verdict.message)
        return self._request(again, verdict.datagram)

    def _subject(self, datagram: Datagram6, around: _Around | None, *, is_reply: bool) -> Subject6:
        message = datagram.payload
        interface = self._where(datagram) if around is None else self._interface_of(around)
        if is_reply:
            inside = relayed6.innermost(message) if around else message
            facts = Facts6(inside)
            peer = around.peer if around else datagram.destination
            mac = self._macs.get(peer) or eui64.mac_of_link_local(peer)
            texts = words6.duid_text(facts.duid), str(IPv6Address(peer))
            told_by = MacSource.EUI64 if mac and peer not in self._macs else MacSource.NONE
            return Subject6(_mac_text(mac), interface, None, "", *texts, told_by)
        facts = Facts6(message)
        client = Client6(facts, None, datagram.source, None if around else datagram.mac)
        router = None
        if around is not None and interface is None:
            router = str(IPv6Address(datagram.source))
        return Subject6(
            _mac_text(client.chaddr),
            interface,
            router,
            words6.client_kind(facts),
            words6.duid_text(facts.duid),
            str(IPv6Address(client.peer)),
            client.told_by,
        )

    def _interface_of(self, around: _Around) -> str | None:
        """Return the client interface that a relayed message is about, None if it is none of ours."""
        if around.interface_id in self._reviewer.indexes:
            return around.interface_id
        return self._reviewer.with_link_address(around.link_address)

    def _passing_reply(
        self, datagram: Datagram6, kind: int, around: _Around | None
    ) -> tuple[Fate, str] | None:
        """Return what a reply is that never comes to the relay; None for all others."""
        source = self._reviewer.server(datagram.source)
        if kind != packet6.RELAY_REPL:
            if datagram.source in self._reviewer.servers_known:
                return Fate.NOT_FOR_US, f"goes from {source} straight to the client"
            return Fate.ALREADY, "goes to the client, from a relay agent or a server on its link"
        if around is None or datagram.port == packet6.CLIENT_PORT:
            return Fate.NOT_FOR_US, f"goes to port {datagram.port}"
        if datagram.source in self._own:
            return Fate.ALREADY, f"goes to the relay agent {IPv6Address(datagram.destination)}"
        ours = self._interface_of(around) is not None or datagram.destination in self._own
        if not ours and self._is_router(datagram.destination):
            return Fate.NOT_FOR_US, f"goes to the relay agent {IPv6Address(datagram.destination)}"
        return None

    def _is_router(self, address: bytes) -> bool:
        return any(IPv6Address(address) in network for network in self._config.accept_relayed_from6)

    def _passing_request(
        self, datagram: Datagram6, kind: int, around: _Around | None
    ) -> tuple[Fate, str] | None:
        """Return what a request is that never comes to the relay, or did before; None for all others."""
        destination = datagram.destination
        server = self._reviewer.server(destination)
        if datagram.port != packet6.SERVER_PORT:
            return Fate.NOT_FOR_US, f"goes to port {datagram.port}, not to {packet6.SERVER_PORT}"
        grouped = destination == packet6.ALL_RELAYS_AND_SERVERS
        if packet6.is_multicast(destination) and not grouped:
            return Fate.NOT_FOR_US, f"goes to {server}, a group that relay agents are not in"
        if kind == packet6.RELAY_FORW:
            assert around is not None  # noqa: S101  # it has a whole header
            by_us = datagram.source in self._own or self._interface_of(around) is not None
            to_server = by_us or destination in self._reviewer.servers_known
            if to_server and not grouped and destination not in self._own:
                return Fate.ALREADY, f"goes to {server}"
            return None
        if grouped or destination in self._own:
            return None
        return Fate.NOT_FOR_US, f"goes straight to {server}"

    def _reply(self, verdict: Verdict, datagram: Datagram6) -> Verdict:
        around = _around(datagram.payload)
        decision = self._decided(datagram, SERVER_SIDE)
        server = self._reviewer.server(datagram.source)
        verdict = replace(verdict, message=f"{verdict.message} from {server}")
        if isinstance(decision, ToPeer):
            on = f" on {decision.port.name}" if decision.port else ""
            target = f"{words6.target_of(decision)}{on}"
            return replace(verdict, fate=Fate.RELAYED, target=target, sent=bytes(decision.message))
        assert isinstance(decision, Dropped6)  # noqa: S101  # a reply never goes to servers
        if decision.reason is Drop6.NO_INTERFACE and self._reviewer.guessed:
            address = IPv6Address(around.link_address)
            if not address.is_unspecified:
                reason = (
                    f"whose link-address is {address}? if it is ours, say so by "
                    f"--link-address INTERFACE={address}"
                )
                return replace(verdict, reason=reason)
        return _dropped(verdict, decision.reason)

    def _request(self, verdict: Verdict, datagram: Datagram6) -> Verdict:
        index = SERVER_SIDE
        kind = packet6.message_type(datagram.payload)
        if kind != packet6.RELAY_FORW or datagram.destination == packet6.ALL_RELAYS_AND_SERVERS:
            interface = self._where(datagram) or verdict.subject.interface
            if interface is None:
                return replace(verdict, reason=self._where.advice(datagram))
            if kind != packet6.RELAY_FORW and datagram.mac is None and len(self._config.policy.rules):
                return replace(verdict, reason=_NO_MAC)
            index = self._reviewer.indexes.get(interface, SERVER_SIDE)
        decision = self._decided(datagram, index)
        if isinstance(decision, ToPeer):  # a reply, which `verdict` has told apart
            return verdict
        if decision.match:
            verdict = replace(verdict, match=decision.match, source=self._origins.of(decision.match))
        if isinstance(decision, Dropped6):
            return _dropped(verdict, decision.reason)
        standing = str(IPv6Address(decision.header[packet6.LINK_ADDRESS]))
        if decision.port and decision.port.name in self._reviewer.guessed:
            standing = UNKNOWN_GIADDR
        return replace(
            verdict,
            fate=Fate.RELAYED,
            servers=tuple(map(self._reviewer.server, decision.servers)),
            standing=standing,
            sent=decision.header + datagram.payload,
        )

    def _decided(self, datagram: Datagram6, index: int) -> ToServers6 | ToPeer | Dropped6:
        sent = datagram.source, datagram.source_port, datagram.destination
        return self._reviewer.relay.decide(Arrival6(datagram.payload, index, *sent, datagram.mac))


_NO_MAC = (
    "its MAC is not known, and there are rules: this capture has no Ethernet frames; one of the client "
    "interface alone has them, tcpdump -i INTERFACE"
)


def _mac_text(octets: bytes | None) -> str:
    return format_mac(octets) if octets else UNKNOWN_MAC


def _dropped(verdict: Verdict, drop: Drop6) -> Verdict:
    return replace(verdict, fate=Fate.DROPPED, reason=MEANING6[drop], drop=drop)


def _around(message: bytes) -> _Around:
    """Return what the outermost header of a relayed message says."""
    spans, _ = packet6.walk(message, packet6.RELAY_HEADER_SIZE, len(message), _MOST_OPTIONS)
    name = next((message[start:end] for code, start, end in spans if code == packet6.INTERFACE_ID), None)
    return _Around(
        message[packet6.LINK_ADDRESS],
        message[packet6.PEER_ADDRESS],
        None if name is None else name.decode("utf-8", "replace"),
    )


def is_dhcp6(datagram: Datagram6) -> bool:
    """Whether a datagram is from or to a port of DHCPv6."""
    return not DHCP6_PORTS.isdisjoint((datagram.port, datagram.source_port))


def replayer6(
    config: Config,
    documents: Sequence[Document],
    datagrams: Sequence[Datagram6],
    hints: Hints,
    hostname: str = "",
    more_names: Iterable[str] = (),
) -> Replayer6:
    """Return what decides on the DHCPv6 datagrams of a capture by a configuration as it holds on a day.

    `more_names` are interfaces that there are, whether or not the configuration names them.
    """
    where = Whereabouts(config, hints)
    names = where.names(datagrams, [*more_names, *hints.link_addresses])
    relayed = [
        (one, _around(one.payload))
        for one in datagrams
        if packet6.is_relayed(packet6.message_type(one.payload))
        and len(one.payload) >= packet6.RELAY_HEADER_SIZE
    ]
    said = (around.interface_id for _, around in relayed)
    names.update(dict.fromkeys(name for name in said if name and config.setting_for(name)))
    learnt = {**_learnt(datagrams, relayed, where, config), **hints.link_addresses}
    reviewer = Reviewer6(config, names, hostname, learnt)
    own = {octets for name, octets in reviewer.standing.items() if name not in reviewer.guessed}
    if isinstance(config.source_address6, IPv6Address):
        own.add(config.source_address6.packed)
    for one, around in relayed:
        ours = around.interface_id in reviewer.indexes or around.link_address in own
        is_request = one.payload[packet6.TYPE] == packet6.RELAY_FORW
        if ours and is_request and one.destination in reviewer.servers_known:
            own.add(one.source)
    macs = {}
    for datagram in datagrams:
        facts = Facts6(datagram.payload)
        client = Client6(facts, None, datagram.source, None if facts.layers else datagram.mac)
        if client.chaddr and facts.kind not in _OF_SERVERS:
            macs[client.peer] = client.chaddr
    return Replayer6(config, documents, where, reviewer, frozenset(own), macs)


def _learnt(
    datagrams: Sequence[Datagram6],
    relayed: Sequence[tuple[Datagram6, _Around]],
    where: Whereabouts,
    config: Config,
) -> dict[str, IPv6Address]:
    """Return the link-addresses of interfaces as the capture shows them.

    An Interface-Id that names an interface tells it, and a message that was heard on an interface before it
    was relayed. What most packets say counts.
    """
    heard: dict[bytes, str] = {}
    seen: dict[str, Counter[bytes]] = {}
    for one in datagrams:
        kind = packet6.message_type(one.payload)
        if kind is not None and not packet6.is_relayed(kind) and (name := where(one)):
            heard.setdefault(one.payload, name)
    for one, around in relayed:
        if one.payload[packet6.TYPE] != packet6.RELAY_FORW or around.link_address == packet6.UNSET:
            continue
        if any(IPv6Address(one.source) in network for network in config.accept_relayed_from6):
            continue  # a router's
        spans, _ = packet6.walk(one.payload, packet6.RELAY_HEADER_SIZE, len(one.payload), _MOST_OPTIONS)
        inside = (one.payload[begin:end] for code, begin, end in spans if code == packet6.RELAY_MESSAGE)
        name = around.interface_id
        if not name or config.setting_for(name) is None:
            name = heard.get(next(inside, b""))
        if name is not None:
            seen.setdefault(name, Counter())[around.link_address] += 1
    return {name: IPv6Address(counted.most_common(1)[0][0]) for name, counted in seen.items()}
