"""Tells on which interfaces a message of `doctor` is heard in DHCPv6, as `hearing` in DHCPv4."""

from __future__ import annotations

from collections.abc import Callable

from pxerelay.daemon.hearing import Sound, heard_on
from pxerelay.relay.questions6 import Questions6, ReceivedReply6
from pxerelay.relay.transactions6 import Transaction6
from pxerelay.wire import probe6


async def listen(questions: Questions6, name: Callable[[int], str], sound: Sound) -> list[str]:
    """Return the interfaces that a message is heard on, as `hearing.heard_on`.

    `name` tells an interface's by its index.
    """

    def place(reply: ReceivedReply6) -> str:
        return name(reply.arrival.interface)

    key = Transaction6(sound.xid, probe6.duid(sound.chaddr), looks_for_servers=True)
    return await heard_on(questions, key, place, sound)
