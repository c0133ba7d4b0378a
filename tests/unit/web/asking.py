"""Asking an ASGI application without a server, and a daemon that says what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pxerelay.web.guard import App, Message


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str


async def get(
    app: App, path: str, query: str = "", peer: str = "127.0.0.1", method: str = "GET", **headers: str
) -> Answer:
    """Ask for a path; `headers` have underscores for dashes."""
    told = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        "client": (peer, 1234),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Message] = []
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, body.decode())


Says = Callable[[Mapping[str, Any]], list[Any]]
"""Returns the lines that a daemon answers a request with."""


@contextlib.asynccontextmanager
async def daemon(path: Path, says: Says) -> AsyncIterator[list[dict[str, Any]]]:
    """Be a daemon; the list has what it was asked. A trace stays open after its lines."""
    asked: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = json.loads(await reader.readline())
        asked.append(request)
        for line in says(request):
            writer.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        with contextlib.suppress(OSError):
            await writer.drain()
            if request["command"] == "trace":
                await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield asked
    finally:
        server.close()


CONFIG: dict[str, Any] = {
    "path": "/etc/pxerelay/pxerelay.yml",
    "sha256": "ab" * 32,
    "files": {},
    "loaded_at": "2026-11-24T12:00:00+00:00",
    "last_reload_at": None,
    "rules": 4,
    "ended": 0,
    "next_end": None,
    "last_error": None,
}

STATUS: dict[str, Any] = {
    "version": "1.0",
    "config": CONFIG,
    "health": {"state": "well", "reasons": []},
    "interfaces": {
        "vlan10": {"state": "active", "giaddr": "10.10.10.1", "waiting": None},
        "vlan20": {"state": "waiting", "giaddr": None, "waiting": "the interface has no IPv4 address"},
    },
    "dns": {},
    "counters": {"requests": 10, "sent_to_servers": 10, "replies": 8, "dropped": {"flood": 2, "not-pxe": 0}},
    "traffic": {
        "requests": [{"interface": "vlan10", "rule": "default", "count": 10}],
        "copies": [{"interface": "vlan10", "server": "ris", "address": "10.20.0.10", "count": 10}],
        "replies": [],
        "dropped": [],
    },
    "servers": {
        "ris": {
            "10.20.0.10": {
                "requests": 10,
                "replies": 8,
                "answered": 3,
                "unanswered": 1,
                "answers_within": [[0.001, 0], [0.01, 3]],
                "last_reply_ago": 4.0,
            }
        }
    },
    "unknown": 1,
}

STRANGER = {
    "mac": "02:00:00:00:00:99",
    "interface": "vlan10",
    "giaddr": None,
    "router": None,
    "duid": None,
    "families": [4],
    "pxe": True,
    "vendor_class": "PXEClient:Arch:00007",
    "architectures": [7],
    "reason": "default",
    "rule": "default",
    "server": "ris",
    "first_ago": 90,
    "last_ago": 30,
}

UNKNOWN = {"clients": [STRANGER], "without_mac": [], "most": 4096, "forgotten": 0, "overlooked": 0}


def begun(mac: str) -> dict[str, Any]:
    """Return the first event of a trace."""
    return {"event": "start", "watching": mac, "interface": None, "config": CONFIG, "mapping": []}


def word(*macs: str, **more: Any) -> dict[str, Any]:
    """Return the daemon's word on clients that the default takes."""
    told = {"reason": "default", "rule": "default", "choice": "ris"}
    mapping = [{"where": ["vlan10"], **told, "servers": ["ris 10.20.0.10"], "dropped": "", "lost": []}]
    return {
        "config": CONFIG,
        "active": ["vlan10"],
        "waiting": [],
        "routers": [],
        "clients": {
            mac: {"mapping": mapping, "unknown": STRANGER if mac == STRANGER["mac"] else None} for mac in macs
        },
        "seconds": 0.0001,
        **more,
    }


def usual(request: Mapping[str, Any]) -> list[Any]:
    """Answer as a daemon does that is well."""
    answers: dict[str, Any] = {"status": STATUS, "unknown": UNKNOWN}
    if request["command"] == "trace":
        return [begun(request["mac"])]
    return [answers.get(request["command"]) or word(*request["macs"])]
