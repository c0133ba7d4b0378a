"""Who is booting by DHCPv6 at the moment; `sticky` says what for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pxerelay.policy.servers import Pool
from pxerelay.policy.sticky import AnySticky
from pxerelay.wire import packet6
from pxerelay.wire.facts6 import Facts6


class Sample6(NamedTuple):
    """A client's SOLICIT as it was sent to one of a pool: header and message, from which source, which VRF.

    `start` is where the client's own message begins in `message`, which relay agents may have passed on.
    """

    header: bytes
    message: bytes
    start: int
    source: bytes | None
    vrf: int


class StickyClients6(AnySticky[Sample6]):
    """The memory of DHCPv6."""

    def look(
        self, pools: Iterable[Pool], facts: Facts6, header: bytes, source: bytes | None, vrf: int
    ) -> None:
        """Take the sample that is wanted of some pool, if a request will do."""
        if facts.kind != packet6.SOLICIT or facts.start is None or not facts.boots:
            return
        for pool in self.wanted.intersection(pools):
            self.samples[pool] = Sample6(header, bytes(facts.message), facts.start, source, vrf)
            self.wanted.discard(pool)
