"""What becomes of a message, and what that was made of.

Nobody asks the mapping again for a message that was decided on: log, traces, `unknown` and `replay` tell what
stands here.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from pxerelay.policy.ports import Port
from pxerelay.policy.rules import Match, Reason
from pxerelay.policy.servers import Pool
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
    FROM_THIS_HOST = "from-this-host"
    NOT_OF_THIS_SUBNET = "not-of-this-subnet"
    OWN_GIADDR = "own-giaddr"
    RELAY_NOT_ACCEPTED = "relay-not-accepted"
    MAPPED_TO_DROP = "mapped-to-drop"
    NOT_PXE = "not-pxe"
    FLOOD = "flood"
    MORE_THAN_ITS_SHARE = "more-than-its-share"
    TOO_OLD = "too-old"
    NOT_RESOLVED = "not-resolved"
    FOREIGN_OPTION82 = "foreign-option82"
    NO_ROOM_FOR_OPTION82 = "no-room-for-option82"
    NOT_A_SERVER = "not-a-server"
    NOT_FROM_PORT_67 = "not-from-port-67"
    SERVER_ON_CLIENT_INTERFACE = "server-on-client-interface"
    NOT_OUR_GIADDR = "not-our-giaddr"
    NO_INTERFACE = "no-interface"


MEANING = {
    Drop.TRUNCATED: "shorter than the fixed header of 236 octets",
    Drop.BAD_OP: "op is neither 1, a request, nor 2, a reply",
    Drop.BAD_HLEN: "hlen says more than the 16 octets that chaddr has",
    Drop.TOO_MANY_HOPS: "passed more relay agents than max_hops allows",
    Drop.NOT_A_CLIENT_INTERFACE: "a client's request on an interface that `interfaces:` does not name",
    Drop.INTERFACE_WAITING: "a client's request on an interface that has no usable address yet",
    Drop.FROM_THIS_HOST: "sent by this host itself, from an address of its own or by its loopback interface",
    Drop.NOT_OF_THIS_SUBNET: "a client's request to our own address, from outside of its interface's subnets",
    Drop.OWN_GIADDR: "a request whose giaddr is our own address: a loop, or somebody pretends to be us",
    Drop.RELAY_NOT_ACCEPTED: "relayed to us by a router that `accept_relayed_from:` does not name",
    Drop.MAPPED_TO_DROP: "the mapping says drop",
    Drop.NOT_PXE: "pxe_only holds, the client is not booting from the network, there are no dhcp_servers",
    Drop.FLOOD: "this client asks more than `max_requests` times a second",
    Drop.MORE_THAN_ITS_SHARE: "its VLAN or router sends faster than we relay, and others would have to wait",
    Drop.TOO_OLD: "it waited for more than a second to be read; firmware has given up on it, or asks again",
    Drop.NOT_RESOLVED: "its server is a DNS name that has not been resolved yet, or has no IPv4 address",
    Drop.FOREIGN_OPTION82: "brings an option 82 of its own, on an interface that is not `trusted`",
    Drop.NO_ROOM_FOR_OPTION82: "has no room for option 82, which `required` says that it must have",
    Drop.NOT_A_SERVER: "a reply from an address that is no configured server's",
    Drop.NOT_FROM_PORT_67: "a reply from a server's address, but not from port 67 (`source_ports`)",
    Drop.SERVER_ON_CLIENT_INTERFACE: "a reply from a server's address on a client interface that is not "
    "the way to it",
    Drop.NOT_OUR_GIADDR: "a reply whose giaddr is the address of none of our active client interfaces",
    Drop.NO_INTERFACE: "a reply to a giaddr that several interfaces share, with neither our circuit id nor a "
    "request that we know of",
}
"""What each reason means, in words for the administrator."""


class ToServers(NamedTuple):
    """Send a copy of the request to each address, port 67, from `source` (None: as the route says).

    `vrf` is the index of the VRF that they are in, 0 for the default one. `message` is what to send in
    place of the one received, if option 82 was added; `too_large` says that it was not, for want of room.
    `returns` is whether giaddr is ours, so that answers come this way.

    What it was made of: `client` as the message shows it, the `port` that it was heard on (None: a router
    relayed it), the entry of the mapping that won (`match`), and the `pools` that some of the servers were
    chosen of, if their answers come this way. A request of our own has none of these.
    """

    servers: tuple[bytes, ...]
    source: bytes | None
    message: bytes | None = None
    too_large: bool = False
    vrf: int = 0
    returns: bool = True
    pools: tuple[Pool, ...] = ()
    match: Match | None = None
    port: Port | None = None
    client: Client | None = None

    @property
    def reason(self) -> Reason:
        """What kind of entry chose."""
        return self.match.reason if self.match else Reason.DEFAULT


class ToClient(NamedTuple):
    """Send the reply out of a port, to port 68 of `address` and, on the link, to `hardware`.

    A client that can't answer ARP yet is reached so, and one that can has no say in how long we wait for
    it. `message` is what to send in place of the one received, if our option 82 was removed.
    """

    port: Port
    address: bytes
    hardware: bytes
    message: bytes | None = None


class Dropped(NamedTuple):
    """Send nothing. What the decision was made of is there as far as it was known by then."""

    reason: Drop
    match: Match | None = None
    port: Port | None = None
    client: Client | None = None


SUSPICIOUS = frozenset(
    {
        Drop.OWN_GIADDR,
        Drop.RELAY_NOT_ACCEPTED,
        Drop.FOREIGN_OPTION82,
        Drop.NOT_A_SERVER,
        Drop.NOT_FROM_PORT_67,
        Drop.SERVER_ON_CLIENT_INTERFACE,
        Drop.FROM_THIS_HOST,
        Drop.FLOOD,
        Drop.MORE_THAN_ITS_SHARE,
    }
)
"""Reasons that somebody should look into: logged, at a bounded rate."""

Decision = ToServers | ToClient | Dropped
