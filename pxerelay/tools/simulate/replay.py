"""What the relay would have done with each DHCPv4 packet of a capture; `replay6` is for DHCPv6.

Decisions are those of `Relay.decide`. What it never gets to see on a relay host is told apart first: packets
that have been relayed already, and those between clients and servers that pass it by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from pxerelay.config.data import Document
from pxerelay.policy.model import Config
from pxerelay.relay import words
from pxerelay.relay.decision import BROADCAST, MEANING, Decision, Drop, Dropped, ToClient
from pxerelay.tools.simulate.offline import SERVER_SIDE, Hints, Offline, Whereabouts, learnt
from pxerelay.tools.simulate.review import Origins
from pxerelay.tools.simulate.verdict import NO_ADDRESS, Fate, Subject, Verdict
from pxerelay.wire import packet
from pxerelay.wire.dissect import AnyDatagram, Datagram
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS, format_mac

DHCP_PORTS = frozenset({packet.SERVER_PORT, packet.CLIENT_PORT})
"""Packets from or to one of these are DHCP."""


class Replayer:
    """Decides on the packets of a capture by one configuration, as it holds on a day (`Config.on`)."""

    def __init__(
        self, config: Config, documents: Sequence[Document], whereabouts: Whereabouts, offline: Offline
    ) -> None:
        self._config = config
        self._origins = Origins(documents)
        self._where = whereabouts
        self._offline = offline

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Names of all client interfaces that it knows of."""
        return tuple(self._offline.indexes)

    def advice(self, datagram: Datagram) -> str:
        """Return what to give so that a packet's interface is known."""
        return self._where.advice(datagram)

    def verdict(self, datagram: AnyDatagram) -> Verdict:
        """Return what becomes of a packet."""
        assert isinstance(datagram, Datagram)  # noqa: S101  # others are DHCPv6's
        message = datagram.payload
        if not datagram.is_whole:
            return self._of_part(datagram)
        if len(message) < packet.HEADER_SIZE:
            drop = Drop.TRUNCATED
            return Verdict(datagram, Subject(), "message", False, Fate.DROPPED, MEANING[drop], drop)
        facts = Facts(message)
        is_reply = message[packet.OP] == packet.BOOTREPLY
        interface, giaddr = self.place(datagram)
        mac = format_mac(message[packet.CHADDR][: message[packet.HLEN]]) or NO_ADDRESS
        subject = Subject(mac, interface, giaddr, "" if is_reply else words.client_kind(facts))
        name = words.message_name(packet.message_type(facts.options))
        verdict = Verdict(datagram, subject, name, is_reply)
        return self._passing(verdict, datagram) or (
            self._reply(verdict, datagram) if is_reply else self._request(verdict, datagram)
        )

    def _of_part(self, datagram: Datagram) -> Verdict:
        """Return what can be said of a packet that the capture has a part of: whose it is, and its rule."""
        message = datagram.payload
        reason = f"the capture has {len(message)} of its {datagram.size} octets; tcpdump -s 0 keeps all"
        if len(message) < packet.CHADDR_START + MAC_OCTETS:
            return Verdict(datagram, Subject(), "message", reason=reason)
        end = packet.CHADDR_START + message[packet.HLEN]
        mac = format_mac(message[packet.CHADDR_START : end]) if end <= len(message) else ""
        kind = Facts(message).kind
        name = "message" if kind is None else words.message_name(kind)
        is_reply = message[packet.OP] == packet.BOOTREPLY
        subject = Subject(mac or NO_ADDRESS, *self.place(datagram))
        verdict = Verdict(datagram, subject, name, is_reply, reason=reason)
        chaddr = packet.ethernet_chaddr(message)
        passing = self._passing(verdict, datagram)
        if passing or is_reply or chaddr is None:
            return passing or verdict
        match = next(self._config.policy.rules.matching(chaddr), None)
        return replace(verdict, match=match, source=self._origins.of(match)) if match else verdict

    def _passing(self, verdict: Verdict, datagram: Datagram) -> Verdict | None:
        """Return a verdict on what never comes to the relay, or did before; None for all others."""
        of = self._passing_reply if verdict.is_reply else self._passing_request
        passing = of(datagram)
        return replace(verdict, fate=passing[0], reason=passing[1]) if passing else None

    def place(self, datagram: Datagram) -> tuple[str | None, str | None]:
        """Return the client interface of a packet, and the relay agent's address if it is not ours."""
        giaddr = datagram.payload[packet.GIADDR]
        if giaddr == packet.UNSET:
            return self._where(datagram), None
        return self._offline.interface_of(giaddr), str(IPv4Address(giaddr))

    def _passing_reply(self, datagram: Datagram) -> tuple[Fate, str] | None:
        """Return what a reply is that never comes to the relay; None for all others."""
        giaddr = datagram.payload[packet.GIADDR]
        ours = giaddr in self._offline.own
        if datagram.port == packet.CLIENT_PORT:
            if ours or (giaddr != packet.UNSET and datagram.source not in self._offline.servers):
                return Fate.ALREADY, "goes from a relay agent to the client"
            return Fate.NOT_FOR_US, f"goes from {IPv4Address(datagram.source)} straight to the client"
        if datagram.port != packet.SERVER_PORT:
            return Fate.NOT_FOR_US, f"goes to port {datagram.port}, not to {packet.SERVER_PORT}"
        if not ours and datagram.destination == giaddr and self._is_router(giaddr):
            return Fate.NOT_FOR_US, f"goes to the router {IPv4Address(giaddr)}"
        return None

    def _is_router(self, giaddr: bytes) -> bool:
        return any(IPv4Address(giaddr) in network for network in self._config.accept_relayed_from)

    def _passing_request(self, datagram: Datagram) -> tuple[Fate, str] | None:
        """Return what a request is that never comes to the relay, or did before; None for all others."""
        giaddr, destination = datagram.payload[packet.GIADDR], datagram.destination
        ours = self._offline.own
        straight = f"goes straight to {self._offline.server(destination)}"
        if datagram.port != packet.SERVER_PORT:
            return Fate.NOT_FOR_US, f"goes to port {datagram.port}, not to {packet.SERVER_PORT}"
        if destination == BROADCAST or destination in ours:
            return None
        if datagram.source_port == packet.SERVER_PORT and giaddr != packet.UNSET:
            known = destination in self._offline.servers or giaddr in ours
            return (Fate.ALREADY, f"goes to {self._offline.server(destination)}") if known else None
        renews = datagram.payload[packet.CIADDR] != packet.UNSET
        if destination in self._offline.servers or (renews and giaddr == packet.UNSET and ours):
            return Fate.NOT_FOR_US, straight
        return None

    def _decided(self, datagram: Datagram, index: int) -> tuple[Decision, bytearray]:
        message = bytearray(datagram.payload)
        unicast = datagram.destination != BROADCAST
        return self._offline.relay.decide(message, index, datagram.source, unicast), message

    def _reply(self, verdict: Verdict, datagram: Datagram) -> Verdict:
        decision, message = self._decided(datagram, SERVER_SIDE)
        verdict = replace(verdict, message=f"{verdict.message} from {self._offline.server(datagram.source)}")
        if isinstance(decision, ToClient):
            target = f"{words.target_of(decision)} on {decision.port.name}"
            sent = bytes(decision.message or message)
            return replace(verdict, fate=Fate.RELAYED, target=target, sent=sent)
        assert isinstance(decision, Dropped)  # noqa: S101  # a reply never goes to servers
        if decision.reason is Drop.NOT_OUR_GIADDR and self._offline.guessed:
            octets = datagram.payload[packet.GIADDR]
            if octets != packet.UNSET:
                giaddr = IPv4Address(octets)
                reason = f"whose giaddr is {giaddr}? if it is ours, say so by --giaddr INTERFACE={giaddr}"
                return replace(verdict, reason=reason)
        return _dropped(verdict, decision.reason)

    def request(self, verdict: Verdict) -> Verdict:
        """Return a verdict on a request that comes to the relay, given who it is about."""
        assert isinstance(verdict.datagram, Datagram)  # noqa: S101  # others are DHCPv6's
        return self._request(Verdict(verdict.datagram, verdict.subject, verdict.message), verdict.datagram)

    def _request(self, verdict: Verdict, datagram: Datagram) -> Verdict:
        subject = verdict.subject
        port, index = None, SERVER_SIDE
        if datagram.payload[packet.GIADDR] == packet.UNSET:
            if subject.interface is None:
                return replace(verdict, reason=self._where.advice(datagram))
            port = self._offline.ports.get(subject.interface)
            index = self._offline.indexes.get(subject.interface, SERVER_SIDE)
        decision, message = self._decided(datagram, index)
        assert not isinstance(decision, ToClient)  # noqa: S101  # a request never goes to clients
        if decision.match:
            verdict = replace(verdict, match=decision.match, source=self._origins.of(decision.match))
        if isinstance(decision, Dropped):
            return _dropped(verdict, decision.reason)
        giaddr = str(IPv4Address(bytes(message[packet.GIADDR])))
        return replace(
            verdict,
            fate=Fate.RELAYED,
            servers=tuple(map(self._offline.server, decision.servers)),
            standing=self._offline.giaddr_text(port) if port else giaddr,
            sent=bytes(decision.message or message),
        )


def _dropped(verdict: Verdict, drop: Drop) -> Verdict:
    return replace(verdict, fate=Fate.DROPPED, reason=MEANING[drop], drop=drop)


def is_dhcp(datagram: Datagram) -> bool:
    """Whether a datagram is from or to a port of DHCP."""
    return not DHCP_PORTS.isdisjoint((datagram.port, datagram.source_port))


def replayer(
    config: Config,
    documents: Sequence[Document],
    datagrams: Sequence[Datagram],
    hints: Hints,
    hostname: str = "",
    more_names: Iterable[str] = (),
) -> Replayer:
    """Return what decides on the datagrams of a capture by a configuration as it holds on a day.

    `more_names` are interfaces that there are, whether or not the configuration names them.
    """
    where = Whereabouts(config, hints)
    names = where.names(datagrams, [*more_names, *hints.giaddrs])
    giaddrs = {**learnt(datagrams, where, config), **hints.giaddrs}
    return Replayer(config, documents, where, Offline(config, names, giaddrs, hostname))
