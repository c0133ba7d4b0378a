"""The application: pages and JSON behind their guard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette

from pxerelay.web import api, pages
from pxerelay.web.guard import Guard
from pxerelay.web.passwords import Passwords
from pxerelay.web.settings import Settings
from pxerelay.web.site import Site


def build(socket: Path, settings: Settings) -> tuple[Guard, Site]:
    """Return the application, and what is behind it; PasswordError if the password file can't be used."""
    passwords = Passwords(Path(settings.password_file)) if settings.password_file else None
    site = Site(socket, settings)

    @contextlib.asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with site.running():
            yield

    inner = Starlette(routes=[*pages.routes(site), *api.routes(site)], lifespan=running)
    return Guard(inner, settings, passwords, site.metrics), site
