"""Asking the daemon over its control socket, within bounds: however many look, it has little to do.

The state and the unknown clients are asked for once for all who want them within some seconds. No more than
`_AT_ONCE` questions are on their way at a time; who would wait too long is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

from pxerelay.linux.control_client import TIMEOUT, NoDaemonError
from pxerelay.linux.localsocket import check_length

_AT_ONCE = 4
"""Questions at the same time, of the 16 that the daemon takes of one user."""

_LARGEST = 16 << 20
"""Octets of a line of an answer, as commands have it."""

_PATIENCE = 5.0
"""Seconds to wait for one's turn."""

_TAKES = {"unknown": 20.0}
"""Seconds that an answer may take beside `TIMEOUT`."""

STATUS_AGE, UNKNOWN_AGE = 2.0, 5.0
"""Seconds for which an answer is good."""


class RefusedError(Exception):
    """The daemon answers, and does not do what it is asked; the message is its own."""


class DaemonClient:
    """Asks the daemon at a path. `seconds` is how long its last answer took, None if there was none."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self.seconds: float | None = None
        self.asked = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._locks = {"status": asyncio.Lock(), "unknown": asyncio.Lock()}

    async def status(self) -> dict[str, Any]:
        """Return what `status --json` prints, a moment old at most."""
        return await self._recent("status", STATUS_AGE)

    async def unknown(self) -> dict[str, Any]:
        """Return the clients that fell to a default."""
        return await self._recent("unknown", UNKNOWN_AGE)

    async def client(self, mac: str) -> dict[str, Any]:
        """Return what the mapping that runs says of a client; `relay.trace.Watches.look` has the keys."""
        answer = await self._ask("client", mac=mac)
        _, status = self._kept.get("status", (0.0, {}))
        if status.get("config", {}).get("sha256") != answer.get("config", {}).get("sha256"):
            self._kept.clear()  # it has loaded another configuration since
        return answer

    async def _recent(self, command: str, age: float) -> dict[str, Any]:
        async with self._locks[command]:
            at, kept = self._kept.get(command, (float("-inf"), {}))
            if time.monotonic() - at > age:
                kept = await self._ask(command)
                self._kept[command] = time.monotonic(), kept
            return kept

    async def _ask(self, command: str, **more: object) -> dict[str, Any]:
        """Ask once; NoDaemonError or RefusedError if there is no answer."""
        async with self._turn():
            began = time.monotonic()
            try:
                answer = await asyncio.wait_for(
                    self._exchange(command, more), TIMEOUT + _TAKES.get(command, 0.0)
                )
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

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._turns.acquire(), _PATIENCE)
        except asyncio.TimeoutError:
            raise RefusedError("too much is asked of this page at a time; try again in a moment") from None
        try:
            self.asked += 1
            yield
        finally:
            self._turns.release()

    async def _exchange(self, command: str, more: dict[str, object]) -> dict[str, Any]:
        reader, writer = await self._connected()
        try:
            writer.write(json.dumps({"command": command, **more}).encode() + b"\n")
            return await self._line(reader)
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

    async def _line(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        try:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise NoDaemonError(f"the daemon at {self.path} hung up")
            answer = json.loads(line)
        except OSError as error:
            raise _no_daemon(self.path, error) from None
        except (ValueError, RecursionError):
            raise NoDaemonError(f"what answers at {self.path} is no daemon of pxerelay") from None
        if not isinstance(answer, dict):
            raise NoDaemonError(f"what answers at {self.path} is no daemon of pxerelay")
        if "error" in answer and "event" not in answer:
            raise RefusedError(str(answer["error"]))
        return answer


def _no_daemon(path: str, error: OSError) -> NoDaemonError:
    if isinstance(error, PermissionError):
        return NoDaemonError(f"{path}: permission denied; this page's user must be in the daemon's group")
    return NoDaemonError(f"no daemon answers at {path} ({error.strerror or error}); is the service running?")
