"""What is known of a DHCPv6 client: the facts that rules and classes look at. `client` has DHCPv4's."""

from __future__ import annotations

from enum import Enum

from pxerelay.wire import packet6
from pxerelay.wire.facts6 import Facts6

_NO_MAC = bytes(6)
"""What the key of a client begins with whose MAC is not known; it is longer than 6 octets."""


class MacSource(Enum):
    """What told a client's MAC; the values are labels of metrics."""

    FRAME = "frame"
    OPTION79 = "option79"
    EUI64 = "eui64"
    NONE = "none"


class Client6:
    """A client as one of its messages shows it.

    `chaddr` is its Ethernet address, None where nobody told it, and `told_by` is what did. `interface` is the
    client interface that it was heard on, None where a relay agent that is on none sent the message. `peer`
    is its IPv6 address, 16 octets.
    """

    __slots__ = ("chaddr", "facts", "interface", "peer", "told_by")

    def __init__(self, facts: Facts6, interface: str | None, peer: bytes, mac: bytes | None) -> None:
        self.facts, self.interface, self.peer = facts, interface, peer
        if not facts.layers:
            self.chaddr, self.told_by = mac, MacSource.FRAME if mac else MacSource.NONE
            return
        self.peer = facts.layers[-1].peer_address
        self.chaddr, self.told_by = facts.told_mac, MacSource.OPTION79
        if self.chaddr is None:
            self.chaddr, self.told_by = facts.eui64_mac, MacSource.EUI64
        if self.chaddr is None:
            self.told_by = MacSource.NONE

    @property
    def claimed(self) -> None:
        """A client of another kind of hardware claims no Ethernet address here."""

    def says_class(self, prefix: bytes) -> bool:
        """Whether one of the strings of option 16 begins with some octets."""
        return any(one.startswith(prefix) for one in self.facts.vendor_classes)

    @property
    def architectures(self) -> tuple[int, ...]:
        """The numbers of option 61."""
        return self.facts.architectures

    @property
    def boots(self) -> bool:
        """Whether it is booting from the network."""
        return self.facts.boots

    @property
    def client_octets(self) -> bytes:
        """What tells it from others: its MAC, else its DUID, else its address (rule 125)."""
        return self.chaddr or self.facts.duid or self.peer

    @property
    def client_key(self) -> bytes:
        """What tables have it by: octets, of a MAC these, for others something longer (rule 35)."""
        return self.chaddr or _NO_MAC + (b"\1" + self.facts.duid if self.facts.duid else b"\2" + self.peer)

    @property
    def begins_anew(self) -> bool:
        """Whether its message looks for servers: a SOLICIT, or an INFORMATION-REQUEST."""
        return self.facts.kind in (packet6.SOLICIT, packet6.INFORMATION_REQUEST)

    @property
    def named_server(self) -> bytes | None:
        """The DUID of the server that its message is for, None if it names none."""
        return self.facts.server_id
