"""One message in; where it goes, or why it is dropped, out.

This is the relay: the rules of RFC 951, 1542, 2131 and 3046 as a checklist, with no input or output.
A message is patched where it lies, in hops and giaddr only, and only once nothing stands against
relaying it. What is decided is returned; the daemon sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

from pxerelay.policy.links import Link
from pxerelay.policy.model import GIADDR, Config
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports import Port
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.rules import Choice
from pxerelay.policy.servers import Pool, Target
from pxerelay.policy.sticky import StickyClients
from pxerelay.policy.ways import WayTo
from pxerelay.relay.any_relay import AnyRelay
from pxerelay.relay.askers import Askers
from pxerelay.relay.decision import BROADCAST, Decision, Drop, Dropped, ToClient, ToServers
from pxerelay.relay.network import Network, masks, within
from pxerelay.wire import agentinfo, packet
from pxerelay.wire.client import Client
from pxerelay.wire.facts import Facts

_NO_ANSWERS = ResolvedNames()

_ALL_STATIONS = b"\xff" * 6
"""The Ethernet broadcast address."""


class Relay(AnyRelay[Port]):
    """The rules for one configuration, one state of the network, and what is known and thought of servers.

    Built anew when one of them changes, but for the network, which it follows (`follow`). The configuration
    is one as it holds on a day (`Config.on`), and `answers` are for servers' DNS names. `sticky` has the
    clients that keep the `standing` before this one; without it nobody does. Only where interfaces share a
    giaddr is it remembered who asked (`askers`), for a reply that does not bring our circuit id back; the
    relay before this one hands it on.
    """

    _network: Network
    sticky: StickyClients | None

    def __init__(
        self,
        config: Config,
        ports: Iterable[Port],
        links: Iterable[Link],
        answers: ResolvedNames = _NO_ANSWERS,
        standing: Standing = ALL_UP,
        sticky: StickyClients | None = None,
        askers: Askers | None = None,
        way_to: WayTo | None = None,
    ) -> None:
        network = Network(ports, links)
        routers, replying = masks(config.accept_relayed_from), masks(config.accept_replies_from)
        thought = answers, answers.of, standing, sticky
        super().__init__(config, network, *thought, way_to, routers, replying)
        self._askers = Askers() if askers is None else askers
        fixed = config.source_address
        self._source = fixed.packed if isinstance(fixed, IPv4Address) else None
        self._source_is_giaddr = fixed == GIADDR

    def pass_time(self, now: float) -> None:
        """Forget who asked long ago, at a monotonic time in seconds."""
        self._askers.pass_time(now)

    def decide(
        self,
        message: bytearray | memoryview,
        index: int,
        source: bytes,
        unicast: bool = False,
        facts: Facts | None = None,
        source_port: int = packet.SERVER_PORT,
    ) -> Decision:
        """Return what to do with a message, which is patched if it is a request to relay.

        `index` is the interface it came in on, `source` the 4 octets of the sender's address; `unicast`
        says that it was sent to an address of ours and not by broadcast. `facts` are those of the message,
        if somebody has begun to read it; `source_port` counts for replies only.
        """
        if len(message) < packet.HEADER_SIZE:
            return Dropped(Drop.TRUNCATED)
        if message[packet.HLEN] > packet.MAX_HLEN:
            return Dropped(Drop.BAD_HLEN)
        if self._network.is_here(index, source):
            return Dropped(Drop.FROM_THIS_HOST)
        op = message[packet.OP]
        if op == packet.BOOTREQUEST:
            return self._request(message, index, source, unicast, facts or Facts(message))
        if op == packet.BOOTREPLY:
            if source_port != packet.SERVER_PORT and not self.config.any_source_port:
                return Dropped(Drop.NOT_FROM_PORT_67 if self._may_reply(source) else Drop.NOT_A_SERVER)
            return self._reply(message, index, source, facts or Facts(message))
        return Dropped(Drop.BAD_OP)

    def _request(
        self, message: bytearray | memoryview, index: int, source: bytes, unicast: bool, facts: Facts
    ) -> ToServers | Dropped:
        hops = message[packet.HOPS]
        if hops > self.config.max_hops:
            return Dropped(Drop.TOO_MANY_HOPS)
        vrf = self.vrf_of(index)
        giaddr = bytes(message[packet.GIADDR])
        port = None
        if giaddr != packet.UNSET:  # a router's client is on none of our VLANs, wherever it is heard
            if self.owns(vrf, giaddr):
                return Dropped(Drop.OWN_GIADDR)
            if not self.accepts_router(source):
                return Dropped(Drop.RELAY_NOT_ACCEPTED)
        elif (port := self._network.active(index)) is None:
            waits = self._network.waits(index)
            return Dropped(Drop.INTERFACE_WAITING if waits else Drop.NOT_A_CLIENT_INTERFACE)
        elif unicast and not self.may_be_client(port, source):
            return Dropped(Drop.NOT_OF_THIS_SUBNET)
        client = Client(facts, port.name if port else None)
        match = self.config.policy.choose(client, port.setting.default if port else None)
        pxe_only = port.setting.pxe_only if port else self.config.pxe_only
        targets = recipients(self.config, client, match.choice, pxe_only=pxe_only)
        if isinstance(targets, Drop):
            return Dropped(targets, match, port, client)
        servers = self._decided(targets, facts) if self._pools else self._packed(targets)
        if not servers:
            return Dropped(Drop.NOT_RESOLVED, match, port, client)
        foreign = port is not None and port.info is not None and facts.carries_agent
        if foreign and port and not self._trusts(port):
            return Dropped(Drop.FOREIGN_OPTION82, match, port, client)
        if port is None:
            message[packet.HOPS] = hops + 1
            sender = self.source_for(vrf, giaddr)
            return ToServers(servers, sender, vrf=vrf, returns=False, match=match, client=client)
        pools = tuple(target for target in targets if isinstance(target, Pool)) if self._pools else ()
        marks = port.info is not None and not foreign
        option = self._option_for(facts, port, servers, unicast) if marks else None
        if option is None and marks and self.config.option82 and self.config.option82.required:
            return Dropped(Drop.NO_ROOM_FOR_OPTION82, match, port, client)
        message[packet.HOPS] = hops + 1
        too_large = option is None and marks and facts.end is not None
        sender = self._leave(facts, port)
        whole = agentinfo.added(facts, option) if option else None
        return ToServers(servers, sender, whole, too_large, port.vrf, True, pools, match, port, client)

    def addressed(self, facts: Facts, port: Port, servers: tuple[bytes, ...]) -> ToServers:
        """Return how a request of our own goes to servers, as if a client had sent it on an active port.

        giaddr and hops are patched, and it gets our option 82 where it is configured.
        """
        message = facts.message
        assert not isinstance(message, bytes)  # noqa: S101  # it is patched where it lies
        message[packet.HOPS] = 1
        source, option = self._leave(facts, port), self._option_for(facts, port, servers)
        return ToServers(servers, source, agentinfo.added(facts, option) if option else None, vrf=port.vrf)

    def _leave(self, facts: Facts, port: Port) -> bytes | None:
        """Patch giaddr of a request that was heard on an active port; return the address it leaves from."""
        message = facts.message
        assert not isinstance(message, bytes)  # noqa: S101  # it is patched where it lies
        vrf, giaddr = port.vrf, port.giaddr.packed if port.giaddr else packet.UNSET
        message[packet.GIADDR] = giaddr
        if len(self._network.with_giaddr(vrf, giaddr)) > 1:
            self._askers.note(packet.transaction(message), port.name)
        return self.source_for(vrf, giaddr)

    def _option_for(
        self, facts: Facts, port: Port, servers: tuple[bytes, ...], unicast: bool = False
    ) -> bytes | None:
        """Return the option 82 that a request gets, None where there is none to add, or no room for it.

        The room is what the way to each of its servers carries (rule 38), and what the client takes.
        """
        if port.info is None or facts.end is None:
            return None
        option = port.info.unicast if unicast else port.info.broadcast
        mtu = min(self._mtu_to(server, port.vrf) for server in servers)
        return option if agentinfo.has_room(facts, option, mtu) else None

    def _mtu_to(self, server: bytes, vrf: int) -> int:
        way = self._way_to(server, vrf) if self._way_to else None
        return way.mtu if way else self._network.mtu

    def from_us(
        self, message: bytearray, giaddr: IPv4Address, servers: tuple[bytes, ...]
    ) -> ToServers | None:
        """Return how our own request goes to servers that answer to an address, None if it is not ours.

        `giaddr` is patched; an address that is ours in several VRFs is taken for that in the first of them.
        """
        vrfs = self._network.vrfs_with(giaddr.packed)
        if not vrfs:
            return None
        message[packet.GIADDR] = giaddr.packed
        return ToServers(servers, self.source_for(min(vrfs), giaddr.packed), vrf=min(vrfs))

    def _trusts(self, port: Port) -> bool:
        return self.config.option82 is not None and port.name in self.config.option82.trusted

    def owns(self, vrf: int, address: bytes) -> bool:
        """Whether 4 octets are an address of this host in a VRF."""
        return self._network.owns(vrf, address)

    def may_be_client(self, port: Port, source: bytes) -> bool:
        """Whether a client of a port may send by unicast from 4 octets: its address, or none (rule 31)."""
        if source == packet.UNSET:
            return True
        return port.link is not None and any(IPv4Address(source) in subnet for subnet in port.link.subnets)

    def serves_directly(self, index: int, source: bytes) -> bool:
        """Whether requests from 4 octets on an interface are taken however they were sent (rules 30, 31)."""
        port = self._network.active(index)
        return (
            port is not None and self.may_be_client(port, source) and not self._network.is_here(index, source)
        )

    def takes_from_router(self, index: int, source: bytes) -> bool:
        """Whether requests with giaddr set are relayed that come in on an interface from 4 octets."""
        return self.accepts_router(source) and not self._network.is_here(index, source)

    def accepts_router(self, source: bytes) -> bool:
        """Whether a router with an address of these 4 octets may relay to us."""
        return within(source, self._relays)

    def source_for(self, vrf: int, giaddr: bytes) -> bytes | None:
        """Return the source address of a relayed request; a router's giaddr is none of ours to use."""
        if self._source_is_giaddr:
            return giaddr if self.owns(vrf, giaddr) else None
        return self._source

    def _reply(
        self, message: bytearray | memoryview, index: int, source: bytes, facts: Facts
    ) -> ToClient | Dropped:
        if not self._may_reply(source):
            return Dropped(Drop.NOT_A_SERVER)
        if self._network.is_client_interface(index) and not self._is_the_way_to(index, source):
            return Dropped(Drop.SERVER_ON_CLIENT_INTERFACE)
        ports = self._network.with_giaddr(self.vrf_of(index), bytes(message[packet.GIADDR]))
        if not ports:
            return Dropped(Drop.NOT_OUR_GIADDR)
        address, hardware = _target(message, facts)
        if ports[0].info:
            for info in facts.agents:
                for port in ports:
                    if port.info and port.info.is_ours(info.value):
                        return ToClient(port, address, hardware, agentinfo.removed(message, info))
        if len(ports) == 1:
            return ToClient(ports[0], address, hardware)
        asked = self._askers.interface_of(packet.transaction(message))
        heard_on = [port for port in ports if port.name == asked]
        return ToClient(heard_on[0], address, hardware) if heard_on else Dropped(Drop.NO_INTERFACE)


def recipients(
    config: Config, client: Client, choice: Choice, *, pxe_only: bool
) -> tuple[Target, ...] | Drop:
    """Return who gets a client's requests: the chosen servers and the dhcp_servers, each once."""
    if choice.drop:
        return Drop.MAPPED_TO_DROP
    if pxe_only and not client.is_pxe:
        return config.dhcp_servers or Drop.NOT_PXE
    return tuple(dict.fromkeys((*choice.servers, *config.dhcp_servers)))


def _target(message: bytearray | memoryview, facts: Facts) -> tuple[bytes, bytes]:
    """Return where on its link a reply goes: an address, and an Ethernet address."""
    everyone = BROADCAST, _ALL_STATIONS
    if facts.kind == packet.DHCPNAK:
        return everyone
    ciaddr = bytes(message[packet.CIADDR])
    chaddr = packet.ethernet_chaddr(message)
    if ciaddr != packet.UNSET:
        return ciaddr, chaddr or _ALL_STATIONS
    if message[packet.FLAGS] & packet.BROADCAST_FLAG:
        return everyone
    yiaddr = bytes(message[packet.YIADDR])
    if yiaddr == packet.UNSET or chaddr is None:
        return everyone  # a proxyDHCP offer gives no address, and such a client has none yet
    return yiaddr, chaddr
