"""The collection's modules, called in this process, and a daemon for them to speak with."""

from __future__ import annotations

import hashlib
import importlib
import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.role.plays import COLLECTIONS

_NAME = "ansible_collections.pxerelay.pxerelay.plugins"


def plugin(path: str) -> Any:
    """Return a file of the collection's plugins as Ansible imports it, such as `modules.mapping`."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.append(str(COLLECTIONS))
    return importlib.import_module(f"{_NAME}.{path}")


class FailedError(Exception):
    """The module has failed; `result` is what it returned."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class Module:
    """What a module asks of Ansible: its parameters, and a way to fail."""

    def __init__(self, params: dict[str, Any], *, check_mode: bool = False) -> None:
        self.params = params
        self.check_mode = check_mode
        self._diff = True

    def fail_json(self, **result: Any) -> None:
        """End the module."""
        raise FailedError(result)


class Daemon:
    """Answers at a control socket as pxerelay does, with the files of a folder; what it loaded it keeps."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self.socket = socket
        self._folder = folder
        self.interfaces: dict[str, Any] = {"vlan10": {"state": "active", "waiting": None}}
        self.prefix = ""
        self.answers: dict[str, list[str]] = {}
        self.reloads = 0
        self.probed: list[dict[str, Any]] = []
        self.load()

    def load(self) -> None:
        """Read the files."""
        self.files = {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self._folder.rglob("*.yml"))
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what the daemon answers."""
        if request["command"] == "reload":
            self.reloads += 1
            self.load()
            return {"sha256": "", "rules": 0}
        if request["command"] == "probe":
            self.probed.append(request)
            text = (self._folder / "pxerelay.yml").read_text()
            known = [[name] for rule, name in self._chosen(text) if rule == request["mac"]]
            return {
                "mac": request["mac"],
                "interface": request["interface"],
                "servers": ["ris"],
                "failures": [],
                "answers": [
                    {"known_as": names, "address": "192.0.2.7", "boot_file": "", "milliseconds": 1}
                    for names in known
                ],
            }
        return {
            "prefix": self.prefix,
            "config": {"files": self.files, "last_error": None},
            "interfaces": self.interfaces,
        }

    @staticmethod
    def _chosen(text: str) -> Iterator[tuple[str, str]]:
        for line in text.splitlines():
            mac, _, server = line.strip().partition(": ")
            yield mac.strip('"'), server


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    """Have it listen at its socket meanwhile."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline()
            if line:
                self.wfile.write(json.dumps(daemon.answer(json.loads(line))).encode() + b"\n")

    server = socketserver.ThreadingUnixStreamServer(str(daemon.socket), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield daemon
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        daemon.socket.unlink(missing_ok=True)
