"""One message for the relays: its octets, how it is sent, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.lab.frames import EVERYONE, Checksum, Datagram
from tests.lab.relays import GIADDR
from tests.lab.topology import RELAY_CORE, RIS

CLIENT_MAC = "02:00:00:00:00:01"
CLIENT = "10.10.10.77"
"""The client's address; the relay host knows by a static entry where it is."""
ROUTER = "10.10.10.250"
"""An address that may relay to us. It is simulated by the client's wire."""
STRANGER = "10.20.0.20"
SUBNET_BROADCAST = "10.10.10.255"
OTHER_VLAN, OTHER_VLAN_ADDRESS = "vlan20", "10.10.20.1"
"""A VLAN of the relay host that no relay serves."""


@dataclass(frozen=True)
class Delivery:
    """How a message travels: from which host, and in which headers."""

    origin: str
    """`client`, `server` or `stranger`."""
    source: str
    destination: str
    ports: tuple[int, int]
    checksum: Checksum = Checksum.GOOD

    @property
    def broadcast(self) -> bool:
        """Whether the frame goes to all stations."""
        return self.destination in (EVERYONE, SUBNET_BROADCAST)

    @property
    def in_transit(self) -> bool:
        """Whether the relay host is only a router for it."""
        return not self.broadcast and self.destination not in (GIADDR, RELAY_CORE, OTHER_VLAN_ADDRESS)


SHOUTED = Delivery("client", "0.0.0.0", EVERYONE, (68, 67))
"""As a client without an address asks."""
RELAYED = Delivery("client", ROUTER, GIADDR, (67, 67))
"""As a router hands on what its clients ask."""
RENEWED = Delivery("client", CLIENT, RIS, (68, 67))
"""As a client renews its lease: by unicast, and the relay host routes it."""
ANSWERED = Delivery("server", RIS, GIADDR, (67, 67))
"""As the server answers a relay agent."""
FORGED = Delivery("stranger", STRANGER, GIADDR, (67, 67))
"""As a host answers that is no server of ours."""


@dataclass(frozen=True)
class Case:
    """A message with a name. `message` holds its xid once it is numbered."""

    name: str
    message: bytes
    delivery: Delivery

    def numbered(self, xid: int) -> Case:
        """Return the case with this xid, as far as the message is long enough to have one."""
        head, tail = self.message[:4], self.message[8:]
        room = max(min(len(self.message) - 4, 4), 0)
        return replace(self, message=head + xid.to_bytes(4, "big")[:room] + tail)


@dataclass(frozen=True, order=True)
class Arrival:
    """A datagram that came out, and the wire it came out on."""

    at: str
    datagram: Datagram


Outcome = tuple[Arrival, ...]
"""All that one message became, sorted."""
