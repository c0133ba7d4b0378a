"""Asking the pages of other relays, all at once and for 2 seconds at most."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import h11

from pxerelay.web.settings import OtherRelay
from pxerelay.wire.text import printable_all

PATIENCE = 2.0
"""Seconds that a search waits for others."""

_LARGEST = 1 << 20
"""Octets of an answer."""

_AT_ONCE = 64
"""Relays that are asked at the same time, for all who search."""


class Relays:
    """Other relays by their settings. What they say is text, and is taken for no more."""

    def __init__(self, relays: Iterable[OtherRelay]) -> None:
        self._relays = tuple(relays)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._contexts = {one.name: _context(one) for one in self._relays if one.url.startswith("https:")}

    async def search(self, text: str) -> list[dict[str, Any]]:
        """Return what each relay says of a search: `name`, `url`, and its `answer` or the `error`."""
        target = f"/api/v1/search?q={quote(text, safe='')}&here=1"
        return list(await asyncio.gather(*(self._one(relay, target) for relay in self._relays)))

    async def _one(self, relay: OtherRelay, target: str) -> dict[str, Any]:
        told: dict[str, Any] = {"name": relay.name, "url": relay.url, "answer": None, "error": ""}
        try:
            told["answer"] = printable_all(await asyncio.wait_for(self._get(relay, target), PATIENCE))
        except asyncio.TimeoutError:
            told["error"] = f"has not answered within {PATIENCE:g} s"
        except (OSError, ssl.SSLError, h11.RemoteProtocolError, ValueError, RecursionError) as error:
            told["error"] = str(getattr(error, "strerror", None) or error or type(error).__name__)
        return told

    async def _get(self, relay: OtherRelay, target: str) -> Any:
        parts = urlsplit(relay.url)
        host = parts.hostname or ""
        context = self._contexts.get(relay.name)
        port = parts.port or (443 if context else 80)
        headers = [("Host", parts.netloc), ("Accept", "application/json"), ("Connection", "close")]
        if relay.login_file:
            login = Path(relay.login_file).read_text("utf-8").strip()
            headers.append(("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}"))
        async with self._turns:
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                connection = h11.Connection(h11.CLIENT)
                for event in (h11.Request(method="GET", target=target, headers=headers), h11.EndOfMessage()):
                    writer.write(connection.send(event) or b"")
                return json.loads(await _answer(connection, reader))
            finally:
                writer.transport.abort()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> bytes:
    octets = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Response):
            if event.status_code != 200:
                raise ValueError(f"answers with status {event.status_code}")
        elif isinstance(event, h11.Data):
            octets += event.data
            if len(octets) > _LARGEST:
                raise ValueError(f"its answer has more than {_LARGEST >> 20} MiB")
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return bytes(octets)


def _context(relay: OtherRelay) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=relay.ca_file)
