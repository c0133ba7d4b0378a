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
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from pxerelay.linux.fields import Fields
from pxerelay.linux.log import LOGGER
from pxerelay.policy.model import Config
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.policy.servers import Address, can_be_server

INTERVAL = 60.0
"""Seconds from one round of questions to the next."""

TIMEOUT = 5.0
"""Seconds that a round waits; an answer that comes later is taken when it comes."""


NOT_YET = ResolvedName(error="not looked up yet", error6="not looked up yet")
"""What is known of a name before its first answer."""


class DnsClient:
    """Asks; `late` is called with a name and its answer if that comes after the round."""

    def __init__(self, late: Callable[[str, ResolvedName], None]) -> None:
        self._late = late
        self._asking: dict[str, asyncio.Future[ResolvedName]] = {}
        self._overdue: set[str] = set()

    async def resolve_for(self, config: Config) -> dict[str, ResolvedName]:
        """Ask for the addresses of a configuration's servers, of the families that it relays."""
        return await self.resolve(config.dns_names, ipv4=config.dhcpv4, ipv6=config.dhcpv6 is not None)

    async def resolve(
        self, names: Iterable[str], *, ipv4: bool = True, ipv6: bool = False
    ) -> dict[str, ResolvedName]:
        """Ask for the addresses of all names at once, of these families; failures are answers that tell.

        A name whose last question has not been answered yet is not asked for a second time.
        """
        listed = sorted(names)
        asked = [self._ask(name, ipv4=ipv4, ipv6=ipv6) for name in listed]
        if asked:
            await asyncio.wait(asked, timeout=TIMEOUT)
        return {
            name: future.result() if future.done() else self._not_yet(name, ipv4=ipv4, ipv6=ipv6)
            for name, future in zip(listed, asked, strict=True)
        }

    def _ask(self, name: str, *, ipv4: bool, ipv6: bool) -> asyncio.Future[ResolvedName]:
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
            answer = _answer(name, ipv4=ipv4, ipv6=ipv6)
            with contextlib.suppress(RuntimeError):  # the loop has ended, nobody wants to know any more
                loop.call_soon_threadsafe(tell, answer)

        try:
            threading.Thread(target=ask, name=f"resolve {name}", daemon=True).start()
        except RuntimeError as error:  # no thread could be started
            future.set_result(_failed(str(error), ipv4=ipv4, ipv6=ipv6))
        else:
            self._asking[name] = future
        return future

    def _not_yet(self, name: str, *, ipv4: bool, ipv6: bool) -> ResolvedName:
        self._overdue.add(name)
        return _failed(f"no answer within {TIMEOUT:.0f} s", ipv4=ipv4, ipv6=ipv6)


def _failed(why: str, *, ipv4: bool, ipv6: bool) -> ResolvedName:
    return ResolvedName(error=why if ipv4 else "", error6=why if ipv6 else "")


def _answer(name: str, *, ipv4: bool, ipv6: bool) -> ResolvedName:
    """Ask for the addresses of one or both families; if there are some, none of the other is no fault."""
    a = _found(name, socket.AF_INET) if ipv4 else _Found()
    aaaa = _found(name, socket.AF_INET6) if ipv6 else _Found()
    none4, none6 = a.is_none and bool(aaaa.addresses), aaaa.is_none and bool(a.addresses)
    return ResolvedName(
        tuple(one for one in a.addresses if isinstance(one, IPv4Address)),
        "" if none4 else a.error,
        tuple(one for one in aaaa.addresses if isinstance(one, IPv6Address)),
        "" if none6 else aaaa.error,
    )


class _Found(NamedTuple):
    """The addresses of one family; `is_none` tells of an error that it only says that there are none."""

    addresses: tuple[Address, ...] = ()
    error: str = ""
    is_none: bool = False


_NONE = frozenset(
    {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5), getattr(socket, "EAI_ADDRFAMILY", -9)}
)
"""What getaddrinfo(3) says of a name that has no address of a family."""


def _found(name: str, family: socket.AddressFamily) -> _Found:
    try:
        found = socket.getaddrinfo(name, None, family=family, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        code = error.errno if isinstance(error, socket.gaierror) else None
        return _Found((), getattr(error, "strerror", None) or str(error), code in _NONE)
    addresses: set[Address] = {ip_address(entry[4][0]) for entry in found}
    ordered = sorted(addresses, key=int)
    usable = tuple(filter(can_be_server, ordered))
    if not usable:
        return _Found((), f"the answer is {', '.join(map(str, ordered))}, which can't be a server")
    return _Found(usable)


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
            addresses = ", ".join(map(str, answer.both)) or "no address"
            extra = Fields(servers=(name, *map(str, answer.both))).extra
            if not answer.trouble:
                self._told.pop(name, None)
                LOGGER.info("server %s is %s", name, addresses, extra=extra)
            elif answer not in self._told.setdefault(name, set()):
                self._told[name].add(answer)
                LOGGER.warning("server %s: %s; using %s", name, answer.trouble, addresses, extra=extra)
