"""DNS names of servers, asked of the system's resolver in the background, never in the packet path."""

from __future__ import annotations

import asyncio
import socket
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
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_DGRAM), TIMEOUT
        )
    except asyncio.TimeoutError:
        return Answer(error=f"no answer within {TIMEOUT:.0f} s")
    except (OSError, UnicodeError) as error:
        return Answer(error=getattr(error, "strerror", None) or str(error))
    addresses = {IPv4Address(entry[4][0]) for entry in found}
    return Answer(tuple(sorted(addresses)))
