"""Messages whose way is known already.

In a boot storm the same clients ask again and again, and most of what decides about them stays: where
they are heard, giaddr, chaddr, and options 60 and 93. `Shortcuts` remembers what `Relay` decided for
these. Of a batch it takes what it knows, patches hops and giaddr, and puts together what goes the same
way. Of replies it takes those that most are: to a client that has been given an address, which goes to
it by link layer. Everything else is the `Relay`'s to decide. So all rules stay there, and a property
test holds the two equal.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from pxerelay import packet
from pxerelay.mac import MAC_OCTETS
from pxerelay.packet import Datagram
from pxerelay.relay import Decision, Relay, ToClient, ToServers

_LARGEST = 1 << 16
"""Requests remembered for one interface; more of them, and it starts anew."""

_HEAD = struct.Struct("!I6xH4s4s4x4s16s")
"""op, htype, hlen and hops as one number; flags, ciaddr, yiaddr, giaddr, chaddr (RFC 951, 3; RFC 2131, 2)."""

_PLAIN = packet.BOOTREQUEST << 24 | packet.HTYPE_ETHERNET << 16 | MAC_OCTETS << 8
"""A request of an Ethernet client that no relay agent has passed on yet."""

_PLAIN_REPLY = packet.BOOTREPLY << 16 | packet.HTYPE_ETHERNET << 8 | MAC_OCTETS
"""The first three octets of a reply to an Ethernet client."""

_HOPS_MASK = 0xFF
_BROADCAST = packet.BROADCAST_FLAG << 8


class Way:
    """Where requests go that need no change but in hops and giaddr, which becomes `giaddr`."""

    __slots__ = ("decision", "giaddr")

    def __init__(self, decision: ToServers, giaddr: bytes) -> None:
        self.decision = decision
        self.giaddr = giaddr


class Known:
    """What of a batch is known.

    `groups` holds requests by way and length, `clients` the chaddr of each of them. `replies` are the
    message, the interface that it leaves by, yiaddr, and the client's Ethernet address.
    """

    __slots__ = ("clients", "groups", "replies")

    def __init__(self) -> None:
        self.groups: dict[tuple[Way, int], list[memoryview]] = {}
        self.clients: list[bytes] = []
        self.replies: list[tuple[memoryview, int, bytes, bytes]] = []

    def leave_out(self, excess: Mapping[bytes, int]) -> int:
        """Take out so many messages of these clients, and return how many there were."""
        left = dict(excess)
        for group, messages in self.groups.items():
            kept = []
            for message in messages:
                client = bytes(message[packet.CHADDR])
                if left.get(client, 0):
                    left[client] -= 1
                else:
                    kept.append(message)
            self.groups[group] = kept
        return sum(excess.values())


class Shortcuts:
    """The memory of one `Relay`; made anew with it."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._highest = _PLAIN + relay.config.max_hops
        self._ways: dict[tuple[ToServers, bytes], Way] = {}
        self._memories: dict[int, dict[object, Way]] = {}
        self._facts_matter = False
        self._exits: dict[tuple[int, bytes, bytes], int] = {}
        self._adding = {port.index for port in relay.ports if port.info}

    def take(self, batch: Sequence[Datagram]) -> tuple[Known, list[Datagram]]:
        """Return what is known of a batch, patched, and the rest of it as it is."""
        known, rest = Known(), []
        groups, clients, replies = known.groups, known.clients, known.replies
        highest, memories, exits = self._highest, self._memories, self._exits
        for datagram in batch:
            message, (source,), (_, index, _, _) = datagram
            size = len(message)
            if size >= packet.HEADER_SIZE:
                word, flags, ciaddr, yiaddr, giaddr, chaddr = _HEAD.unpack_from(message)
                if _PLAIN <= word <= highest and index in memories:
                    key = chaddr if giaddr == packet.UNSET else giaddr + chaddr + source
                    memory = memories[index]
                    way = memory.get(key)
                    if way is None and self._facts_matter:
                        way = memory.get((key, packet.boot_facts(message)))
                    if way is not None:
                        message[packet.HOPS] = (word & _HOPS_MASK) + 1
                        message[packet.GIADDR] = way.giaddr
                        clients.append(chaddr)
                        try:
                            groups[way, size].append(message)
                        except KeyError:
                            groups[way, size] = [message]
                        continue
                elif (
                    word >> 8 == _PLAIN_REPLY
                    and ciaddr == packet.UNSET != yiaddr
                    and flags < _BROADCAST
                    and (leaves := exits.get((index, source, giaddr)))
                    and packet.is_plainly_no_nak(message)
                ):
                    replies.append((message, leaves, yiaddr, chaddr[:MAC_OCTETS]))
                    continue
            rest.append(datagram)
        return known, rest

    def decide(self, datagram: Datagram) -> Decision:
        """Have the relay decide, and remember it if others may go the same way."""
        message, (source,), (_, index, local, destination) = datagram
        header = bytes(message[: _HEAD.size])
        decision, settled = self._relay.judge(message, index, source, local == destination)
        if isinstance(decision, ToServers) and index not in self._adding:
            word, _, _, _, giaddr, chaddr = _HEAD.unpack(header)
            if _PLAIN <= word <= self._highest:
                key = chaddr if giaddr == packet.UNSET else giaddr + chaddr + source
                self._learn(index, key, message, decision, settled=settled)
        elif isinstance(decision, ToClient) and decision.port.index and not decision.port.info:
            if len(self._exits) >= _LARGEST:
                self._exits.clear()
            self._exits[index, source, bytes(message[packet.GIADDR])] = decision.port.index
        return decision

    def _learn(
        self, index: int, key: object, message: packet.Message, decision: ToServers, *, settled: bool
    ) -> None:
        """Remember a decision on a request for those with an equal header, and options if they had a say."""
        if not settled:
            facts = packet.boot_facts(message)
            if facts is None:
                return
            key = key, facts
            self._facts_matter = True
        giaddr = bytes(message[packet.GIADDR])
        memory = self._memories.setdefault(index, {})
        if len(memory) >= _LARGEST:
            memory.clear()
        memory[key] = self._ways.setdefault((decision, giaddr), Way(decision, giaddr))
