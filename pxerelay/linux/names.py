"""DNS names of servers, asked of the system's resolver in the background, never in the packet path.

The resolver is the C library's, which blocks for as long as it likes. Each question has a thread of its
own that nobody waits for: a name that gets no answer holds up neither other names nor the daemon's end.
The C library gives each name server five seconds before it asks the next one, so an answer may be late.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address

from pxerelay.linux.fields import Fields
from pxerelay.linux.log import LOGGER
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.policy.servers import can_be_server

INTERVAL = 60.0
"""Seconds from one round of questions to the next."""

TIMEOUT = 5.0
"""Seconds that a round waits; an answer that comes later is taken when it comes."""


NOT_YET = ResolvedName(error="not looked up yet")
"""What is known of a name before its first answer."""


class DnsClient:
    """Asks; `late` is called with a name and its answer if that comes after the round."""

    def __init__(self, late: Callable[[str, ResolvedName], None]) -> None:
        self._late = late
        self._asking: dict[str, asyncio.Future[ResolvedName]] = {}
        self._overdue: set[str] = set()

    async def resolve(self, names: Iterable[str]) -> dict[str, ResolvedName]:
        """Ask for the IPv4 addresses of all names at once; failures are answers with an `error`.

        A name whose last question has not been answered yet is not asked for a second time.
        """
        listed = sorted(names)
        asked = [self._ask(name) for name in listed]
        if asked:
            await asyncio.wait(asked, timeout=TIMEOUT)
        return {
            name: future.result() if future.done() else self._not_yet(name)
            for name, future in zip(listed, asked, strict=True)
        }

    def _ask(self, name: str) -> asyncio.Future[ResolvedName]:
        if name in self._asking:
            return self._asking[name]
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResolvedName] = loop.create_future()

        def tell(answer: ResolvedName) -> None:
            del self._asking[name]
            future.set_result(answer)
            if name in self._overdue:
                self._overdue.discard(name)
                self._late(name, answer)

        def ask() -> None:
            answer = _answer(name)
            with contextlib.suppress(RuntimeError):  # the loop has ended, nobody wants to know any more
                loop.call_soon_threadsafe(tell, answer)

        try:
            threading.Thread(target=ask, name=f"resolve {name}", daemon=True).start()
        except RuntimeError as error:  # no thread could be started
            future.set_result(ResolvedName(error=str(error)))
        else:
            self._asking[name] = future
        return future

    def _not_yet(self, name: str) -> ResolvedName:
        self._overdue.add(name)
        return ResolvedName(error=f"no answer within {TIMEOUT:.0f} s")


def _answer(name: str) -> ResolvedName:
    try:
        found = socket.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        return ResolvedName(error=getattr(error, "strerror", None) or str(error))
    addresses = {IPv4Address(entry[4][0]) for entry in found}
    usable = tuple(sorted(filter(can_be_server, addresses)))
    if not usable:
        told = ", ".join(map(str, sorted(addresses)))
        return ResolvedName(error=f"the answer is {told}, which can't be a server")
    return ResolvedName(usable)


class DnsLog:
    """Logs what becomes of names; an error once, until the name is resolved again.

    A resolver that nobody answers fails each round in two ways in turn: late, and then for good.
    """

    def __init__(self) -> None:
        self._told: dict[str, set[ResolvedName]] = {}

    def tell(self, fresh: ResolvedNames, before: ResolvedNames) -> None:
        """Log what differs from the answers before."""
        for name, answer in fresh.by_name.items():
            if answer == before.by_name.get(name):
                continue
            addresses = ", ".join(map(str, answer.addresses)) or "no address"
            extra = Fields(servers=(name, *map(str, answer.addresses))).extra
            if not answer.error:
                self._told.pop(name, None)
                LOGGER.info("server %s is %s", name, addresses, extra=extra)
            elif answer not in self._told.setdefault(name, set()):
                self._told[name].add(answer)
                LOGGER.warning("server %s: %s; using %s", name, answer.error, addresses, extra=extra)
