"""One message in; where it goes, or why it is dropped, out.

This is the relay: the rules of RFC 951, 1542, 2131 and 3046 as a checklist, with no input or output.
A message is patched where it lies, in hops and giaddr only, and only once nothing stands against
relaying it. What is decided is returned; the daemon sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from pxerelay.policy.model import GIADDR, Config
from pxerelay.policy.pools import ALL_UP, Standing, chosen
from pxerelay.policy.ports import Link, Port
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.rules import Choice, Match, Reason
from pxerelay.policy.servers import Pool, Target
from pxerelay.policy.sticky import StickyClients
from pxerelay.wire import agentinfo, packet
from pxerelay.wire.batch import client_number
from pxerelay.wire.client import Client

BROADCAST = b"\xff\xff\xff\xff"
"""The limited broadcast address (RFC 919, 7)."""


class Drop(Enum):
    """Why a message is not relayed. Values are the names of counters; meanings are in `MEANING`."""

    TRUNCATED = "truncated"
    BAD_OP = "bad-op"
    BAD_HLEN = "bad-hlen"
    TOO_MANY_HOPS = "too-many-hops"
    NOT_A_CLIENT_INTERFACE = "not-a-client-interface"
    INTERFACE_WAITING = "interface-waiting"
    OWN_GIADDR = "own-giaddr"
    RELAY_NOT_ACCEPTED = "relay-not-accepted"
    MAPPED_TO_DROP = "mapped-to-drop"
    NOT_PXE = "not-pxe"
    FLOOD = "flood"
    NOT_RESOLVED = "not-resolved"
    FOREIGN_OPTION82 = "foreign-option82"
    NOT_A_SERVER = "not-a-server"
    NOT_OUR_GIADDR = "not-our-giaddr"
    NO_INTERFACE = "no-interface"


MEANING = {
    Drop.TRUNCATED: "shorter than the fixed header of 236 octets",
    Drop.BAD_OP: "op is neither 1, a request, nor 2, a reply",
    Drop.BAD_HLEN: "hlen says more than the 16 octets that chaddr has",
    Drop.TOO_MANY_HOPS: "passed more relay agents than max_hops allows",
    Drop.NOT_A_CLIENT_INTERFACE: "a client's request on an interface that `interfaces:` does not name",
    Drop.INTERFACE_WAITING: "a client's request on an interface that has no usable address yet",
    Drop.OWN_GIADDR: "a request whose giaddr is our own address: a loop, or somebody pretends to be us",
    Drop.RELAY_NOT_ACCEPTED: "relayed to us by a router that `accept_relayed_from:` does not name",
    Drop.MAPPED_TO_DROP: "the mapping says drop",
    Drop.NOT_PXE: "pxe_only holds, the client is not booting from the network, there are no dhcp_servers",
    Drop.FLOOD: "this client asks more than `max_requests` times a second",
    Drop.NOT_RESOLVED: "its server is a DNS name that has not been resolved yet",
    Drop.FOREIGN_OPTION82: "brings an option 82 of its own, on an interface that is not `trusted`",
    Drop.NOT_A_SERVER: "a reply from an address that is no configured server's",
    Drop.NOT_OUR_GIADDR: "a reply whose giaddr is the address of none of our active client interfaces",
    Drop.NO_INTERFACE: "a reply to a giaddr that several interfaces share, with neither our circuit id nor a "
    "request that we know of",
}
"""What each reason means, in words for the administrator."""


class ToServers(NamedTuple):
    """Send a copy of the request to each address, port 67, from `source` (None: as the route says).

    `vrf` is the index of the VRF that they are in, 0 for the default one. `message` is what to send in
    place of the one received, if option 82 was added; `too_large` says that it was not, for want of room.
    `pools` are those that some of the servers were chosen of, if their answers come this way.
    `reason` is what kind of entry chose, `returns` whether giaddr is ours, so that answers come this way.
    """

    servers: tuple[bytes, ...]
    source: bytes | None
    message: bytes | None = None
    too_large: bool = False
    vrf: int = 0
    reason: Reason = Reason.DEFAULT
    returns: bool = True
    pools: tuple[Pool, ...] = ()


class ToClient(NamedTuple):
    """Send the reply out of a port, to port 68 of `address` and, on the link, to `hardware`.

    A client that can't answer ARP yet is reached so, and one that can has no say in how long we wait for
    it. `message` is what to send in place of the one received, if our option 82 was removed.
    """

    port: Port
    address: bytes
    hardware: bytes
    message: bytes | None = None


SUSPICIOUS = frozenset(
    {Drop.OWN_GIADDR, Drop.RELAY_NOT_ACCEPTED, Drop.FOREIGN_OPTION82, Drop.NOT_A_SERVER, Drop.FLOOD}
)
"""Reasons that somebody should look into: logged, at a bounded rate."""

Decision = ToServers | ToClient | Drop

_NO_ANSWERS = ResolvedNames()

_LARGEST_PACKET = 65535
"""Octets of the largest IPv4 packet (RFC 791, 3.1)."""

_ALL_STATIONS = b"\xff" * 6
"""The Ethernet broadcast address."""

_ASKED = 1 << 16
"""Requests that are remembered where interfaces share a giaddr; when there are more, all are forgotten."""


class Relay:
    """The rules for one configuration, one state of the network, and what is known and thought of servers.

    Built anew when one of them changes. The configuration is one as it holds on a day (`Config.on`), and
    `answers` are for servers' DNS names. `sticky` has the clients that keep the `standing` before this one;
    without it nobody does. `vrfs` tells the names of VRFs by index. Only where interfaces share a giaddr is
    it remembered who asked, for a reply that does not bring our circuit id back: `asked` has names of
    interfaces by transaction, from the relay before this one on. `repliers` has the 4 octets of every
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
        self.ports = tuple(ports)
        self._by_index: dict[int, Port] = {}
        self._waiting: set[str] = {port.name for port in self.ports if port.waiting}
        self._by_giaddr: dict[tuple[int, bytes], list[Port]] = {}
        for port in self.ports:
            if port.index is not None and port.giaddr is not None:
                self._by_index[port.index] = port
                self._by_giaddr.setdefault((port.vrf, port.giaddr.packed), []).append(port)
        self._asked = {} if asked is None else asked
        self._waiting_indexes: set[int] = set()
        self._own: set[tuple[int, bytes]] = set()
        self._vrf_of: dict[int, int] = {}
        self.vrfs: dict[int, str] = {}
        self._mtu = _LARGEST_PACKET
        for link in links:
            self._own.update((link.vrf, address.packed) for address in link.addresses)
            if link.vrf:
                self._vrf_of[link.index] = link.vrf
            if link.vrf == link.index:
                self.vrfs[link.index] = link.name
            if link.up and link.addresses and not link.addresses[0].is_loopback:
                self._mtu = min(self._mtu, link.mtu)
            if link.name in self._waiting:
                self._waiting_indexes.add(link.index)
        self._relays = _masks(config.accept_relayed_from)
        self.repliers = frozenset(self._packed(config.mentioned))
        self._replying_networks = _masks(config.accept_replies_from)
        fixed = config.source_address
        self._source = fixed.packed if isinstance(fixed, IPv4Address) else None
        self._source_is_giaddr = fixed == GIADDR

    def decide(
        self, message: bytearray | memoryview, index: int, source: bytes, unicast: bool = False
    ) -> Decision:
        """Return what to do with a message, which is patched if it is a request to relay.

        `index` is the interface it came in on, `source` the 4 octets of the sender's address; `unicast`
        says that it was sent to an address of ours and not by broadcast.
        """
        if len(message) < packet.HEADER_SIZE:
            return Drop.TRUNCATED
        if message[packet.HLEN] > packet.MAX_HLEN:
            return Drop.BAD_HLEN
        op = message[packet.OP]
        if op == packet.BOOTREQUEST:
            return self._request(message, index, source, unicast)
        if op == packet.BOOTREPLY:
            return self._reply(message, index, source)
        return Drop.BAD_OP

    def _request(
        self, message: bytearray | memoryview, index: int, source: bytes, unicast: bool
    ) -> ToServers | Drop:
        hops = message[packet.HOPS]
        if hops > self.config.max_hops:
            return Drop.TOO_MANY_HOPS
        vrf = self._vrf_of.get(index, 0)
        giaddr = bytes(message[packet.GIADDR])
        port = None
        if giaddr != packet.UNSET:  # a router's client is on none of our VLANs, wherever it is heard
            if (vrf, giaddr) in self._own:
                return Drop.OWN_GIADDR
            if not _within(source, self._relays):
                return Drop.RELAY_NOT_ACCEPTED
        elif (port := self._by_index.get(index)) is None or port.giaddr is None:
            return Drop.INTERFACE_WAITING if index in self._waiting_indexes else Drop.NOT_A_CLIENT_INTERFACE
        client = Client(message, port.name if port else None)
        match = self.choose(client, port)
        targets = self._targets_for(client, match.choice, port)
        if isinstance(targets, Drop):
            return targets
        servers = self._decided(targets, message) if self._pools else self._packed(targets)
        if not servers:
            return Drop.NOT_RESOLVED
        foreign = port is not None and port.info is not None and agentinfo.carries(message)
        if foreign and port and not self._trusts(port):
            return Drop.FOREIGN_OPTION82
        message[packet.HOPS] = hops + 1
        if port is None:
            sender = self.source_for(vrf, giaddr)
            return ToServers(servers, sender, vrf=vrf, reason=match.reason, returns=False)
        pools = tuple(target for target in targets if isinstance(target, Pool)) if self._pools else ()
        decision = self.addressed(message, port, servers, unicast=unicast, marked=not foreign)
        return decision._replace(reason=match.reason, pools=pools)

    def addressed(
        self,
        message: bytearray | memoryview,
        port: Port,
        servers: tuple[bytes, ...],
        *,
        unicast: bool = False,
        marked: bool = True,
    ) -> ToServers:
        """Return how a request that was heard on an active port goes to servers; giaddr is patched.

        It gets our option 82 where it is configured, unless it is not to be `marked`.
        """
        vrf, giaddr = port.vrf, port.giaddr.packed if port.giaddr else packet.UNSET
        message[packet.GIADDR] = giaddr
        if len(self._by_giaddr[vrf, giaddr]) > 1:
            self._remember(message, port)
        source = self.source_for(vrf, giaddr)
        place = agentinfo.find_end(message) if marked and port.info else None
        if place is None or port.info is None:
            return ToServers(servers, source, vrf=vrf)
        option = port.info.unicast if unicast else port.info.broadcast
        whole = agentinfo.added(message, place, option, self._mtu)
        return ToServers(servers, source, whole, whole is None, vrf)

    def from_us(
        self, message: bytearray, giaddr: IPv4Address, servers: tuple[bytes, ...]
    ) -> ToServers | None:
        """Return how our own request goes to servers that answer to an address, None if it is not ours.

        `giaddr` is patched; an address that is ours in several VRFs is taken for that in the first of them.
        """
        vrfs = [vrf for vrf, address in self._own if address == giaddr.packed]
        if not vrfs:
            return None
        message[packet.GIADDR] = giaddr.packed
        return ToServers(servers, self.source_for(min(vrfs), giaddr.packed), vrf=min(vrfs))

    def knows(self, server: IPv4Address) -> bool:
        """Whether an address is that of a configured server."""
        return server.packed in self.repliers

    def _trusts(self, port: Port) -> bool:
        return self.config.option82 is not None and port.name in self.config.option82.trusted

    def choose(self, client: Client, port: Port | None) -> Match:
        """Return what the mapping says of a client that was heard on a port, or relayed to us."""
        return self.config.policy.choose(client, port.setting.default if port else None)

    def _targets_for(self, client: Client, choice: Choice, port: Port | None) -> tuple[Target, ...] | Drop:
        pxe_only = port.setting.pxe_only if port else self.config.pxe_only
        return recipients(self.config, client, choice, pxe_only=pxe_only)

    def now_for(self, targets: Iterable[Target], chaddr: bytes) -> tuple[bytes, ...]:
        """Return the servers that targets stand for, for a client with these 6 octets that begins now."""
        return self._of(targets, chaddr, self._standing)

    def _decided(self, targets: Iterable[Target], message: packet.Message) -> tuple[bytes, ...]:
        """Return the servers that targets stand for, of each pool the one that is this client's.

        A client in the middle of a boot stays where that began. When it begins anew it does so only if its
        servers are thought to answer: its second DISCOVER, iPXE's say, has to reach the same one.
        """
        octets = packet.client_octets(message)
        now = self._of(targets, octets, self._standing)
        kept = self.sticky.standing_for(client_number(message)) if self.sticky else None
        if self.sticky is None or kept is None:
            return now
        before = self._of(targets, octets, kept)
        if before == now or (not self._standing.trusts(before) and packet.begins_anew(message)):
            self.sticky.release(client_number(message))
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
            return giaddr if (vrf, giaddr) in self._own else None
        return self._source

    def _reply(self, message: bytearray | memoryview, index: int, source: bytes) -> ToClient | Drop:
        if source not in self.repliers and not _within(source, self._replying_networks):
            return Drop.NOT_A_SERVER
        ports = self._by_giaddr.get((self._vrf_of.get(index, 0), bytes(message[packet.GIADDR])))
        if ports is None:
            return Drop.NOT_OUR_GIADDR
        address, hardware = _target(message)
        if ports[0].info:
            for info in agentinfo.found_in(message):
                for port in ports:
                    if port.info and port.info.is_ours(info.value):
                        return ToClient(port, address, hardware, agentinfo.removed(message, info))
        if len(ports) == 1:
            return ToClient(ports[0], address, hardware)
        asked = self._asked.get(packet.transaction(message))
        heard_on = [port for port in ports if port.name == asked]
        return ToClient(heard_on[0], address, hardware) if heard_on else Drop.NO_INTERFACE

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
    if pxe_only and not packet.is_pxe(client.vendor_class):
        return config.dhcp_servers or Drop.NOT_PXE
    return tuple(dict.fromkeys((*choice.servers, *config.dhcp_servers)))


def _target(message: bytearray | memoryview) -> tuple[bytes, bytes]:
    """Return where on its link a reply goes: an address, and an Ethernet address."""
    everyone = BROADCAST, _ALL_STATIONS
    if packet.is_nak(message):
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
