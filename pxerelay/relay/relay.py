"""One message in; where it goes, or why it is dropped, out.

This is the relay: the rules of RFC 951, 1542, 2131 and 3046 as a checklist, with no input or output.
A message is patched where it lies, in hops and giaddr only, and only once nothing stands against
relaying it. What is decided is returned; the daemon sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from pxerelay.policy.model import GIADDR, Config
from pxerelay.policy.pools import ALL_UP, Standing, chosen
from pxerelay.policy.ports import Change, Link, Port
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.rules import Choice
from pxerelay.policy.servers import Pool, Target
from pxerelay.policy.sticky import StickyClients
from pxerelay.relay.decision import BROADCAST, Decision, Drop, Dropped, ToClient, ToServers
from pxerelay.relay.network import Network
from pxerelay.wire import agentinfo, packet
from pxerelay.wire.client import Client
from pxerelay.wire.facts import Facts

_NO_ANSWERS = ResolvedNames()

_ALL_STATIONS = b"\xff" * 6
"""The Ethernet broadcast address."""

_ASKED = 1 << 16
"""Requests that are remembered where interfaces share a giaddr; when there are more, all are forgotten."""


class Relay:
    """The rules for one configuration, one state of the network, and what is known and thought of servers.

    Built anew when one of them changes, but for the network, which it follows (`follow`). The configuration
    is one as it holds on a day (`Config.on`), and `answers` are for servers' DNS names. `sticky` has the
    clients that keep the `standing` before this one; without it nobody does. Only where interfaces share a
    giaddr is it remembered who asked, for a reply that does not bring our circuit id back: `asked` has names
    of interfaces by transaction, from the relay before this one on. `repliers` has the 4 octets of every
    server that may get requests.
    """

    def __init__(
        self,
        config: Config,
        ports: Iterable[Port],
        links: Iterable[Link],
        answers: ResolvedNames = _NO_ANSWERS,
        standing: Standing = ALL_UP,
        sticky: StickyClients | None = None,
        asked: dict[packet.Transaction, str] | None = None,
    ) -> None:
        self.config = config
        self.answers = answers
        self.sticky = sticky
        self._standing = standing
        self._pools = {pool: self._packed((pool,)) for pool in config.pools.values()}
        self._asked = {} if asked is None else asked
        self._network = Network(ports, links)
        self._relays = _masks(config.accept_relayed_from)
        self.repliers = frozenset(self._packed(config.mentioned))
        self._replying_networks = _masks(config.accept_replies_from)
        fixed = config.source_address
        self._source = fixed.packed if isinstance(fixed, IPv4Address) else None
        self._source_is_giaddr = fixed == GIADDR

    def follow(self, ports: Iterable[Port], change: Change) -> None:
        """Take in what changed of the network; `ports` are all that there are now."""
        self._network.follow(ports, change)

    @property
    def ports(self) -> tuple[Port, ...]:
        """The client interfaces, also those that wait."""
        return self._network.ports

    @property
    def active_indexes(self) -> frozenset[int]:
        """The indexes of client interfaces that serve."""
        return self._network.active_indexes

    @property
    def vrfs(self) -> Mapping[int, str]:
        """The names of VRFs by index."""
        return self._network.vrfs

    def decide(
        self,
        message: bytearray | memoryview,
        index: int,
        source: bytes,
        unicast: bool = False,
        facts: Facts | None = None,
    ) -> Decision:
        """Return what to do with a message, which is patched if it is a request to relay.

        `index` is the interface it came in on, `source` the 4 octets of the sender's address; `unicast`
        says that it was sent to an address of ours and not by broadcast. `facts` are those of the message,
        if somebody has begun to read it.
        """
        if len(message) < packet.HEADER_SIZE:
            return Dropped(Drop.TRUNCATED)
        if message[packet.HLEN] > packet.MAX_HLEN:
            return Dropped(Drop.BAD_HLEN)
        op = message[packet.OP]
        if op == packet.BOOTREQUEST:
            return self._request(message, index, source, unicast, facts or Facts(message))
        if op == packet.BOOTREPLY:
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
        message[packet.HOPS] = hops + 1
        if port is None:
            sender = self.source_for(vrf, giaddr)
            return ToServers(servers, sender, vrf=vrf, returns=False, match=match, client=client)
        pools = tuple(target for target in targets if isinstance(target, Pool)) if self._pools else ()
        sender, whole = self._leave(facts, port), None if foreign else self._marked(facts, port, unicast)
        too_large = whole is None and not foreign and port.info is not None and facts.end is not None
        return ToServers(servers, sender, whole, too_large, port.vrf, True, pools, match, port, client)

    def addressed(self, facts: Facts, port: Port, servers: tuple[bytes, ...]) -> ToServers:
        """Return how a request of our own goes to servers, as if it had been heard on an active port.

        giaddr is patched, and it gets our option 82 where it is configured.
        """
        source, whole = self._leave(facts, port), self._marked(facts, port)
        return ToServers(servers, source, whole, vrf=port.vrf)

    def _leave(self, facts: Facts, port: Port) -> bytes | None:
        """Patch giaddr of a request that was heard on an active port; return the address it leaves from."""
        message = facts.message
        assert not isinstance(message, bytes)  # noqa: S101  # it is patched where it lies
        vrf, giaddr = port.vrf, port.giaddr.packed if port.giaddr else packet.UNSET
        message[packet.GIADDR] = giaddr
        if len(self._network.with_giaddr(vrf, giaddr)) > 1:
            self._remember(message, port)
        return self.source_for(vrf, giaddr)

    def _marked(self, facts: Facts, port: Port, unicast: bool = False) -> bytes | None:
        """Return a patched request with our option 82, None where there is none to add or no room for it."""
        if port.info is None or facts.end is None:
            return None
        return agentinfo.added(
            facts, port.info.unicast if unicast else port.info.broadcast, self._network.mtu
        )

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

    def knows(self, server: IPv4Address) -> bool:
        """Whether an address is that of a configured server."""
        return server.packed in self.repliers

    def _trusts(self, port: Port) -> bool:
        return self.config.option82 is not None and port.name in self.config.option82.trusted

    def vrf_of(self, index: int) -> int:
        """Return the index of the VRF that an interface is in, 0 for the default one."""
        return self._network.vrf_of(index)

    def owns(self, vrf: int, address: bytes) -> bool:
        """Whether 4 octets are an address of this host in a VRF."""
        return self._network.owns(vrf, address)

    @property
    def own_addresses(self) -> frozenset[bytes]:
        """The addresses of this host in all VRFs, 4 octets each."""
        return self._network.own_addresses

    def accepts_router(self, source: bytes) -> bool:
        """Whether a router with an address of these 4 octets may relay to us."""
        return _within(source, self._relays)

    def now_for(self, targets: Iterable[Target], chaddr: bytes) -> tuple[bytes, ...]:
        """Return the servers that targets stand for, for a client with these 6 octets that begins now."""
        return self._of(targets, chaddr, self._standing)

    def _decided(self, targets: Iterable[Target], facts: Facts) -> tuple[bytes, ...]:
        """Return the servers that targets stand for, of each pool the one that is this client's.

        A client in the middle of a boot stays where that began. When it begins anew it does so only if its
        servers are thought to answer: its second DISCOVER, iPXE's say, has to reach the same one.
        """
        octets = facts.client_octets
        now = self._of(targets, octets, self._standing)
        kept = self.sticky.standing_for(facts.client_key) if self.sticky else None
        if self.sticky is None or kept is None:
            return now
        before = self._of(targets, octets, kept)
        if before == now or (not self._standing.trusts(before) and facts.begins_anew):
            self.sticky.release(facts.client_key)
            return now
        return before

    def _of(self, targets: Iterable[Target], octets: bytes, standing: Standing) -> tuple[bytes, ...]:
        found: dict[bytes, None] = {}
        for target in targets:
            if isinstance(target, Pool):
                found.update(dict.fromkeys(self.members(target, octets, standing)))
            else:
                found.update(dict.fromkeys(self._packed((target,))))
        return tuple(found)

    def members(self, pool: Pool, octets: bytes, standing: Standing | None = None) -> tuple[bytes, ...]:
        """Return which of a pool get a client's requests, by its octets and what is thought now, or was."""
        return chosen(pool, self._pools[pool], octets, standing or self._standing)

    def _packed(self, targets: Iterable[Target]) -> tuple[bytes, ...]:
        found = (address.packed for target in targets for address in self.answers.of(target))
        return tuple(dict.fromkeys(found))

    def source_for(self, vrf: int, giaddr: bytes) -> bytes | None:
        """Return the source address of a relayed request; a router's giaddr is none of ours to use."""
        if self._source_is_giaddr:
            return giaddr if self.owns(vrf, giaddr) else None
        return self._source

    def _reply(
        self, message: bytearray | memoryview, index: int, source: bytes, facts: Facts
    ) -> ToClient | Dropped:
        if source not in self.repliers and not _within(source, self._replying_networks):
            return Dropped(Drop.NOT_A_SERVER)
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
        asked = self._asked.get(packet.transaction(message))
        heard_on = [port for port in ports if port.name == asked]
        return ToClient(heard_on[0], address, hardware) if heard_on else Dropped(Drop.NO_INTERFACE)

    def _remember(self, message: packet.Message, port: Port) -> None:
        """Remember on which of several interfaces with one giaddr a client asked."""
        if len(self._asked) >= _ASKED:
            self._asked.clear()
        self._asked[packet.transaction(message)] = port.name


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


def _masks(networks: Sequence[IPv4Network]) -> tuple[tuple[int, int], ...]:
    return tuple((int(network.netmask), int(network.network_address)) for network in networks)


def _within(address: bytes, networks: tuple[tuple[int, int], ...]) -> bool:
    number = int.from_bytes(address, "big")
    return any(number & mask == network for mask, network in networks)
