"""Asking the daemon over its control socket, within bounds: however many look, it has little to do.

What costs the daemon something is asked for once for all who want it: the state and the unknown clients are
good for a while, and clients that are searched for are asked about together. How long it is until the next
such question follows from the processor time that the last one took (`Pace`), so that the daemon spends no
more on it than its share, whatever the mapping and the number of VLANs. So one question of each kind at most
is on its way at a time. Who would wait too long is told when to ask again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from pxerelay.linux.control_client import TIMEOUT, NoDaemonError
from pxerelay.linux.localsocket import check_length
from pxerelay.linux.memory import give_back
from pxerelay.web.rows import loads

_LARGEST = 16 << 20
"""Octets of a line of an answer, as commands have it."""

_PATIENCE = 5.0
"""Seconds to wait for one's turn."""

_TAKES = {"unknown": 20.0, "clients": 10.0}
"""Seconds that an answer may take beside `TIMEOUT`."""

TOGETHER = 64
"""Clients that one question is about, as many as the daemon takes (`daemon.handlers.MOST_CLIENTS`)."""

_FOR_ANSWERING = 2e-4
"""Seconds of processor time that any question takes: for the connection, and to write the answer."""


class Pace(NamedTuple):
    """How often a question is asked: seconds from one to the next, at least and at most.

    In between, so that it takes no more than a `share` of the daemon's time.
    """

    least: float
    most: float
    share: float

    def after(self, seconds: float) -> float:
        """Return how long to wait after a question that took so much processor time."""
        return min(max(self.least, (seconds + _FOR_ANSWERING) / self.share), self.most)


PACES = {
    "clients": Pace(0.5, 10.0, 0.005),
    "status": Pace(2.0, 10.0, 0.002),
    "unknown": Pace(5.0, 60.0, 0.002),
}


class RefusedError(Exception):
    """The daemon answers, and does not do what it is asked; the message is its own."""


class LaterError(RefusedError):
    """As much is being asked as may be; in `again` seconds it is worth another try."""

    def __init__(self, seconds: float) -> None:
        self.again = math.ceil(max(seconds, 1.0))
        super().__init__(f"busy: as much is being asked of the daemon as may be; again in {self.again} s")


class DaemonClient:
    """Asks the daemon at a path. `seconds` is how long its last answer took, None if there was none."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self.seconds: float | None = None
        self.asked = 0
        self._kept: dict[str, tuple[float, float, dict[str, Any]]] = {}
        self._locks = {"status": asyncio.Lock(), "unknown": asyncio.Lock()}
        self._wanted: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._next = float("-inf")
        self._pause = PACES["clients"].least
        self._asking: asyncio.Task[None] | None = None

    async def status(self) -> dict[str, Any]:
        """Return what `status --json` prints, some seconds old at most."""
        return (await self._recent("status"))[1]

    async def unknown(self) -> tuple[float, dict[str, Any]]:
        """Return the clients that fell to a default, and how many seconds old that is."""
        at, kept = await self._recent("unknown")
        return time.monotonic() - at, kept

    async def client(self, mac: str) -> dict[str, Any]:
        """Return what the mapping that runs says of a client; `daemon.handlers` has the keys.

        Who wants to know of a client at the same time shares the question.
        """
        waiting = self._wanted.get(mac)
        if waiting is None:
            turns = len(self._wanted) // TOGETHER
            until = max(self._next - time.monotonic(), 0.0) + turns * self._pause
            if until > _PATIENCE:
                raise LaterError(until)
            waiting = self._wanted[mac] = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(_heed)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask_of_clients())
        return await asyncio.shield(waiting)

    async def _ask_of_clients(self) -> None:
        """Ask about all clients that somebody wants to know of, many at a time, until there are none."""
        while self._wanted:
            await asyncio.sleep(self._next - time.monotonic())
            some = {mac: self._wanted.pop(mac) for mac in list(self._wanted)[:TOGETHER]}
            took = 0.0
            try:
                answer = await self._ask("clients", macs=list(some))
                took = _seconds(answer)
                self._compare(answer["config"])
                told, about = answer["clients"], {"config": answer["config"], "waiting": answer["waiting"]}
                for mac, waiting in some.items():
                    waiting.set_result({**about, **told[mac]})
            except (NoDaemonError, RefusedError) as error:
                _fail(some, error)
            except (KeyError, TypeError, AttributeError):
                _fail(some, NoDaemonError(f"what answers at {self.path} is no daemon of this version"))
            finally:
                _fail(some, NoDaemonError("this page is ending"))
                self._pause = PACES["clients"].after(took)
                self._next = time.monotonic() + self._pause

    def _compare(self, config: dict[str, Any]) -> None:
        """Forget what is kept of another configuration than the daemon has by now."""
        _, _, status = self._kept.get("status", (0.0, 0.0, {}))
        if status.get("config", {}).get("sha256") != config.get("sha256"):
            self._kept.clear()

    async def _recent(self, command: str) -> tuple[float, dict[str, Any]]:
        """Return an answer and when it came; it is kept until the next question may be asked."""
        async with _turn(self._locks[command]):
            at, until, _ = self._kept.get(command, (0.0, float("-inf"), {}))
            if time.monotonic() > until:
                self._kept.pop(command, None)  # so that two are never there at a time
                began = time.monotonic()
                kept = await self._ask(command)
                at = time.monotonic()
                until = at + PACES[command].after(_seconds(kept) or at - began)
                self._kept[command] = at, until, kept
                if command == "unknown":
                    give_back()
            at, _, found = self._kept[command]
            return at, found

    async def _ask(self, command: str, **more: object) -> dict[str, Any]:
        """Ask once; NoDaemonError or RefusedError if there is no answer."""
        self.asked += 1
        began = time.monotonic()
        try:
            answer = await asyncio.wait_for(self._exchange(command, more), TIMEOUT + _TAKES.get(command, 0.0))
        except asyncio.TimeoutError:
            self._gone()
            raise NoDaemonError(f"the daemon at {self.path} has not answered in time") from None
        except NoDaemonError:
            self._gone()
            raise
        self.seconds = time.monotonic() - began
        return answer

    def _gone(self) -> None:
        """Show nothing of a daemon that is not there any more."""
        self.seconds = None
        self._kept.clear()

    async def _exchange(self, command: str, more: dict[str, object]) -> dict[str, Any]:
        reader, writer = await self._connected()
        try:
            writer.write(json.dumps({"command": command, **more}).encode() + b"\n")
            return await self._line(reader, loads if command == "unknown" else json.loads)
        finally:
            writer.transport.abort()

    async def follow(self, mac: str, *, sample: bool = False) -> AsyncGenerator[dict[str, Any], None]:
        """Yield a trace's events until the daemon hangs up; NoDaemonError or RefusedError if none begins."""
        try:
            reader, writer = await asyncio.wait_for(self._connected(), TIMEOUT)
        except asyncio.TimeoutError:
            raise NoDaemonError(f"the daemon at {self.path} has not answered in time") from None
        try:
            writer.write(json.dumps({"command": "trace", "mac": mac, "sample": sample}).encode() + b"\n")
            try:
                yield await asyncio.wait_for(self._line(reader), TIMEOUT)
            except asyncio.TimeoutError:
                raise NoDaemonError(f"the daemon at {self.path} has not answered in time") from None
            while True:
                yield await self._line(reader)
        finally:
            writer.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            check_length(self.path)
            return await asyncio.open_unix_connection(self.path, limit=_LARGEST)
        except OSError as error:
            raise _no_daemon(self.path, error) from None

    async def _line(
        self, reader: asyncio.StreamReader, read: Callable[[bytes], Any] = json.loads
    ) -> dict[str, Any]:
        try:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise NoDaemonError(f"the daemon at {self.path} hung up")
            answer = read(line)
        except OSError as error:
            raise _no_daemon(self.path, error) from None
        except (ValueError, RecursionError):
            raise NoDaemonError(f"what answers at {self.path} is no daemon of pxerelay") from None
        if not isinstance(answer, dict):
            raise NoDaemonError(f"what answers at {self.path} is no daemon of pxerelay")
        if "error" in answer and "event" not in answer:
            raise RefusedError(str(answer["error"]))
        return answer


@contextlib.asynccontextmanager
async def _turn(lock: asyncio.Lock) -> AsyncIterator[None]:
    """Have a lock, unless that takes too long."""
    try:
        await asyncio.wait_for(lock.acquire(), _PATIENCE)
    except asyncio.TimeoutError:
        raise LaterError(_PATIENCE) from None
    try:
        yield
    finally:
        lock.release()


def _seconds(answer: dict[str, Any]) -> float:
    """Return the processor time that the daemon says it spent on an answer; 0 if it does not say."""
    told = answer.get("seconds")
    return float(told) if isinstance(told, (int, float)) else 0.0


def _fail(some: dict[str, asyncio.Future[dict[str, Any]]], error: Exception) -> None:
    """Tell those who were not answered why."""
    for waiting in some.values():
        if not waiting.done():
            waiting.set_exception(error)


def _heed(waiting: asyncio.Future[dict[str, Any]]) -> None:
    """Take note of an error, so that asyncio does not log it where whoever asked has gone."""
    if not waiting.cancelled():
        waiting.exception()


def _no_daemon(path: str, error: OSError) -> NoDaemonError:
    if isinstance(error, PermissionError):
        return NoDaemonError(f"{path}: permission denied; this page's user must be in the daemon's group")
    return NoDaemonError(f"no daemon answers at {path} ({error.strerror or error}); is the service running?")
