"""Following a client: a trace of the daemon for all who follow the same one, each for ten minutes at most."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

from pxerelay.linux.control_client import NoDaemonError
from pxerelay.linux.tasks import end
from pxerelay.relay.account import Account, AnyAccount
from pxerelay.relay.account6 import Account6
from pxerelay.web.daemon_client import DaemonClient, RefusedError
from pxerelay.web.limits import Seats
from pxerelay.wire.text import printable_all

LONGEST = 600.0
"""Seconds after which following ends by itself."""

MOST_TRACES = 2
"""Clients that are followed at a time, of the daemon's four traces: its commands have the others."""

SEATS_EACH, SEATS = 2, 50
"""Followers of one peer, and all."""

_LINES = 64
"""Events that wait for a follower; one who does not take them loses some, and is told how many."""

_QUIET = 15.0
"""Seconds after which something is sent, so that proxies keep the connection, and who has gone is noticed."""

Line = dict[str, Any]
"""What a follower is told: `kind`, `text`, and `at` in seconds since 1970."""


NOT_UNDERSTOOD = (KeyError, TypeError, ValueError, AttributeError)
"""What comes of the answer of a daemon of another version."""


class BusyError(Exception):
    """Nobody else can follow now; the message says why."""


class _Trace:
    """A trace of the daemon, and who wants its events."""

    def __init__(self) -> None:
        self.followers: list[asyncio.Queue[Line | None]] = []
        self.task: asyncio.Task[None] | None = None
        self.first: Line | None = None


class Live:
    """Follows clients for those who look; `place_of` tells the `file:line` of an entry by kind and name."""

    def __init__(self, daemon: DaemonClient, place_of: Callable[[str, str], str]) -> None:
        self._daemon = daemon
        self._place_of = place_of
        self._traces: dict[str, _Trace] = {}
        self.seats = Seats(SEATS_EACH, SEATS)
        self._closed = asyncio.Event()

    def close(self) -> None:
        """Have all who follow end."""
        self._closed.set()
        for trace in self._traces.values():
            for queue in trace.followers:
                _put(queue, None)

    async def follow(self, mac: str, peer: str) -> AsyncGenerator[Line, None]:
        """Yield lines of a client until ten minutes are over; BusyError if too many follow already.

        The first thing is always a line, so whoever calls knows that it has begun.
        """
        if mac not in self._traces and len(self._traces) >= MOST_TRACES:
            others = ", ".join(self._traces)
            raise BusyError(f"{MOST_TRACES} clients are being followed already ({others}); try again later")
        if not self.seats.take(peer):
            raise BusyError("too many follow at a time; close another window, or try again later")
        queue: asyncio.Queue[Line | None] = asyncio.Queue(_LINES)
        trace = self._traces.setdefault(mac, _Trace())
        trace.followers.append(queue)
        if trace.task is None:
            trace.task = asyncio.get_running_loop().create_task(self._run(mac, trace))
        try:
            if trace.first:
                yield trace.first
            async for line in self._lines(queue):
                yield line
        finally:
            self.seats.give_back(peer)
            trace.followers.remove(queue)
            if not trace.followers:
                if self._traces.get(mac) is trace:
                    del self._traces[mac]
                await end((trace.task,))

    async def _lines(self, queue: asyncio.Queue[Line | None]) -> AsyncIterator[Line]:
        until = time.monotonic() + LONGEST
        while not self._closed.is_set():
            left = until - time.monotonic()
            if left <= 0:
                yield _line("end", "ten minutes are over; follow again if it is still of interest")
                return
            try:
                line = await asyncio.wait_for(queue.get(), min(left, _QUIET))
            except asyncio.TimeoutError:
                yield _line("quiet", "")
                continue
            if line is None:
                return
            yield line
            if line["kind"] in {"end", "error"}:
                return

    async def _run(self, mac: str, trace: _Trace) -> None:
        """Tell the followers of a trace what the daemon tells."""
        try:
            async with contextlib.aclosing(self._daemon.follow(mac)) as events:
                async for event in events:
                    line = self._told(event)
                    if line["kind"] == "start":
                        trace.first = line
                    for queue in trace.followers:
                        _put(queue, line)
        except (NoDaemonError, RefusedError, *NOT_UNDERSTOOD) as error:
            told = isinstance(error, (NoDaemonError, RefusedError))
            line = _line("error", str(error) if told else "the daemon says what this page does not know")
            for queue in trace.followers:
                _put(queue, line)
            if self._traces.get(mac) is trace:
                del self._traces[mac]  # who comes next begins anew

    def _told(self, event: Mapping[str, Any]) -> Line:
        kind = event["event"]
        if kind == "message":
            return _line(kind, message_text(event, self._place_of), event.get("at"))
        if kind == "lost":
            return _line(kind, f"{event['lines']} lines lost: they came faster than they were taken")
        if kind == "interface":
            return _line(kind, f"interface {event['text']}")
        if kind == "refused":
            return _line(kind, f"a new configuration was refused, the old one stays: {event['error']}")
        if kind == "start":
            return _line(kind, f"listening to {event['watching']}")
        if kind in {"reload", "mapping"}:
            return _line(kind, "the mapping changed; search again to see what it says now")
        return _line(kind, kind)


def message_text(event: Mapping[str, Any], place_of: Callable[[str, str], str]) -> str:
    """Return the line of a message and what became of it, of either family."""
    of_family: type[AnyAccount] = Account6 if event.get("family") == 6 else Account
    account = of_family.of_plain(event)
    took = event.get("milliseconds")
    source = place_of(account.reason, account.rule) if account.reason else ""
    text = account.text(source, f" after {took} ms" if took is not None else "")
    return text + "".join(f"; BUT {failure}" for failure in event.get("failures", ()))


def _line(kind: str, text: str, at: float | None = None) -> Line:
    found: Line = printable_all({"kind": kind, "text": text})
    found["at"] = time.time() if at is None else at
    return found


def _put(queue: asyncio.Queue[Line | None], line: Line | None) -> None:
    """Give a line to a follower; the oldest one is lost for it if there are too many."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(line)
