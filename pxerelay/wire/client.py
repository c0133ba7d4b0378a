"""What is known of a client: the facts that rules and classes look at."""

from __future__ import annotations

from pxerelay.wire import packet


class Client:
    """A client as one of its messages shows it.

    `chaddr` is its Ethernet address, None where it has none that a rule could name. `interface` is the
    client interface it was heard on, None where a router relayed the request. Options 60 and 93 are
    read from the message when first asked for: most clients are settled by their MAC.
    """

    __slots__ = ("_message", "_options", "chaddr", "interface")

    def __init__(self, message: packet.Message, interface: str | None) -> None:
        self.chaddr = packet.ethernet_chaddr(message)
        self.interface = interface
        self._message = message
        self._options: dict[int, bytes] | None = None

    @property
    def options(self) -> dict[int, bytes]:
        """Every option by its code; none if the area is malformed."""
        if self._options is None:
            self._options = packet.readable_options(self._message)
        return self._options

    @property
    def vendor_class(self) -> bytes:
        """Option 60, empty if absent."""
        return packet.vendor_class(self.options)

    @property
    def architectures(self) -> tuple[int, ...]:
        """The numbers of option 93."""
        return packet.architectures(self.options)


class DescribedClient(Client):
    """A client that nobody has heard yet: its facts are given, as `explain` does."""

    __slots__ = ()

    def __init__(
        self, chaddr: bytes, interface: str | None, vendor_class: bytes, architectures: tuple[int, ...]
    ) -> None:
        self.chaddr = chaddr
        self.interface = interface
        self._message = b""
        self._options = {}
        if vendor_class:
            self._options[packet.VENDOR_CLASS] = vendor_class
        if architectures:
            self._options[packet.CLIENT_ARCH] = b"".join(n.to_bytes(2, "big") for n in architectures)
