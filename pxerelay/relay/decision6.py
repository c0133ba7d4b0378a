"""What becomes of a DHCPv6 message, and what that was made of; as `decision` is for DHCPv4."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from pxerelay.policy.ports6 import Port6
from pxerelay.policy.rules import Match, Reason
from pxerelay.policy.servers import Pool
from pxerelay.wire.client6 import Client6
from pxerelay.wire.packet import Message


class Arrival6(NamedTuple):
    """A message where it lies, and how it came.

    `source` and `destination` are 16 octets, `port` the UDP port that it was sent from, `interface` the index
    of the one that it came in on. `mac` is the Ethernet source of the frame that brought this very message,
    6 octets; None if that is not known.
    """

    message: Message
    interface: int
    source: bytes
    port: int
    destination: bytes
    mac: bytes | None = None


class Drop6(Enum):
    """Why a DHCPv6 message is not relayed. Values are the names of counters; meanings are in `MEANING6`."""

    TRUNCATED = "truncated"
    BAD_SOURCE = "bad-source"
    FROM_THIS_HOST = "from-this-host"
    NOT_TO_THE_GROUP = "not-to-the-group"
    NOT_FOR_SERVERS = "not-for-servers"
    NOT_A_CLIENT_INTERFACE = "not-a-client-interface"
    INTERFACE_WAITING = "interface-waiting"
    TOO_MANY_HOPS = "too-many-hops"
    OWN_LINK_ADDRESS = "own-link-address"
    RELAY_NOT_ACCEPTED = "relay-not-accepted"
    TOO_DEEP = "too-deep"
    NO_RELAY_MESSAGE = "no-relay-message"
    TOO_LARGE = "too-large"
    MAPPED_TO_DROP = "mapped-to-drop"
    NOT_PXE = "not-pxe"
    NO_IPV6_SERVER = "no-ipv6-server"
    NOT_RESOLVED = "not-resolved"
    FLOOD = "flood"
    MORE_THAN_ITS_SHARE = "more-than-its-share"
    TOO_OLD = "too-old"
    NOT_A_SERVER = "not-a-server"
    NOT_FROM_PORT_547 = "not-from-port-547"
    SERVER_ON_CLIENT_INTERFACE = "server-on-client-interface"
    NO_INTERFACE = "no-interface"
    BAD_PEER = "bad-peer"


MEANING6 = {
    Drop6.TRUNCATED: "shorter than the header of its message type, 4 octets, of relayed messages 34",
    Drop6.BAD_SOURCE: "from an unspecified, loopback, multicast or IPv4-mapped address",
    Drop6.FROM_THIS_HOST: "sent by this host itself, from an address of its own or by its loopback interface",
    Drop6.NOT_TO_THE_GROUP: "a client's message that was not sent to ff02::1:2, or one for relay agents to "
    "another group",
    Drop6.NOT_FOR_SERVERS: "an ADVERTISE, REPLY or RECONFIGURE, which only servers send",
    Drop6.NOT_A_CLIENT_INTERFACE: "a client's message on an interface that `interfaces:` does not name",
    Drop6.INTERFACE_WAITING: "a client's message on an interface that waits for an address",
    Drop6.TOO_MANY_HOPS: "passed more relay agents than max_hops allows, or has hop-count 8",
    Drop6.OWN_LINK_ADDRESS: "relayed by an address of ours, or with one as link-address: a loop, or somebody "
    "pretends to be us",
    Drop6.RELAY_NOT_ACCEPTED: "relayed to us by an agent that neither `accept_relayed_from:` nor `trusted` "
    "names",
    Drop6.TOO_DEEP: "relayed by more than 9 agents, as its headers say",
    Drop6.NO_RELAY_MESSAGE: "of relay agents or servers, with no whole message inside",
    Drop6.TOO_LARGE: "too large for a UDP datagram with our header around it",
    Drop6.MAPPED_TO_DROP: "the mapping says drop",
    Drop6.NOT_PXE: "pxe_only holds, the client is not booting from the network, there are no dhcp_servers",
    Drop6.NO_IPV6_SERVER: "no server that it is for has an IPv6 address",
    Drop6.NOT_RESOLVED: "its server is a DNS name that has not been resolved yet",
    Drop6.FLOOD: "this client asks more than `max_requests` times a second",
    Drop6.MORE_THAN_ITS_SHARE: "its VLAN or router sends faster than we relay, and others would have to wait",
    Drop6.TOO_OLD: "it waited for more than a second to be read; firmware has given up on it, or asks again",
    Drop6.NOT_A_SERVER: "a RELAY-REPL from an address that is no configured server's",
    Drop6.NOT_FROM_PORT_547: "a RELAY-REPL from a server's address, but not from port 547 (`source_ports`)",
    Drop6.SERVER_ON_CLIENT_INTERFACE: "a RELAY-REPL from a server's address on a client interface that is "
    "not the way to it",
    Drop6.NO_INTERFACE: "a RELAY-REPL with neither an Interface-Id nor a link-address of an active interface "
    "of ours",
    Drop6.BAD_PEER: "a RELAY-REPL for an address that is no client's and no relay agent's that may ask us",
}
"""What each reason means, in words for the administrator."""


class ToServers6(NamedTuple):
    """Send `header` and the message behind it to each address, port 547, from `source`, port 547.

    Servers and source are 16 octets each; a source of None is what the route says. `vrf` is the index of the
    VRF that the servers are in, 0 for the default one.

    What it was made of: `client` as the message shows it, the `port` that it was heard on (None: a relay
    agent that is on none of our interfaces sent it), the entry of the mapping that won (`match`), and the
    `pools` that some of the servers were chosen of. `silent` says that the message does not tell what its
    client is, and goes to all that the client may have asked (rule 119).
    """

    servers: tuple[bytes, ...]
    source: bytes | None
    header: bytes
    vrf: int = 0
    pools: tuple[Pool, ...] = ()
    match: Match | None = None
    port: Port6 | None = None
    client: Client6 | None = None
    silent: bool = False

    @property
    def reason(self) -> Reason:
        """What kind of entry chose."""
        return self.match.reason if self.match else Reason.DEFAULT

    @property
    def returns(self) -> bool:
        """Answers come this way, also those to relay agents (rule 137)."""
        return True


class ToPeer(NamedTuple):
    """Send `message`, the inside of a RELAY-REPL, to `address` and `udp_port`, from port 547.

    It leaves by `port`; where that is None, to a relay agent below us, by the route, in the VRF with the
    index `vrf`. `source` is the 16 octets to send from, None as the route says. `hardware` is the Ethernet
    address to send it to by link layer; with None the kernel finds it out.
    """

    message: Message
    address: bytes
    udp_port: int
    port: Port6 | None = None
    source: bytes | None = None
    hardware: bytes | None = None
    vrf: int = 0


class Dropped6(NamedTuple):
    """Send nothing. What the decision was made of is there as far as it was known by then."""

    reason: Drop6
    match: Match | None = None
    port: Port6 | None = None
    client: Client6 | None = None


Decision6 = ToServers6 | ToPeer | Dropped6

SUSPICIOUS6 = frozenset(
    {
        Drop6.OWN_LINK_ADDRESS,
        Drop6.RELAY_NOT_ACCEPTED,
        Drop6.NOT_FOR_SERVERS,
        Drop6.NOT_A_SERVER,
        Drop6.NOT_FROM_PORT_547,
        Drop6.SERVER_ON_CLIENT_INTERFACE,
        Drop6.FROM_THIS_HOST,
        Drop6.BAD_PEER,
        Drop6.FLOOD,
        Drop6.MORE_THAN_ITS_SHARE,
    }
)
"""Reasons that somebody should look into: logged, at a bounded rate."""

WATCHED6 = SUSPICIOUS6 | {Drop6.NOT_RESOLVED, Drop6.NO_INTERFACE}
"""Drops that alerts are for: metrics of each client interface have them before they count."""
