"""Requests of our own: what sends them, and who is told of the answers for how long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from pxerelay.relay.decision import ToServers
from pxerelay.relay.questions import AnyQuestions, Key, Questions, Reply
from pxerelay.wire import packet

_LATE = 10.0
"""Seconds for which an answer that comes too late still goes to no client."""


class Sender(Protocol):
    """What sends requests as the relay does, and tells whoever asked of the replies."""

    questions: Questions

    def send(self, message: packet.Message, decision: ToServers) -> list[str]:
        """Send a request of our own, and return what failed."""


@contextlib.contextmanager
def answers_to(
    questions: AnyQuestions[Key, Reply], asker: str, takers: Mapping[Key, Callable[[Reply], bool]]
) -> Iterator[None]:
    """Have replies in these transactions told until the block ends.

    Those that come later are told to nobody, and for `_LATE` they go to no client either. `asker` is what
    `Questions.of` counts them by.
    """
    for transaction, take in takers.items():
        questions.begin(transaction, asker, take)
    try:
        yield
    finally:
        loop = asyncio.get_running_loop()
        for transaction in takers:
            questions.end(transaction)
            loop.call_later(_LATE, questions.forget, transaction)


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, and return whether it came in time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return False
    return True
