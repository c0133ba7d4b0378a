"""DNS names of servers, asked of the system's resolver in the background, never in the packet path.

The resolver is the C library's, which blocks for as long as it likes. Each question has a thread of its
own that nobody waits for: a name that gets no answer holds up neither other names nor the daemon's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable
from ipaddress import IPv4Address

from pxerelay.answers import Answer

INTERVAL = 60.0
"""Seconds from one round of questions to the next."""

TIMEOUT = 5.0
"""Seconds that a round waits; a resolver that needs longer is asked again in the next."""


async def resolve(names: Iterable[str]) -> dict[str, Answer]:
    """Ask for the IPv4 addresses of all names at once; failures are answers with an `error`."""
    listed = sorted(names)
    return dict(zip(listed, await asyncio.gather(*map(_ask, listed)), strict=True))


async def _ask(name: str) -> Answer:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Answer] = loop.create_future()

    def tell(answer: Answer) -> None:
        if not answered.done():
            answered.set_result(answer)

    def ask() -> None:
        answer = _answer(name)
        with contextlib.suppress(RuntimeError):  # the loop has ended, nobody wants to know any more
            loop.call_soon_threadsafe(tell, answer)

    try:
        threading.Thread(target=ask, name=f"resolve {name}", daemon=True).start()
        return await asyncio.wait_for(answered, TIMEOUT)
    except asyncio.TimeoutError:
        return Answer(error=f"no answer within {TIMEOUT:.0f} s")
    except RuntimeError as error:  # no thread could be started
        return Answer(error=str(error))


def _answer(name: str) -> Answer:
    try:
        found = socket.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        return Answer(error=getattr(error, "strerror", None) or str(error))
    return Answer(tuple(sorted({IPv4Address(entry[4][0]) for entry in found})))
