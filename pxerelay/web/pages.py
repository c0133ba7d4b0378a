"""The pages: HTML made on the server, of the same answers as the JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pxerelay import __version__
from pxerelay.policy.rules import Reason
from pxerelay.relay.words import entry_text
from pxerelay.tools.pictures.flows import amount_text, picture
from pxerelay.tools.pictures.plots import plot
from pxerelay.web import overview, strangers
from pxerelay.web.api import listed, searched
from pxerelay.web.search import LONGEST, mac_of
from pxerelay.web.site import Site
from pxerelay.web.site import routes as site_routes
from pxerelay.wire.text import printable, printable_all

_HERE = Path(__file__).parent

_TYPES = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}

_SHOWN = 8
"""VLANs that are named of many."""


def routes(site: Site) -> list[Route]:
    """Return the routes."""
    pages = _Pages(site)
    return site_routes(
        {
            "/": pages.search,
            "/now": pages.now,
            "/unknown": pages.unknown,
            "/follow/{mac}": pages.follow,
            "/flows": pages.flows,
            "/static/{name}": pages.static,
        },
        pages.silent,
    )


class _Pages:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._files = {name: (_HERE / "static" / name).read_bytes() for name in _TYPES}
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Any] = {
            "ago": ago,
            "clock": clock,
            "written": written,
            "where": where,
            "entry": entry,
            "number": amount_text,
        }
        self._templates.filters.update(filters)

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        template = self._templates.get_template(name)
        text = template.render(version=__version__, longest=LONGEST, **values)
        return HTMLResponse(text, status)

    async def search(self, request: Request) -> Response:
        """Show the form, and what was found."""
        text = request.query_params.get("q", "")[:LONGEST]
        found = await searched(self._site, text, here=False)
        return self._page(
            "search.html", 503 if found["error"] else 200, here="search", found=found, query=printable(text)
        )

    async def now(self, _: Request) -> Response:
        """Show the state."""
        status = await self._site.daemon.status()
        state = printable_all(overview.overview(status, self._site.history))
        names = {"requests": "requests a second", "replies": "replies a second", "dropped": "drops a second"}
        plots = [
            {
                "name": text,
                "latest": state["rates"][name][-1] if state["rates"][name] else None,
                "most": max(state["rates"][name], default=None),
                "svg": plot(state["rates"][name], f"{text} in the last hour"),
            }
            for name, text in names.items()
        ]
        return self._page("now.html", here="now", state=state, plots=plots)

    async def unknown(self, request: Request) -> Response:
        """Show clients that fell to a default."""
        clients, count = await listed(self._site, request.query_params)
        return self._page(
            "unknown.html",
            here="unknown",
            clients=printable_all(clients),
            count=count,
            query=printable(request.query_params.get("q", "")[:LONGEST]),
            pxe="pxe" in request.query_params,
            yaml=strangers.yaml_of(clients, datetime.now().astimezone()),
        )

    async def follow(self, request: Request) -> Response:
        """Show the page on which a client is followed; a script fetches the lines."""
        mac = mac_of(request.path_params["mac"])
        if not mac:
            return self._page(
                "silent.html", 400, here="search", error="Name one MAC, such as 00:11:22:33:44:55."
            )
        return self._page("follow.html", here="search", mac=mac)

    async def flows(self, _: Request) -> Response:
        """Show who goes where."""
        status = await self._site.daemon.status()
        requests, copies, seconds = self._site.history.flows(status, time.monotonic())
        flows = overview.flows_of(requests, copies)
        span = f"in the last {max(round(seconds / 60), 1)} minutes" if seconds else "since the daemon began"
        svg = picture(
            ("kinds of rule", "VLANs", "servers"),
            flows,
            f"Who goes where {span}; the tables below have the same",
        )
        return self._page(
            "flows.html",
            here="flows",
            svg=svg,
            span=span,
            flows=printable_all([vars(flow) for flow in sorted(flows, key=lambda one: -one.amount)[:200]]),
        )

    async def static(self, request: Request) -> Response:
        """Give the style and the script."""
        name = request.path_params["name"]
        if name not in self._files:
            return self._page("silent.html", 404, here="", error="There is no such page.")
        return Response(self._files[name], media_type=_TYPES[name], headers={"cache-control": "max-age=300"})

    def silent(self, request: Request, error: Exception) -> Response:
        """Tell that the daemon does not answer."""
        return self._page("silent.html", 503, here=request.url.path.strip("/"), error=str(error))


def ago(seconds: float | None) -> str:
    """Return how long ago something was, in words."""
    if seconds is None:
        return "never"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "a moment ago"


def clock(at: float | None) -> str:
    """Return a time of day with its date, as this host's clock has it."""
    return "" if at is None else f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def written(text: str) -> str:
    """Return a time that is written as ISO 8601 as `clock` has it."""
    try:
        return clock(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return text


def where(names: list[str | None]) -> str:
    """Return where a client would be heard."""
    shown = [name or "behind a router" for name in names[:_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def entry(told: Mapping[str, Any]) -> str:
    """Name an entry of the mapping."""
    return entry_text(Reason(told["reason"]), told["rule"])
