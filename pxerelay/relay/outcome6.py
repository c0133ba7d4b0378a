"""What becomes of DHCPv6 messages of a batch: of a group that has one decision, or of one message alone."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pxerelay.policy.ports6 import Port6
from pxerelay.relay.decision6 import Arrival6, Decision6, Drop6, ToPeer, ToServers6
from pxerelay.relay.outcome import AnyRequests
from pxerelay.wire import packet6
from pxerelay.wire.batch6 import Batch6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.frames6 import Reply6
from pxerelay.wire.packet import Message


class Outcome6:
    """What became of a message that was decided on alone; `facts` are there if it was read.

    A `stranger` is a client that no rule names and that was not met for a while. `sent` is what is sent, or
    was heard if nothing is. One that was `taken` answers a question of our own, and goes nowhere.
    """

    __slots__ = ("arrival", "decision", "facts", "sent", "stranger", "taken")

    def __init__(
        self, arrival: Arrival6, decision: Decision6, facts: Facts6 | None = None, *, stranger: bool = False
    ) -> None:
        self.arrival, self.decision, self.facts, self.stranger = arrival, decision, facts, stranger
        self.taken = False
        self.sent: Message = arrival.message
        if isinstance(decision, ToServers6):
            self.sent = decision.header + arrival.message
        elif isinstance(decision, ToPeer):
            self.sent = decision.message


class Route6:
    """Where like requests go, and what is said around them: the header of the first of them.

    Of that the client's address is another's, its Ethernet address in option 79 too, if there is one. The
    decision is that on the first of them; see `outcome.Route`.
    """

    __slots__ = ("_behind", "_form", "_front", "_head", "_tells_mac", "decision", "index", "size")

    def __init__(self, decision: ToServers6, index: int) -> None:
        self.decision, self.index = decision, index
        header = decision.header
        self.size = len(header)
        self._head = header[: packet6.PEER_ADDRESS.start]
        options = packet6.PEER_ADDRESS.stop
        spans, _ = packet6.walk(header, options, self.size - packet6.OPTION_HEADER.size, self.size)
        ends = [end for code, _, end in spans if code == packet6.CLIENT_LINK_LAYER_ADDRESS]
        self._tells_mac = bool(ends)
        mac_ends = ends[0] if ends else options
        mac_begins = mac_ends - 6 if ends else options
        self._front, self._behind = header[options:mac_begins], header[mac_ends:]
        sizes = len(self._head), len(self._front), mac_ends - mac_begins, len(self._behind)
        self._form = struct.Struct("={}s16s{}s{}s{}s".format(*sizes))

    def write(self, batch: Batch6, positions: Sequence[int]) -> list[Message]:
        """Write the header in front of messages of one length where they lie; return them with it.

        It must be no longer than there is room for.
        """
        pack, whole, starts, size = self._form.pack_into, batch.room.whole, batch.room.starts, self.size
        head, front, behind, sources = self._head, self._front, self._behind, batch.origins
        macs = batch.macs if self._tells_mac else [b""] * len(batch)
        length, going = batch.sizes[positions[0]], list[Message]()
        for at in positions:
            start = starts[at]
            begin = start - size
            pack(whole, begin, head, sources[at], front, macs[at], behind)
            going.append(whole[begin : start + length])
        return going


class Requests6(AnyRequests[ToServers6, Route6]):
    """Requests of DHCPv6, with their headers."""

    __slots__ = ()


class Replies6:
    """Replies of one server, given by its address, to clients of one port, from that's link-local address."""

    __slots__ = ("port", "replies", "source")

    def __init__(self, port: Port6, source: bytes, replies: Sequence[Reply6]) -> None:
        self.port, self.source, self.replies = port, source, replies


Group6 = Requests6 | Replies6


class Decided6(NamedTuple):
    """What becomes of a batch.

    `unread` tells, by position, why some were dropped before they were read, or for what is known of others
    that are like them. `groups` are of messages with one decision each, `alone` those decided on one by one.
    """

    unread: Mapping[int, Drop6]
    groups: Sequence[Group6]
    alone: Sequence[Outcome6]
