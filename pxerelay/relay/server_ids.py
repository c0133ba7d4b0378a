"""Which server has which DUID, by the answers that pass through us (rule 126).

A client names the server whose ADVERTISE it takes by its DUID (RFC 9915, 21.3), which tells no address. So
the source address of each answer is remembered with the DUID in it. It is kept for all relays that follow
one another in a daemon; what a restart forgets is learnt anew with the next answer.
"""

from __future__ import annotations

_MOST = 4096
"""DUIDs that are remembered; with more, the one that was learnt first is forgotten."""

_MOST_ADDRESSES = 8
"""Addresses of one DUID. Cloned hosts may have one DUID, though each should have its own (RFC 9915, 11)."""


class ServerIds:
    """The addresses, 16 octets each, that answers with a DUID came from."""

    def __init__(self) -> None:
        self._addresses: dict[bytes, frozenset[bytes]] = {}

    def learn(self, duid: bytes, address: bytes) -> None:
        """Take in that an answer came from an address."""
        known = self._addresses.get(duid)
        if known is None:
            if len(self._addresses) >= _MOST:
                del self._addresses[next(iter(self._addresses))]
            self._addresses[duid] = frozenset((address,))
        elif address not in known and len(known) < _MOST_ADDRESSES:
            self._addresses[duid] = known | {address}

    def of(self, duid: bytes) -> frozenset[bytes] | None:
        """Return the addresses of a DUID; None if none is known."""
        return self._addresses.get(duid)
