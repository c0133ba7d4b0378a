"""Replies that somebody watches for, told with how they came and what the relay would do with them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from pxerelay import packet
from pxerelay.batch import Batch
from pxerelay.relay import Decision


class Heard(NamedTuple):
    """A reply, valid only while it is told.

    It has the 4 octets of who sent it and of whom the datagram was for, the interface it came in on, and
    what would become of it.
    """

    message: packet.Message
    source: bytes
    destination: bytes
    interface: int
    decision: Decision


Watcher = Callable[[Heard], None]

Watched = dict[packet.Transaction, Watcher]
"""Who is to be told of the replies to a request."""


def heard(batch: Batch, at: int, decision: Decision) -> Heard | None:
    """Return one message of a batch as it is told; None if it is no reply."""
    message, interface, source, _ = batch.arrival(at)
    if len(message) < packet.HEADER_SIZE or message[packet.OP] != packet.BOOTREPLY:
        return None
    return Heard(message, source, batch.destinations[at].to_bytes(4, sys.byteorder), interface, decision)
