"""What a message says in its options, read once, in one bounded pass.

Whoever wants to know something of it takes it from here: rules and classes (options 60 and 93), the relay
(message type, where options end, option 82), log, traces and counters. What can't be read is told: a damaged
message says nothing that the mapping could match, and so matches by MAC only.

The areas are read in the order options, file, sname, as option overload says (RFC 2132, 9.3). Equal codes are
joined in that order (RFC 3396, 5 and 7). An area that ends without END ends at its last octet.
"""

from __future__ import annotations

from typing import NamedTuple

from pxerelay.wire import packet
from pxerelay.wire.mac import MAC_OCTETS
from pxerelay.wire.packet import AGENT_INFORMATION, END, OVERLOAD, PAD, Message, walk

MOST_OF_REQUEST = 64
"""Options of a request that are read. Firmware and operating systems send about twenty; there are 254 codes
(RFC 2132, 2)."""

MOST_OF_REPLY = 255
"""Options of a reply that are read: servers may give every code there is, and are not strangers."""

_FIELDS = ((1, packet.FILE, (b"\1", b"\3")), (2, packet.SNAME, (b"\2", b"\3")))
"""The bit of option overload that gives a field to options, the field, and the values that do so (RFC 2132,
9.3)."""

_OTHER_CLIENT = bytes(MAC_OCTETS)
"""What the key of a client without a hardware address of 6 octets begins with; it is longer than 6 octets."""


class Place(NamedTuple):
    """Where options end: `end` is the place of END, or behind the last octet."""

    end: int
    has_end: bool


class Found(NamedTuple):
    """An option 82: the area it stands in, where it begins and ends in the message, and its value."""

    area: slice
    start: int
    end: int
    value: bytes


class _Options:
    """The result of the pass; what each attribute means is said at the properties of `Facts`."""

    __slots__ = ("agents", "carries_agent", "damaged", "end", "legible", "spans")

    def __init__(self, message: Message) -> None:
        self.legible: dict[int, bytes] = {}
        self.damaged = self.carries_agent = False
        self.end: Place | None = None
        self.agents: list[Found] = []
        self.spans: list[tuple[int, int, int]] = []
        octets = bytes(message)
        if octets[packet.HEADER_SIZE : packet.OPTIONS] == packet.MAGIC_COOKIE:
            self._read(octets)

    def _read(self, octets: bytes) -> None:
        left = MOST_OF_REPLY if octets[packet.OP] == packet.BOOTREPLY else MOST_OF_REQUEST
        area = slice(packet.OPTIONS, len(octets))
        self.spans = walk(octets[area], left)
        overload = self._collect(octets, area, self.spans, self.legible)
        if self.spans and self.spans[-1][0] == END:
            self.end = Place(packet.OPTIONS + self.spans[-1][1], True)
        elif not self.damaged:
            self.end = Place(len(octets), False)
        if overload & 3:
            left -= len(self.spans)
            says = self.legible.get(OVERLOAD, b"")[-1:]
            for bit, field, values in _FIELDS:
                if overload & bit:  # any reader might look there; by the RFC only the last value counts
                    spans = walk(octets[field], left)
                    left -= len(spans)
                    self._collect(octets, field, spans, self.legible if says in values else None)

    def _collect(
        self, octets: bytes, area: slice, spans: list[tuple[int, int, int]], found: dict[int, bytes] | None
    ) -> int:
        """Take the options of an area in, and return the bits of all that they say of overload.

        `found` is None for an area that by the RFC holds none.
        """
        if spans and spans[-1][0] == END:
            spans = spans[:-1]
        elif spans and area.start + spans[-1][2] > area.stop:
            self.carries_agent |= spans[-1][0] in (AGENT_INFORMATION, PAD)
            self.damaged |= found is not None
            spans = spans[:-1]
        values = {code: octets[area.start + begin + 2 : area.start + end] for code, begin, end in spans}
        if found is not None and not found and len(values) == len(spans):
            found.update(values)
        elif found is not None:  # some of them are split
            for code, begin, end in spans:
                value = octets[area.start + begin + 2 : area.start + end]
                found[code] = found[code] + value if code in found else value
        overload = 0
        if AGENT_INFORMATION in values or OVERLOAD in values:
            for code, begin, end in spans:
                start, stop = area.start + begin, area.start + end
                value = octets[start + 2 : stop]
                if code == AGENT_INFORMATION:
                    self.carries_agent = True
                    self.agents.append(Found(area, start, stop, value))
                elif code == OVERLOAD and value:
                    overload |= value[-1]
        return overload


class Facts:
    """What a message says of itself and of its client; it must stay as it is until it has been read."""

    __slots__ = ("_options", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._options: _Options | None = None

    @property
    def _read(self) -> _Options:
        if self._options is None:
            self._options = _Options(self.message)
        return self._options

    @property
    def legible(self) -> dict[int, bytes]:
        """The options by code, parts of split ones joined; of a damaged area those in front of the damage."""
        return self._read.legible

    @property
    def damaged(self) -> bool:
        """Whether an option runs past the end of its area, or there are more than are read."""
        return self._read.damaged

    @property
    def options(self) -> dict[int, bytes]:
        """The options by code; none if the message is damaged (rule 14)."""
        return {} if self._read.damaged else self._read.legible

    @property
    def vendor_class(self) -> bytes:
        """Option 60, empty if absent."""
        return packet.vendor_class(self.options)

    @property
    def architectures(self) -> tuple[int, ...]:
        """The numbers of option 93."""
        return packet.architectures(self.options)

    @property
    def is_pxe(self) -> bool:
        """Whether the client is booting from the network."""
        return packet.is_pxe(self.vendor_class)

    @property
    def kind(self) -> int | None:
        """Option 53, whatever damage stands behind it; None for BOOTP."""
        return packet.message_type(self._read.legible)

    @property
    def begins_anew(self) -> bool:
        """Whether a request looks for servers: a DISCOVER, or one of BOOTP, which has no other kind."""
        return self.kind in (packet.DHCPDISCOVER, None)

    @property
    def named_server(self) -> bytes | None:
        """The 4 octets of the server whose offer a REQUEST takes, option 54 (RFC 2131, 4.3.2); else None."""
        if self.kind != packet.DHCPREQUEST:
            return None
        named = self._read.legible.get(packet.SERVER_IDENTIFIER, b"")
        return named if len(named) == len(packet.UNSET) else None

    @property
    def end(self) -> Place | None:
        """Where the options area ends; None if there is none, or it is damaged."""
        return self._read.end

    @property
    def carries_agent(self) -> bool:
        """Whether an option 82 stands where any reader could find it, whole or cut off.

        So it is taken to do if there are more options than are read.
        """
        return self._read.carries_agent

    @property
    def agents(self) -> list[Found]:
        """Every option 82 that is whole, in front of damage too."""
        return self._read.agents

    @property
    def spans(self) -> list[tuple[int, int, int]]:
        """The options of the options area as `packet.walk` returns them."""
        return self._read.spans

    @property
    def client_octets(self) -> bytes:
        """What tells a client from others: its hardware address.

        A client without one, as on InfiniBand, is told by its client identifier (RFC 4390, 2).
        """
        message = self.message
        size = message[packet.HLEN] if len(message) >= packet.HEADER_SIZE else 0
        address = bytes(message[packet.CHADDR_START : packet.CHADDR_START + size])
        return address or self.legible.get(packet.CLIENT_IDENTIFIER, b"")

    @property
    def client_key(self) -> bytes:
        """What tables have a client by: octets, which nobody can choose so that look-ups degrade (rule 35).

        Of a hardware address of 6 octets these, as in `Batch.clients`; for others something longer.
        """
        message, octets = self.message, self.client_octets
        if len(octets) == MAC_OCTETS == message[packet.HLEN]:
            return octets
        return _OTHER_CLIENT + bytes(message[packet.HTYPE : packet.HOPS]) + octets
