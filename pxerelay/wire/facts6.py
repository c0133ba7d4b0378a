"""What a DHCPv6 message says, read once, in one bounded pass from its outermost header to its options.

A message that relay agents have passed on lies in theirs, one RELAY-FORW in another; the innermost is the
client's (`start` tells where). As in DHCPv4, a message whose options can't be read to their end says nothing
that the mapping could match, and so matches by MAC only (rule 106).
"""

from __future__ import annotations

from typing import NamedTuple

from pxerelay.wire import eui64, packet6
from pxerelay.wire.mac import MAC_OCTETS
from pxerelay.wire.packet import Message, is_pxe, numbers_in
from pxerelay.wire.packet6 import walk

MOST_OPTIONS = 64
"""Options that are read of a message and of all that is around it. Firmware and systems send about ten."""


class Layer(NamedTuple):
    """A RELAY-FORW around a message: its fields, and the Ethernet address in its option 79, if it has one."""

    hops: int
    link_address: bytes
    peer_address: bytes
    mac: bytes | None


class _Read:
    """The result of the pass; what each attribute means is said at the properties of `Facts6`."""

    __slots__ = ("damaged", "layers", "options", "start", "too_deep")

    def __init__(self, message: Message) -> None:
        octets = bytes(message)
        self.layers: list[Layer] = []
        self.start: int | None = None
        self.options: dict[int, list[bytes]] = {}
        self.damaged = self.too_deep = False
        start, end, left = 0, len(octets), MOST_OPTIONS
        while start < end and octets[start] == packet6.RELAY_FORW:
            if len(self.layers) >= packet6.MOST_LAYERS:
                self.too_deep = True
                return
            if end - start < packet6.RELAY_HEADER_SIZE:
                return
            spans, _ = walk(octets, start + packet6.RELAY_HEADER_SIZE, end, left)
            left -= len(spans)
            self.layers.append(_layer(octets, start, spans))
            inner = next((span for span in spans if span[0] == packet6.RELAY_MESSAGE), None)
            if inner is None:
                return
            _, start, end = inner
        if end - start < packet6.HEADER_SIZE:
            return
        self.start = start
        spans, whole = walk(octets, start + packet6.header_size(octets[start]), end, left)
        self.damaged = not whole
        for code, begin, stop in spans:
            self.options.setdefault(code, []).append(octets[begin:stop])


def _layer(octets: bytes, start: int, spans: list[packet6.Option]) -> Layer:
    mac = None
    for code, begin, stop in spans:
        if code == packet6.CLIENT_LINK_LAYER_ADDRESS:
            value = octets[begin:stop]
            if len(value) == 2 + MAC_OCTETS and value.startswith(packet6.HTYPE_ETHERNET):
                mac = value[2:]
            break
    fields = octets[start : start + packet6.RELAY_HEADER_SIZE]
    return Layer(fields[packet6.HOPS], fields[packet6.LINK_ADDRESS], fields[packet6.PEER_ADDRESS], mac)


class Facts6:
    """What a message says of itself and of its client; it must stay as it is until it has been read."""

    __slots__ = ("_found", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._found: _Read | None = None

    @property
    def _read(self) -> _Read:
        if self._found is None:
            self._found = _Read(self.message)
        return self._found

    @property
    def layers(self) -> list[Layer]:
        """The RELAY-FORWs around the client's message, the outermost first; none if the client sent it."""
        if packet6.message_type(self.message) != packet6.RELAY_FORW:
            return []  # for which nothing need be read
        return self._read.layers

    @property
    def too_deep(self) -> bool:
        """Whether there are more layers than are read (rule 135)."""
        return self._read.too_deep

    @property
    def start(self) -> int | None:
        """Where the client's message begins; None if there is no whole one."""
        return self._read.start

    @property
    def kind(self) -> int | None:
        """The type of the client's message; None if there is no whole one."""
        start = self.start
        return None if start is None else self.message[start]

    @property
    def xid(self) -> bytes:
        """The 3 octets of the client's transaction; empty if there is no whole message."""
        start = self.start
        return b"" if start is None else bytes(self.message[start + 1 : start + 4])

    @property
    def legible(self) -> dict[int, list[bytes]]:
        """The values of the client's options by code, of a damaged message those in front of the damage."""
        return self._read.options

    @property
    def damaged(self) -> bool:
        """Whether the client's options can't be read to their end."""
        return self._read.damaged

    @property
    def options(self) -> dict[int, list[bytes]]:
        """The values of the client's options by code; none if the message is damaged (rule 106)."""
        return {} if self._read.damaged else self._read.options

    @property
    def vendor_classes(self) -> tuple[bytes, ...]:
        """The strings of all options 16, whatever their enterprise number, without one that is cut off."""
        return tuple(text for value in self.options.get(packet6.VENDOR_CLASS, ()) for text in _strings(value))

    @property
    def architectures(self) -> tuple[int, ...]:
        """The numbers of option 61."""
        return numbers_in(b"".join(self.options.get(packet6.CLIENT_ARCH, ())))

    @property
    def boots(self) -> bool:
        """Whether the client is booting from the network (rule 118)."""
        options = self.options
        return (
            packet6.CLIENT_ARCH in options
            or any(map(is_pxe, self.vendor_classes))
            or self._asks_for_boot_file
        )

    @property
    def _asks_for_boot_file(self) -> bool:
        wanted = b"".join(self.options.get(packet6.OPTION_REQUEST, ()))
        return packet6.BOOT_FILE_URL in numbers_in(wanted)

    @property
    def is_silent(self) -> bool:
        """Whether it names its server, and says nothing of what its client is (rule 119)."""
        options = self.options
        return (
            packet6.SERVER_ID in options
            and packet6.VENDOR_CLASS not in options
            and packet6.CLIENT_ARCH not in options
            and not self._asks_for_boot_file
        )

    @property
    def duid(self) -> bytes:
        """The client's identifier, in front of any damage; empty if it has none."""
        return next(iter(self.legible.get(packet6.CLIENT_ID, ())), b"")[: packet6.LONGEST_DUID]

    @property
    def server_id(self) -> bytes | None:
        """The identifier of the server that it is for, or comes from; None if it names none."""
        return next(iter(self.options.get(packet6.SERVER_ID, ())), b"")[: packet6.LONGEST_DUID] or None

    @property
    def told_mac(self) -> bytes | None:
        """The client's Ethernet address as the relay agent next to it says in option 79 (rule 122)."""
        return self.layers[-1].mac if self.layers else None

    @property
    def eui64_mac(self) -> bytes | None:
        """The Ethernet address in the link-local address of a client that was relayed to us (rule 122)."""
        return eui64.mac_of_link_local(self.layers[-1].peer_address) if self.layers else None


def _strings(value: bytes) -> list[bytes]:
    found, at = [], 4
    while at + 2 <= len(value):
        end = at + 2 + int.from_bytes(value[at : at + 2], "big")
        if end > len(value):
            break
        found.append(value[at + 2 : end])
        at = end
    return found
