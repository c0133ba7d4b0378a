"""What stands in front of every page: who may look, how often, and what a browser may do with it.

An ASGI application around another one (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from pxerelay.web.limits import Limits
from pxerelay.web.metrics import Metrics
from pxerelay.web.passwords import Passwords
from pxerelay.web.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""With every answer (CSP Level 3, Fetch 3.7)."""

EACH, TOTAL = (30.0, 3.0), (120.0, 30.0)
"""Requests that one peer may send, and all: at once, and a second after that."""

_LOGINS_EACH, _LOGINS = (5.0, 0.2), (20.0, 2.0)
"""Logins that are tried."""

_LONGEST_TARGET = 2048


class Guard:
    """Lets requests through to an application, or answers them itself."""

    def __init__(self, app: App, settings: Settings, passwords: Passwords | None, metrics: Metrics) -> None:
        now = time.monotonic()
        self._app = app
        self._settings = settings
        self._passwords = passwords
        self._metrics = metrics
        self._limits = Limits(EACH, TOTAL, now)
        self._logins = Limits(_LOGINS_EACH, _LOGINS, now)
        self._login_turn = asyncio.Semaphore(1)
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        if settings.certificate:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name for name, _ in message.get("headers", ())}
                more = [(name, value) for name, value in self._headers if name not in own]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        headers = _headers(scope)
        peer = self._peer(scope, headers)
        refusal = await self._refusal(scope, headers, peer)
        if refusal:
            code, reason, text, more = refusal
            self._metrics.refused[reason] += 1
            await _answer(sending, code, text, more)
        else:
            scope.setdefault("state", {})["peer"] = peer
            await self._app(scope, receive, sending)
        page = scope.get("path", "").strip("/").split("/")[0] or "search"
        self._metrics.requests[page if page in _PAGES else "other", status] += 1

    def _peer(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """Return who asks; None for one that may not connect."""
        client = scope.get("client")
        address = client[0] if client else ""
        proxied = self._settings.path is not None or address in self._settings.behind_proxy
        if self._settings.behind_proxy and not proxied:
            return None
        if proxied:
            return headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:64] or address or "local"
        return address

    async def _refusal(
        self, scope: Scope, headers: Mapping[str, str], peer: str | None
    ) -> tuple[int, str, str, Mapping[str, str]] | None:
        if peer is None:
            return 403, "not-the-proxy", "This page is asked through its reverse proxy.", {}
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "method", "This page is to read only.", {"allow": "GET, HEAD"}
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > _LONGEST_TARGET:
            return 414, "too-long", "The address is too long.", {}
        if (hosts := self._settings.hosts) is not None and _host(headers.get("host", "")) not in hosts:
            return (
                421,
                "host",
                "This page has another name; `names:` has those it goes by.",
                {},
            )
        now = time.monotonic()
        if not scope["path"].startswith(_FILES) and (wait := self._limits.refuse(peer, now)):
            again = math.ceil(wait)
            return (
                429,
                "too-many",
                f"Busy: too many requests; again in {again} s.",
                {"retry-after": f"{again}"},
            )
        if self._passwords and not await self._may_look(headers.get("authorization", ""), peer, now):
            return 401, "login", "Log in.", {"www-authenticate": 'Basic realm="pxerelay", charset="UTF-8"'}
        return None

    async def _may_look(self, header: str, peer: str, now: float) -> bool:
        passwords = self._passwords
        if passwords is None or not header:
            return passwords is None
        if passwords.known(header):
            return True
        if not self._logins.allow(peer, now):
            return False
        async with self._login_turn:
            return passwords.known(header) or await asyncio.to_thread(passwords.check, header)


_FILES = "/static/"
"""Where the style and the script are, which cost nothing."""

_PAGES = frozenset({"search", "now", "unknown", "follow", "flows", "api", "static", "metrics", "healthz"})


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by name; of one that stands there several times the last counts."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())
    }


def _host(header: str) -> str:
    """Return the host of a header without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


async def _answer(send: Send, status: int, text: str, more: Mapping[str, str]) -> None:
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in more.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
