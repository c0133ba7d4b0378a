"""Tells on which interfaces a message of `doctor` is heard, which wants to know what a firewall does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pxerelay.daemon.own_requests import answers_to, happens
from pxerelay.relay.questions import Questions, ReceivedReply
from pxerelay.wire import packet
from pxerelay.wire.mac import MAC_OCTETS

_LONGEST = 10.0
"""Seconds that we listen at most."""

_AT_ONCE = 2
_ASKER = "hearing"
_XID_OCTETS = 4


class HearingError(Exception):
    """Nothing can be listened for so; the message says why."""


@dataclass(frozen=True)
class Sound:
    """A message to listen for, of op BOOTREPLY, by its xid and the 6 octets of its chaddr.

    It is to be heard on `count` interfaces, within so many seconds.
    """

    xid: bytes
    chaddr: bytes
    count: int
    seconds: float

    def plain(self) -> dict[str, Any]:
        """Return it as a request to the control socket has it."""
        return {
            "xid": self.xid.hex(),
            "chaddr": self.chaddr.hex(),
            "count": self.count,
            "seconds": self.seconds,
        }


def read(request: Mapping[str, Any]) -> Sound:
    """Return what a request to the control socket asks for; HearingError if that makes no sense."""
    try:
        xid, chaddr = bytes.fromhex(request["xid"]), bytes.fromhex(request["chaddr"])
        count, seconds = int(request["count"]), float(request["seconds"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise HearingError(f"not a message to listen for: {error!r}") from None
    if len(xid) != _XID_OCTETS or len(chaddr) != MAC_OCTETS or not math.isfinite(seconds):
        raise HearingError("an xid has 4 octets, an address 6, and seconds have an end")
    return Sound(xid, chaddr, count, min(max(seconds, 0.0), _LONGEST))


async def listen(questions: Questions, name: Callable[[int], str], sound: Sound) -> list[str]:
    """Return the interfaces that a message is heard on, once it was heard on all or the time is over.

    `name` tells an interface's by its index. Raises HearingError if others listen already.
    """
    if questions.of(_ASKER) >= _AT_ONCE:
        raise HearingError("others are listening already; try again in a moment")
    heard: dict[str, None] = {}
    complete = asyncio.Event()

    def take(reply: ReceivedReply) -> bool:
        heard[name(reply.interface)] = None
        if len(heard) >= sound.count:
            complete.set()
        return True

    message = bytearray(packet.HEADER_SIZE)
    message[packet.XID] = sound.xid
    message[packet.CHADDR_START : packet.CHADDR_START + MAC_OCTETS] = sound.chaddr
    with answers_to(questions, _ASKER, {packet.transaction(message): take}):
        await happens(complete, sound.seconds)
    return list(heard)
