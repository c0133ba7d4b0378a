"""Tells on which interfaces a message of `doctor` is heard, which wants to know what a firewall does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pxerelay.daemon.own_requests import answers_to, happens
from pxerelay.relay.questions import AnyQuestions, Key, Questions, ReceivedReply, Reply
from pxerelay.wire import packet
from pxerelay.wire.mac import MAC_OCTETS

_LONGEST = 10.0
"""Seconds that we listen at most."""

_AT_ONCE = 2
_ASKER = "hearing"

XID_OCTETS = {4: 4, 6: 3}
"""Octets of a transaction id, by family (RFC 2131, 2; RFC 9915, 8)."""


class HearingError(Exception):
    """Nothing can be listened for so; the message says why."""


@dataclass(frozen=True)
class Sound:
    """A message to listen for, by its xid and the 6 octets of an address that it is for.

    It is to be heard on `count` interfaces, within so many seconds. By family it is a BOOTREPLY
    (`probe.sound`) or a RELAY-REPL (`probe6.sound`).
    """

    xid: bytes
    chaddr: bytes
    count: int
    seconds: float
    family: int = 4

    def plain(self) -> dict[str, Any]:
        """Return it as a request to the control socket has it."""
        return {
            "xid": self.xid.hex(),
            "chaddr": self.chaddr.hex(),
            "count": self.count,
            "seconds": self.seconds,
            "family": self.family,
        }


def read(request: Mapping[str, Any]) -> Sound:
    """Return what a request to the control socket asks for; HearingError if that makes no sense."""
    try:
        xid, chaddr = bytes.fromhex(request["xid"]), bytes.fromhex(request["chaddr"])
        count, seconds = int(request["count"]), float(request["seconds"])
        family = int(request.get("family", 4))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise HearingError(f"not a message to listen for: {error!r}") from None
    if len(xid) != XID_OCTETS.get(family) or len(chaddr) != MAC_OCTETS or not math.isfinite(seconds):
        raise HearingError(
            "an xid has 4 octets, in DHCPv6 (family 6) 3, an address 6, and seconds have an end"
        )
    return Sound(xid, chaddr, count, min(max(seconds, 0.0), _LONGEST), family)


async def listen(questions: Questions, name: Callable[[int], str], sound: Sound) -> list[str]:
    """Return the interfaces that a message of DHCPv4 is heard on, as `heard_on`.

    `name` tells an interface's by its index.
    """
    message = bytearray(packet.HEADER_SIZE)
    message[packet.XID] = sound.xid
    message[packet.CHADDR_START : packet.CHADDR_START + MAC_OCTETS] = sound.chaddr

    def place(reply: ReceivedReply) -> str:
        return name(reply.interface)

    return await heard_on(questions, packet.transaction(message), place, sound)


async def heard_on(
    questions: AnyQuestions[Key, Reply], transaction: Key, place: Callable[[Reply], str], sound: Sound
) -> list[str]:
    """Return the interfaces that a message is heard on, once it was heard on all or the time is over.

    It is known by its transaction; `place` tells on which interface a reply was heard. Raises HearingError if
    others listen already.
    """
    if questions.of(_ASKER) >= _AT_ONCE:
        raise HearingError("others are listening already; try again in a moment")
    heard: dict[str, None] = {}
    complete = asyncio.Event()

    def take(reply: Reply) -> bool:
        heard[place(reply)] = None
        if len(heard) >= sound.count:
            complete.set()
        return True

    with answers_to(questions, _ASKER, {transaction: take}):
        await happens(complete, sound.seconds)
    return list(heard)
