"""What is known of a client: the facts that rules and classes look at."""

from __future__ import annotations

from typing import Protocol

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS


class AnyClient(Protocol):
    """A client of either family.

    It tells what rules and classes look at.
    """

    @property
    def chaddr(self) -> bytes | None:
        """Its Ethernet address, None where it has none that a rule could name."""

    @property
    def claimed(self) -> bytes | None:
        """What a client of another kind of hardware says in the place of an Ethernet address."""

    @property
    def interface(self) -> str | None:
        """The client interface that it was heard on, None if it was on none."""

    @property
    def architectures(self) -> tuple[int, ...]:
        """The numbers of its system architectures."""

    def says_class(self, prefix: bytes) -> bool:
        """Whether its vendor class, or one of several, begins with some octets."""


class Client:
    """A client as one of its messages shows it.

    `chaddr` is its Ethernet address, None where it has none that a rule could name; `claimed` are the 6
    octets that stand where it would. `interface` is the client interface it was heard on, None where a
    router relayed the request. Options are read when first asked for: most clients are settled by their MAC.
    """

    __slots__ = ("chaddr", "facts", "interface")

    def __init__(self, facts: Facts, interface: str | None) -> None:
        self.chaddr = packet.ethernet_chaddr(facts.message)
        self.facts = facts
        self.interface = interface

    @property
    def claimed(self) -> bytes:
        """The first 6 octets of chaddr, whatever kind of address it is."""
        return bytes(self.facts.message[packet.CHADDR_START : packet.CHADDR_START + MAC_OCTETS])

    @property
    def vendor_class(self) -> bytes:
        """Option 60, empty if absent."""
        return self.facts.vendor_class

    def says_class(self, prefix: bytes) -> bool:
        """Whether option 60 begins with some octets."""
        return self.vendor_class.startswith(prefix)

    @property
    def architectures(self) -> tuple[int, ...]:
        """The numbers of option 93."""
        return self.facts.architectures

    @property
    def is_pxe(self) -> bool:
        """Whether it is booting from the network."""
        return packet.is_pxe(self.vendor_class)


class DescribedClient(Client):
    """A client that nobody has heard yet: what it says of itself is given, as `explain` does."""

    __slots__ = ("_architectures", "_vendor_class")

    def __init__(
        self, chaddr: bytes, interface: str | None, vendor_class: bytes, architectures: tuple[int, ...]
    ) -> None:
        self.chaddr = chaddr
        self.facts = Facts(b"")
        self.interface = interface
        self._vendor_class, self._architectures = vendor_class, architectures

    @property
    def vendor_class(self) -> bytes:
        """What was given."""
        return self._vendor_class

    @property
    def architectures(self) -> tuple[int, ...]:
        """What was given."""
        return self._architectures
