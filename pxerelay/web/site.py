"""What all pages share: the daemon's client, what was seen, the last hour; and what goes on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pxerelay.linux.control_client import NoDaemonError
from pxerelay.linux.memory import give_back
from pxerelay.linux.tasks import end
from pxerelay.web.daemon_client import DaemonClient, LaterError, RefusedError
from pxerelay.web.history import STEP, History
from pxerelay.web.live import NOT_UNDERSTOOD, Live
from pxerelay.web.metrics import Metrics
from pxerelay.web.relays import Relays
from pxerelay.web.search import Search
from pxerelay.web.seen import Memory
from pxerelay.web.settings import Settings

Endpoint = Callable[[Request], Awaitable[Response]]

_AGAIN = 2.0
"""Seconds until a daemon that is not there is asked again."""

_LONGEST_AGAIN = 30.0

_THREADS = 4
"""What takes a while is done in one of these; each has memory of its own."""


class Site:
    """Everything behind the pages."""

    def __init__(self, socket: Path, settings: Settings) -> None:
        self.settings = settings
        self.daemon = DaemonClient(socket)
        self.memory = Memory()
        self.history = History()
        self.search = Search(self.daemon, self.memory)
        self.live = Live(self.daemon, self.search.place_of)
        self.relays = Relays(settings.relays)
        self.metrics = Metrics()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen to the sample of messages, and note the state each minute."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(_THREADS))
        tasks = loop.create_task(self._listen()), loop.create_task(self._note())
        try:
            yield
        finally:
            self.live.close()
            await end(tasks)

    async def _listen(self) -> None:
        wait = _AGAIN
        while True:
            with contextlib.suppress(NoDaemonError, RefusedError, *NOT_UNDERSTOOD):
                async with contextlib.aclosing(self.daemon.follow("*", sample=True)) as events:
                    async for event in events:
                        wait = _AGAIN
                        if event["event"] == "start" and self.memory.since is None:
                            self.memory.since = time.time()
                        elif event["event"] == "message":
                            self.memory.note(event)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_AGAIN)

    async def _note(self) -> None:
        while True:
            with contextlib.suppress(NoDaemonError, RefusedError, *NOT_UNDERSTOOD):
                status = await self.daemon.status()
                self.history.note(status, time.monotonic())
                await self.search.refresh(status["config"])
            give_back()
            await asyncio.sleep(STEP)


def routes(
    endpoints: Mapping[str, Endpoint], silent: Callable[[Request, Exception], Response]
) -> list[Route]:
    """Return a route for each path; `silent` answers where the daemon does not."""

    def answering(endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except (NoDaemonError, RefusedError) as error:
                told = silent(request, error)
                if isinstance(error, LaterError):
                    told.headers["retry-after"] = str(error.again)
                return told

        return answer

    return [Route(path, answering(endpoint)) for path, endpoint in endpoints.items()]
