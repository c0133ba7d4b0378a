"""`pxerelay web` as a process, for tests that look at the page of a daemon."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.lab.daemon import PXERELAY
from tests.lab.network import LabError


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Page:
    """The page of the daemon at a control socket, on the loopback interface of this host."""

    def __init__(self, control_socket: Path, folder: Path, more: str = "", port: int | None = None) -> None:
        self.port = port or free_port()
        self.config = folder / f"web{self.port}.yml"
        self.config.write_text(f"listen: 127.0.0.1:{self.port}\n{more}")
        self._log = folder / f"web{self.port}.log"
        command = [*PXERELAY, "web", "--config", str(self.config), "--socket", str(control_socket)]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.wait_for(lambda: self._listens() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise LabError(self.log)

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
        """Ask for a path; return status, headers by their names in lower case, and body."""
        request = urllib.request.Request(self.url + path, headers=headers or {})  # noqa: S310  # our own
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                told = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                told = error.code, error.headers, error.read()
        status, found, body = told
        return status, {name.lower(): value for name, value in found.items()}, body.decode()

    def json(self, path: str) -> dict[str, Any]:
        """Ask for JSON that is there."""
        status, _, body = self.get(path)
        if status != 200:
            raise LabError(f"{path} answered {status}: {body}")
        found: dict[str, Any] = json.loads(body)
        return found

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_for(self, condition: Any, seconds: float = 40.0) -> None:
        """Wait until a condition holds; LabError with the log if it never does."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise LabError(f"not within {seconds} s; the page's log:\n{self.log}")
            time.sleep(0.5)  # whoever asks more often is refused

    def stop(self) -> int:
        """End it and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
