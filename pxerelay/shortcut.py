"""Decisions on requests that need not be made again.

In a boot storm the same clients ask again and again, and most of what decides about them stays: where
they are heard, giaddr, chaddr, and options 60 and 93. `Shortcuts` remembers what `Relay` decided for
these, and applies it to the next such request by patching hops and giaddr alone. Whatever it has not
met, or may not remember, goes to the `Relay` itself, so all rules stay there; a property test holds
the two equal.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pxerelay import packet
from pxerelay.mac import MAC_OCTETS
from pxerelay.relay import Decision, Relay, ToServers

_LARGEST = 1 << 16
"""Requests remembered for one interface; more of them, and it starts anew."""

_HEAD = struct.Struct("!I20x20s")
"""op, htype, hlen and hops as one number; giaddr and chaddr (RFC 951, 3)."""

_PLAIN = packet.BOOTREQUEST << 24 | packet.HTYPE_ETHERNET << 16 | MAC_OCTETS << 8
"""A request of an Ethernet client that no relay agent has passed on yet."""

_HOPS_MASK = 0xFF


class _Known(NamedTuple):
    """What was decided, and the giaddr that goes with it."""

    decision: ToServers
    giaddr: bytes


class Shortcuts:
    """Decides as a `Relay` does, from memory where it can; made anew with each Relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._highest = _PLAIN + relay.config.max_hops
        self._by_interface: dict[int, dict[object, _Known]] = {}
        self._options_pass = {port.index for port in relay.ports if port.info}

    def decide(
        self, message: bytearray | memoryview, index: int, source: bytes, unicast: bool = False
    ) -> Decision:
        """Return what `Relay.decide` returns, and patch the message as that does."""
        if len(message) < packet.HEADER_SIZE:
            return self._relay.decide(message, index, source, unicast)
        word, header = _HEAD.unpack_from(message)
        if not _PLAIN <= word <= self._highest or index in self._options_pass:
            return self._relay.decide(message, index, source, unicast)
        memory = self._by_interface.get(index)
        if memory is None:
            memory = self._by_interface[index] = {}
        key = header if header[:4] == packet.UNSET else header + source
        known = memory.get(key)
        if known is None:
            facts = packet.boot_facts(message)
            if facts is None:
                return self._relay.decide(message, index, source, unicast)
            told = (key, facts)
            known = memory.get(told)
            if known is None:
                return self._learn(memory, key, told, message, index, source)
        message[packet.HOPS] = (word & _HOPS_MASK) + 1
        message[packet.GIADDR] = known.giaddr
        return known.decision

    def _learn(
        self,
        memory: dict[object, _Known],
        key: bytes,
        told: object,
        message: bytearray | memoryview,
        index: int,
        source: bytes,
    ) -> Decision:
        decision, settled = self._relay.judge(message, index, source)
        if isinstance(decision, ToServers):
            if len(memory) >= _LARGEST:
                memory.clear()
            memory[key if settled else told] = _Known(decision, bytes(message[packet.GIADDR]))
        return decision
