"""One DHCPv6 message in; where it goes, or why it is dropped, out.

This is the relay of DHCPv6: the rules of RFC 9915, 6221, 6939 and 8357 as a checklist, with no input or
output; `relay` is that of DHCPv4. A message stays as it is, octet by octet (rules 108 and 145): a header goes
in front of what clients send, and what servers send is taken out of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv6Address
from typing import NamedTuple

from pxerelay.policy.links import Link
from pxerelay.policy.model import GIADDR, Config, Dhcpv6Setting
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports6 import Change6, Port6
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.rules import RULES, Choice, Match
from pxerelay.policy.servers import Pool, Target
from pxerelay.policy.sticky6 import StickyClients6
from pxerelay.policy.ways import WayTo
from pxerelay.relay.any_relay import AnyRelay
from pxerelay.relay.choosing import Asking, Named
from pxerelay.relay.decision6 import Arrival6, Decision6, Drop6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.network import masks, within
from pxerelay.relay.network6 import Network6
from pxerelay.relay.server_ids import ServerIds
from pxerelay.wire import eui64, packet6, relayed6
from pxerelay.wire.client6 import Client6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import ALL_RELAYS_AND_SERVERS, RELAY_FORW, RELAY_REPL, is_link_local

Behind = Callable[[int, bytes], bytes | None]
"""Tells the MAC of the last frame that was heard from 16 octets on an interface, None if it is not known.

It need not know of frames whose source is the one in the address (EUI-64): None is right for these too.
"""

_NO_ANSWERS = ResolvedNames()

_OF_SERVERS = frozenset({packet6.ADVERTISE, packet6.REPLY, packet6.RECONFIGURE})
"""What relay agents and servers discard when a client sends it (RFC 9915, 16.3, 16.10 and 16.11)."""


class _Options(NamedTuple):
    """What a port says around messages, whole options: in front of a client's MAC and behind it.

    `relayed` is what it says around messages that were relayed already.
    """

    front: bytes
    behind: bytes
    relayed: bytes


class Relay6(AnyRelay[Port6]):
    """The rules for one configuration, one state of the network, and what is known and thought of servers.

    As `Relay`: `answers` are for servers' DNS names, `sticky` has the clients that keep the `standing` before
    this one, `way_to` tells the way to a server. `behind` tells who is behind a client's address.
    `server_ids` has whose answers came from where; the relay before this one hands it on.
    """

    _network: Network6
    sticky: StickyClients6 | None

    def __init__(
        self,
        config: Config,
        ports: Iterable[Port6],
        links: Iterable[Link],
        answers: ResolvedNames = _NO_ANSWERS,
        standing: Standing = ALL_UP,
        sticky: StickyClients6 | None = None,
        way_to: WayTo | None = None,
        behind: Behind | None = None,
        server_ids: ServerIds | None = None,
    ) -> None:
        network = Network6(ports, links)
        routers, replying = masks(config.accept_relayed_from6), masks(config.accept_replies_from6)
        thought = answers, answers.of6, standing, sticky
        super().__init__(config, network, *thought, way_to, routers, replying)
        self.behind = behind or _nobody
        self._server_ids = ServerIds() if server_ids is None else server_ids
        self._setting = config.dhcpv6 or Dhcpv6Setting()
        self.asks_what_clients_are = config.asks_what_clients_are or bool(config.dhcp_servers)
        self._options: dict[int, _Options] = {}
        fixed = config.source_address6
        self._source = fixed.packed if isinstance(fixed, IPv6Address) else None
        self._source_is_link_address = fixed == GIADDR

    def follow(self, ports: Iterable[Port6], change: Change6) -> None:
        """Take in what changed of the network; `ports` are all that there are now."""
        super().follow(ports, change)
        self._options.clear()

    def decide(self, arrival: Arrival6, facts: Facts6 | None = None) -> Decision6:
        """Return what to do with a message, which stays as it is.

        `facts` are those of the message, if somebody has begun to read it.
        """
        refused = self.refuses(arrival)
        if refused is not None:
            return Dropped6(refused)
        return self.decide_on_taken(arrival, facts or Facts6(arrival.message))

    def decide_on_taken(self, arrival: Arrival6, facts: Facts6) -> Decision6:
        """Return what to do with a message that is not refused."""
        kind = arrival.message[packet6.TYPE]
        if kind == RELAY_REPL:
            return self._reply(arrival)
        if kind == RELAY_FORW:
            return self._relayed(arrival, facts)
        return self._request(arrival, facts)

    def refuses(self, arrival: Arrival6) -> Drop6 | None:
        """Return why a message is dropped for how it came and its header, before its options are read."""
        message, source = arrival.message, arrival.source
        kind = packet6.message_type(message)
        if kind is None or len(message) < packet6.header_size(kind):
            return Drop6.TRUNCATED
        if not packet6.is_one_host(source):
            return Drop6.BAD_SOURCE
        if self._network.is_here(arrival.interface, source):
            return Drop6.OWN_LINK_ADDRESS if kind == RELAY_FORW else Drop6.FROM_THIS_HOST
        if kind == RELAY_REPL:
            return self._refuses_reply(arrival)
        if kind in _OF_SERVERS:
            return Drop6.NOT_FOR_SERVERS
        return self._refuses_relayed(arrival) if kind == RELAY_FORW else self._refuses_request(arrival)

    def _refuses_request(self, arrival: Arrival6) -> Drop6 | None:
        if arrival.destination != ALL_RELAYS_AND_SERVERS:
            return Drop6.NOT_TO_THE_GROUP
        if self._network.active(arrival.interface) is None:
            waits = self._network.waits(arrival.interface)
            return Drop6.INTERFACE_WAITING if waits else Drop6.NOT_A_CLIENT_INTERFACE
        return None

    def _refuses_relayed(self, arrival: Arrival6) -> Drop6 | None:
        index, source = arrival.interface, arrival.source
        grouped = arrival.destination == ALL_RELAYS_AND_SERVERS
        if packet6.is_multicast(arrival.destination) and not grouped:
            return Drop6.NOT_TO_THE_GROUP
        if not self._is_of_a_switch(arrival) and not self._accepts_router(index, source):
            waiting = self._network.waiting(index)
            if waiting is not None and grouped and self._is_trusted_switch(waiting, source):
                return Drop6.INTERFACE_WAITING
            return Drop6.RELAY_NOT_ACCEPTED
        hops = arrival.message[packet6.HOPS]
        if hops >= packet6.HOP_COUNT_LIMIT or hops + 1 > self.config.max_hops:
            return Drop6.TOO_MANY_HOPS
        return None

    def _refuses_reply(self, arrival: Arrival6) -> Drop6 | None:
        index, source = arrival.interface, arrival.source
        if not self._may_reply(source):
            return Drop6.NOT_A_SERVER
        if arrival.port != packet6.SERVER_PORT and not self.config.any_source_port:
            return Drop6.NOT_FROM_PORT_547
        if self._network.is_client_interface(index) and not self._is_the_way_to(index, source):
            return Drop6.SERVER_ON_CLIENT_INTERFACE
        return None

    def _request(self, arrival: Arrival6, facts: Facts6) -> ToServers6 | Dropped6:
        """Decide on what a client itself has sent."""
        port = self._network.active(arrival.interface)
        assert port is not None  # noqa: S101  # else it was refused
        client = Client6(facts, port.name, arrival.source, arrival.mac)
        options = self._options_of(port)
        told = b""
        if self._setting.client_mac and arrival.mac is not None:
            told = relayed6.hardware_address(arrival.mac)
        around = options.front + told + options.behind
        return self._to_servers(arrival, client, port, port.vrf, 0, _standing(port), around)

    def _relayed(self, arrival: Arrival6, facts: Facts6) -> ToServers6 | Dropped6:
        """Decide on what a relay agent below us has sent.

        A router's client is on none of our VLANs, wherever it is heard.
        """
        index, source = arrival.interface, arrival.source
        heard_on, hops = self._network.active(index), arrival.message[packet6.HOPS]
        if facts.too_deep:
            return Dropped6(Drop6.TOO_DEEP)
        if any(self._network.is_ours(index, layer.link_address) for layer in facts.layers):
            return Dropped6(Drop6.OWN_LINK_ADDRESS)
        if facts.start is None:
            return Dropped6(Drop6.NO_RELAY_MESSAGE)
        link_address = packet6.UNSET
        if heard_on is not None and is_link_local(source):
            link_address = _standing(heard_on)
        around = self._options_of(heard_on).relayed if heard_on else relayed6.relay_id(self._setting.relay_id)
        if arrival.port != packet6.SERVER_PORT:
            around += relayed6.source_port(arrival.port)
        port = heard_on if self._is_of_a_switch(arrival) else None
        client = Client6(facts, port.name if port else None, source, None)
        vrf = heard_on.vrf if heard_on else self._network.vrf_of(index)
        return self._to_servers(arrival, client, port, vrf, hops + 1, link_address, around)

    def _to_servers(
        self,
        arrival: Arrival6,
        client: Client6,
        port: Port6 | None,
        vrf: int,
        hops: int,
        link_address: bytes,
        around: bytes,
    ) -> ToServers6 | Dropped6:
        policy = self.config.policy
        match = policy.choose(client, port.setting.default if port else None)
        silent = self.asks_what_clients_are and client.facts.is_silent
        if silent:
            targets = self._any_recipients(client, match, port)
        else:
            pxe_only = port.setting.pxe_only if port else self.config.pxe_only
            targets = self.recipients(client, match.choice, pxe_only=pxe_only)
        if isinstance(targets, Drop6):
            return Dropped6(targets, match, port, client)
        servers = self._decided(targets, client) if self._pools else self._packed(targets)
        if not servers:
            return Dropped6(self.why_nobody(targets), match, port, client)
        size = len(arrival.message)
        header = relayed6.header(hops, link_address, arrival.source, around, size)
        if header is None:
            return Dropped6(Drop6.TOO_LARGE, match, port, client)
        pools = tuple(target for target in targets if isinstance(target, Pool)) if self._pools else ()
        source = self._source
        if self._source_is_link_address and port is not None:
            source = _standing(port)
        return ToServers6(servers, source, header, vrf, pools, match, port, client, silent)

    def addressed(self, message: Message, mac: bytes, port: Port6, servers: tuple[bytes, ...]) -> ToServers6:
        """Return how a message of our own goes to servers, as if a client had sent it on an active port.

        The client has an address of these 6 octets, and the link-local one that they make.
        """
        options = self._options_of(port)
        told = relayed6.hardware_address(mac) if self._setting.client_mac else b""
        around, source = options.front + told + options.behind, self._source
        if self._source_is_link_address:
            source = _standing(port)
        header = relayed6.header(0, _standing(port), eui64.link_local(mac), around, len(message)) or b""
        return ToServers6(servers, source, header, port.vrf)

    def addressed_from(
        self, message: Message, mac: bytes, link_address: bytes, vrf: int, servers: tuple[bytes, ...]
    ) -> ToServers6:
        """Return the same for a message that is on no client interface, with this link-address."""
        told = relayed6.hardware_address(mac) if self._setting.client_mac else b""
        around = told + relayed6.relay_id(self._setting.relay_id)
        header = relayed6.header(0, link_address, eui64.link_local(mac), around, len(message)) or b""
        return ToServers6(servers, self._source, header, vrf)

    def _named_by(self, asking: Asking) -> Named:
        """Return the server that a message is for (rule 126); None if it is not known which that is."""
        named = asking.named_server
        return frozenset() if named is None else self._server_ids.of(named)

    def recipients(self, client: Client6, choice: Choice, *, pxe_only: bool) -> tuple[Target, ...] | Drop6:
        """Return who gets a client's requests: the chosen servers, and the dhcp_servers, each once.

        A client that boots goes to its choice alone, if that has an IPv6 address (rule 117).
        """
        always = self.config.dhcp_servers
        if choice.drop:
            return Drop6.MAPPED_TO_DROP
        if pxe_only and not client.boots:
            return always or Drop6.NOT_PXE
        alone = always and not self._setting.dhcp_servers_for_all
        if alone and client.boots and self._packed(choice.servers):
            return choice.servers
        return tuple(dict.fromkeys((*choice.servers, *always)))

    def _any_recipients(
        self, client: Client6, match: Match, port: Port6 | None
    ) -> tuple[Target, ...] | Drop6:
        """Return all that the SOLICIT of a client may have gone to, whatever that said (rule 119)."""
        choices = [match.choice]
        if match.reason not in RULES:
            choices = self.config.policy.possible(client, port.setting.default if port else None)
        targets = dict.fromkeys(target for choice in choices for target in choice.servers)
        if not targets:
            return Drop6.MAPPED_TO_DROP
        return tuple(dict.fromkeys((*targets, *self.config.dhcp_servers)))

    def why_nobody(self, targets: Iterable[Target]) -> Drop6:
        """Return why requests for these targets, which have no IPv6 address, go nowhere."""
        hosts = (host for one in targets for host in (one.hosts if isinstance(one, Pool) else (one,)))
        unknown = any(isinstance(host, str) and not self.answers.is_known(host) for host in hosts)
        return Drop6.NOT_RESOLVED if unknown else Drop6.NO_IPV6_SERVER

    def _options_of(self, port: Port6) -> _Options:
        found = self._options.get(port.index or 0)
        if found is None:
            front, setting = relayed6.interface_id(port.interface_id), self._setting
            relay_id = relayed6.relay_id(setting.relay_id)
            remote_id = relayed6.remote_id(setting.enterprise or 0, port.remote_id)
            found = _Options(front, remote_id + relay_id, front + relay_id)
            self._options[port.index or 0] = found
        return found

    def _is_trusted_switch(self, port: Port6, source: bytes) -> bool:
        """Whether a switch may relay to us on an interface, in the client's name (RFC 6221, 6.1.2)."""
        return is_link_local(source) and port.name in self._setting.trusted

    def _is_of_a_switch(self, arrival: Arrival6) -> bool:
        """Whether a message was relayed by a switch on a trusted interface."""
        port = self._network.active(arrival.interface)
        grouped = arrival.destination == ALL_RELAYS_AND_SERVERS
        return port is not None and grouped and self._is_trusted_switch(port, arrival.source)

    def _accepts_router(self, index: int, source: bytes) -> bool:
        """Whether a relay agent with this address may relay to us; one without a route needs an interface."""
        if is_link_local(source) and self._network.active(index) is None:
            return False
        return within(source, self._relays)

    def _reply(self, arrival: Arrival6) -> ToPeer | Dropped6:
        """Decide on what a server has sent, or somebody in its name."""
        index = arrival.interface
        inside = relayed6.unwrapped(arrival.message)
        if inside is None:
            return Dropped6(Drop6.NO_RELAY_MESSAGE)
        link_address = bytes(arrival.message[packet6.LINK_ADDRESS])
        peer = bytes(arrival.message[packet6.PEER_ADDRESS])
        port = self._port_for(inside.interface_id, link_address, self._network.vrf_of(index))
        to_relay = inside.message[packet6.TYPE] == RELAY_REPL
        if port is None and (
            inside.interface_id is not None or link_address != packet6.UNSET or not to_relay
        ):
            return Dropped6(Drop6.NO_INTERFACE)
        if self._pools:
            self.learn(inside.message, arrival.source)
        out = port.index if port and port.index is not None else index
        if not packet6.is_one_host(peer) or self._network.is_ours(out, peer):
            return Dropped6(Drop6.BAD_PEER, port=port)
        if to_relay:
            return self._to_relay(inside, peer, port, self._network.vrf_of(out))
        assert port is not None  # noqa: S101  # a client is on one of our interfaces
        hardware = None
        if port.hardware:
            hardware = self.behind(out, peer) or eui64.mac_of(peer)
        return ToPeer(
            inside.message, peer, packet6.CLIENT_PORT, port, _source(port, peer), hardware, port.vrf
        )

    def learn(self, message: Message, source: bytes) -> None:
        """Remember which server has the DUID that an answer comes from, if it is one's own answer."""
        if source not in self.repliers:
            return
        named = Facts6(relayed6.innermost(message)).server_id
        if named is not None:
            self._server_ids.learn(named, source)

    def _to_relay(
        self, inside: relayed6.Unwrapped, peer: bytes, port: Port6 | None, vrf: int
    ) -> ToPeer | Dropped6:
        """Return how a RELAY-REPL goes to a relay agent below us: a switch on a VLAN, or by the route."""
        udp_port = inside.port or packet6.SERVER_PORT
        if port is not None and is_link_local(peer):
            if self._is_trusted_switch(port, peer) or within(peer, self._relays):
                return ToPeer(inside.message, peer, udp_port, port, _source(port, peer), None, vrf)
        elif not is_link_local(peer) and within(peer, self._relays):
            return ToPeer(inside.message, peer, udp_port, vrf=vrf)
        return Dropped6(Drop6.BAD_PEER, port=port)

    def _port_for(self, interface_id: bytes | None, link_address: bytes, vrf: int) -> Port6 | None:
        """Return the client interface that a RELAY-REPL is for, None if it does not tell (rule 143)."""
        named = self._network.with_link_address(vrf, link_address)
        if interface_id is not None:
            ports = self._network.with_interface_id(interface_id)
            if len(ports) > 1:
                ports = [port for port in ports if port in named]
        else:
            ports = named
        return ports[0] if len(ports) == 1 and ports[0].vrf == vrf else None


def _nobody(_: int, __: bytes) -> None:
    """Know of no frames."""


def _standing(port: Port6) -> bytes:
    """Return the link-address of a port that serves."""
    return port.link_address.packed if port.link_address else packet6.UNSET


def _source(port: Port6, peer: bytes) -> bytes | None:
    """Return where a message to a peer on a port's link comes from (rule 149)."""
    own = port.link_local if is_link_local(peer) else port.address
    return own.packed if own else None
