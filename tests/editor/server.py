"""A language server on the other end of pipes, as an editor has it (Language Server Protocol 3.17)."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.lab.command import CACHE

COMMAND = CACHE / "editor" / "node_modules" / ".bin" / "yaml-language-server"
SECONDS = 30.0
INVOKED = 1
"""CompletionTriggerKind: by the user (3.17, Completion Request)."""


class Editor:
    """An editor with one file open."""

    def __init__(self, folder: Path) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([COMMAND, "--stdio"], stdin=pipe, stdout=pipe, cwd=folder)
        self._numbers = itertools.count(1)
        self._arrived: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities={})
        self._tell("initialized")

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()

    def problems(self, path: Path, text: str) -> list[tuple[int, str]]:
        """Open a file, and return the line (from 1) and the text of each problem that is marked."""
        file = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", textDocument=file)
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics":
                found = message["params"]["diagnostics"]
                return [(one["range"]["start"]["line"] + 1, one["message"]) for one in found]

    def completions(self, path: Path, line: int, column: int) -> dict[str, str]:
        """Return what can stand at a place (from 1) of the open file, with what is said of it."""
        place = {"line": line - 1, "character": column - 1}
        answer = self._ask(
            "textDocument/completion",
            textDocument={"uri": path.as_uri()},
            position=place,
            context={"triggerKind": INVOKED},
        )
        return {item["label"]: str(item.get("documentation", "")) for item in answer["items"]}

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                return message["result"]

    def _tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        octets = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(octets) + octets)
        self._process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        """Return the next message; what the server asks us has no answer but null."""
        message = self._arrived.get(timeout=SECONDS)
        if "id" in message and "method" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream
        while header := stream.readline():
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            self._arrived.put(json.loads(stream.read(length)))
