"""A real Prometheus on a host of a lab, out of Debian's package; and promtool."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.lab import debian
from tests.lab.command import run
from tests.lab.network import Host, LabError
from tests.lab.wire import inside

PORT = 9090
_START_SECONDS = 60.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def promtool(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    program = debian.program("prometheus", "usr/bin/promtool")
    return run([str(program), *map(str, arguments)], check=False, cwd=cwd)


class Prometheus:
    """Prometheus, or its agent, which keeps nothing and sends on what it scraped."""

    def __init__(self, host: Host, folder: Path, config: str, *, agent: bool = False) -> None:
        self.host = host
        folder.mkdir(parents=True)
        file = folder / "prometheus.yml"
        file.write_text(config)
        program = debian.program("prometheus", "usr/bin/prometheus")
        log = folder / "log"
        options = ["--enable-feature=agent", f"--storage.agent.path={folder}/data"]
        if not agent:
            options = ["--web.enable-remote-write-receiver", f"--storage.tsdb.path={folder}/data"]
        with log.open("w") as said:
            self._process = host.popen(
                [str(program), f"--config.file={file}", f"--web.listen-address=:{PORT}", *options],
                stdout=said,
                stderr=said,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"Prometheus does not start:\n{log.read_text()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=20)

    def instant(self, expression: str, at: float) -> list[dict[str, Any]]:
        """Return the series of an expression at a time; LabError if Prometheus can't read it."""
        return self._ask("query", query=expression, time=at)

    def range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Return the series of an expression over a time."""
        return self._ask("query_range", query=expression, start=start, end=end, step=step)

    def _ask(self, what: str, **parameters: str | float) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{PORT}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with inside(self.host), _NO_PROXY.open(url, timeout=30) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise LabError(f"{parameters['query']}: {error.read().decode()}") from error
        return found

    def _ready(self) -> bool:
        try:
            with inside(self.host), _NO_PROXY.open(f"http://127.0.0.1:{PORT}/-/ready", timeout=5):
                return True
        except OSError:
            return False
