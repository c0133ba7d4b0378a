"""The JSON beside the pages: `/api/v1/...`, documented in docs/web.md. What is added to it breaks nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pxerelay.linux.control_client import NoDaemonError
from pxerelay.web import overview, strangers
from pxerelay.web.daemon_client import RefusedError
from pxerelay.web.live import BusyError, Line
from pxerelay.web.search import mac_of
from pxerelay.web.site import Endpoint, Site
from pxerelay.web.site import routes as site_routes
from pxerelay.wire.text import printable_all


def routes(site: Site) -> list[Route]:
    """Return the routes."""
    api = _Api(site)
    named: dict[str, Endpoint] = {
        f"/api/v1/{one.__name__}": one for one in (api.search, api.now, api.unknown, api.flows)
    }
    others: dict[str, Endpoint] = {
        "/api/v1/follow/{mac}": api.follow,
        "/healthz": api.health,
        "/metrics": api.metrics,
    }
    return site_routes(named | others, lambda _, error: problem(503, str(error)))


def problem(status: int, text: str) -> JSONResponse:
    """Return what is wrong."""
    return JSONResponse({"error": text}, status)


class _Api:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def search(self, request: Request) -> Response:
        """Search here, and unless `here` is set on the other relays too."""
        text = request.query_params.get("q", "")
        found = await searched(self._site, text, here="here" in request.query_params)
        return JSONResponse(found, 503 if found["error"] else 200)

    async def now(self, _: Request) -> Response:
        """Tell the state."""
        status = await self._site.daemon.status()
        return JSONResponse(printable_all(overview.overview(status, self._site.history)))

    async def unknown(self, request: Request) -> Response:
        """List clients that fell to a default."""
        clients, count = await listed(self._site, request.query_params)
        if request.query_params.get("format") == "yaml":
            text = strangers.yaml_of(clients, datetime.now().astimezone())
            return Response(text + "\n", media_type="application/yaml")
        return JSONResponse(printable_all({"clients": clients, "count": count, "most": strangers.MOST_SHOWN}))

    async def flows(self, _: Request) -> Response:
        """Tell who went where."""
        status = await self._site.daemon.status()
        requests, copies, seconds = self._site.history.flows(status, time.monotonic())
        told = {
            "seconds": round(seconds) or None,
            "requests": [{"rule": a, "interface": b, "count": n} for (a, b), n in requests.items()],
            "copies": [{"interface": a, "server": b, "count": n} for (a, b), n in copies.items()],
        }
        return JSONResponse(printable_all(told))

    async def follow(self, request: Request) -> Response:
        """Follow a client: server-sent events (HTML, 9.2), each with a line as JSON."""
        mac = mac_of(request.path_params["mac"])
        if not mac:
            return problem(400, "name one MAC, such as 00:11:22:33:44:55")
        lines = self._site.live.follow(mac, request.scope["state"]["peer"])
        try:
            first = await anext(lines)
        except BusyError as error:
            self._site.metrics.refused["followers"] += 1
            return problem(503, str(error))
        except StopAsyncIteration:
            return problem(503, "this page is ending")
        return StreamingResponse(
            _events(first, lines), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
        )

    async def health(self, _: Request) -> Response:
        """Say whether the daemon answers: 200, else 503."""
        health = (await self._site.daemon.status())["health"]
        return JSONResponse({"daemon": health["state"]})

    async def metrics(self, _: Request) -> Response:
        """Tell the page's own metrics."""
        site, up = self._site, True
        try:
            await site.daemon.status()
        except (NoDaemonError, RefusedError):
            up = False
        text = site.metrics.text(
            up=up,
            seconds=site.daemon.seconds,
            asked=site.daemon.asked,
            followers=len(site.live.seats),
            clients=len(site.memory),
        )
        return Response(text, media_type="text/plain; version=0.0.4")


async def searched(site: Site, text: str, *, here: bool) -> dict[str, Any]:
    """Return what this relay and, unless only `here` is asked, the others say of a text."""
    if here or not text.strip():
        found, others = await site.search.find(text), []
    else:
        found, others = await asyncio.gather(site.search.find(text), site.relays.search(text))
    return {**found, "relays": others}


async def listed(site: Site, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], int]:
    """Return the unknown clients that a query asks for, and how many there are."""
    age, answer = await site.daemon.unknown()
    text, pxe = query.get("q", "")[:100], "pxe" in query
    return await asyncio.to_thread(lambda: strangers.shown(answer, text, pxe=pxe, age=age))


async def _events(first: Line, lines: AsyncGenerator[Line, None]) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(lines):
        yield _event(first)
        async for line in lines:
            yield _event(line)


def _event(line: Line) -> bytes:
    if line["kind"] == "quiet":
        return b": quiet\n\n"
    name = "end" if line["kind"] in {"end", "error"} else "line"
    return f"event: {name}\ndata: {json.dumps(line)}\n\n".encode()
