"""The page: what requests notice of 50 people who look at it, and the memory that it takes.

Relay and page share one processor, as on a host that has no other; whoever sends, takes or looks has the
other one. They have the priorities of their units: the page is in a control group that gives way. The mapping
has 100,000 rules.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmark.live import ManyRules
from tests.benchmark.people import People
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import RELAY_CPU, Rig, Run, rig
from tests.benchmark.steady import REQUESTS
from tests.lab import LabError
from tests.lab.daemon import PXERELAY

PEOPLE = 50
RATES = (1_000, 20_000)
_SECONDS = 10
_DAEMON_NICE, _PAGE_NICE = -5, 10
"""As their units have it (templates/pxerelay.service.j2, templates/pxerelay-web.service.j2)."""

_GROUPS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
"""Where control groups of the processor are: those of version 1, and of version 2."""

_SETTLES = 0.5
"""Seconds until the last request has come out of the relay."""

_STARTS = 120.0
"""Seconds in which the page must know the rules."""


class _Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class _Page:
    """The page of a relay, at a Unix socket."""

    def __init__(self, one: Rig) -> None:
        self.socket = one.agent.path("web.sock")
        config = one.agent.path("web.yml")
        config.write_text(f"listen: {self.socket}\n")
        command = [*PXERELAY, "web", "--config", str(config), "--socket", str(one.agent.path("sock"))]
        self.process = subprocess.Popen(command)
        os.sched_setaffinity(self.process.pid, {RELAY_CPU})
        os.setpriority(os.PRIO_PROCESS, self.process.pid, _PAGE_NICE)
        self.group = _idle_group(self.process.pid)
        until = time.monotonic() + _STARTS
        while not self._knows_rules():
            if self.process.poll() is not None or time.monotonic() > until:
                raise LabError("the page does not come up")
            time.sleep(1)

    def _knows_rules(self) -> bool:
        try:
            return bool(self.get("/api/v1/search?q=02:80:64:00:00:01")["client"]["mapping"][0]["source"])
        except (OSError, http.client.HTTPException, KeyError):
            return False

    def get(self, target: str) -> Any:
        """Ask once."""
        connection = _Local(self.socket)
        try:
            connection.request("GET", target, headers={"X-Forwarded-For": "198.51.100.250"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def memory(self, which: str) -> float:
        """Return MB of its memory: VmRSS, resident now, or VmHWM, at most so far (proc(5))."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024

    def cpu_seconds(self) -> float:
        """Return its processor time so far (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.process.pid << 3) | 2)


@contextmanager
def _page(one: Rig) -> Iterator[_Page]:
    found = _Page(one)
    try:
        yield found
    finally:
        found.process.send_signal(signal.SIGTERM)
        found.process.wait(30)
        found.group.rmdir()


def _idle_group(pid: int) -> Path:
    """Put a process into a control group of its own that gives way to others, as CPUWeight=idle does.

    LabError where the kernel has none; see systemd.resource-control(5).
    """
    top = next((path for path in _GROUPS if (path / "cgroup.procs").exists()), None)
    if top is None:
        raise LabError("there are no control groups of the processor")
    group = top / f"pxerelay-web-{pid}"
    group.mkdir()
    try:
        (group / "cpu.idle").write_text("1")
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        group.rmdir()
        raise LabError(f"{group}: {error.strerror}") from error
    return group


class _Watched(Rig):
    """A relay that has no rest while people look: what it has to do then is not waited for."""

    looked_at = False

    def rest(self) -> None:
        """Wait until the relay has nothing to do, or as long as the last request may take."""
        if self.looked_at:
            time.sleep(_SETTLES)
        else:
            super().rest()


def web_part(rounds: int, say: Say) -> Result:
    """Send requests while nobody looks and while 50 people do, in turn."""
    runs: dict[str, list[Run]] = {}
    saw: list[dict[str, Any]] = []
    memory: dict[str, list[float]] = {"VmRSS": [], "VmHWM": []}
    busy: list[float] = []
    for turn in range(rounds):
        with rig(ManyRules, made=_Watched) as one:
            assert isinstance(one, _Watched)
            os.setpriority(os.PRIO_PROCESS, one.pid, _DAEMON_NICE)
            with _page(one) as page:
                frames = REQUESTS.frames(one)
                for rate in RATES:
                    one.requests(frames, rate, rate)
                    for looked in (False, True) if turn % 2 == 0 else (True, False):
                        one.looked_at = looked
                        people = People(page.socket, PEOPLE) if looked else None
                        came = time.monotonic()
                        if people:
                            time.sleep(2)  # until those who follow do
                        before, begun = page.cpu_seconds(), time.monotonic()
                        run = one.requests(frames, rate, rate * _SECONDS)
                        if people:
                            busy.append((page.cpu_seconds() - before) / (time.monotonic() - begun) * 100)
                            saw.append({**people.go(), "seconds": time.monotonic() - came})
                        runs.setdefault(_name(rate, looked), []).append(run)
                        say(
                            f"round {turn + 1}: {_name(rate, looked)}: {run.median_us} us, 99 of 100 "
                            f"{run.p99_us} us, the slowest {run.oldest_us} us, {run.lost} lost"
                        )
                for which, found in memory.items():
                    found.append(page.memory(which))
        say(f"round {turn + 1}: the page has {memory['VmRSS'][-1]:.1f} MB, {memory['VmHWM'][-1]:.1f} at most")
    return _result(runs, saw, memory, busy)


def _name(rate: int, looked: bool) -> str:
    return f"{rate:,} a second, {f'{PEOPLE} people' if looked else 'nobody looks'}"


def _result(
    runs: dict[str, list[Run]], saw: list[dict[str, Any]], memory: dict[str, list[float]], busy: list[float]
) -> Result:
    def p99(rate: int, looked: bool) -> float:
        return middle([run.p99_us for run in runs[_name(rate, looked)]])

    rows = [
        (
            name,
            round(middle([run.median_us for run in found]) / 1000, 2),
            round(middle([run.p99_us for run in found]) / 1000, 2),
            round(middle([run.oldest_us for run in found]) / 1000, 2),
            max(run.lost for run in found),
        )
        for name, found in runs.items()
    ]
    took = sorted(seconds for one in saw for seconds in one["took"])
    answers = {
        status: round(middle([one["answers"].get(status, 0) / one["seconds"] for one in saw]), 1)
        for status in sorted({status for one in saw for status in one["answers"]})
    }
    looked = [
        ("of the page: resident memory, MB", round(middle(memory["VmRSS"]), 1)),
        ("of the page: most memory so far, MB", round(middle(memory["VmHWM"]), 1)),
        ("of the page: processor, %", round(middle(busy), 1)),
        *((f"answers of status {status}, a second", count) for status, count in answers.items()),
        ("an answer takes, ms", round(took[len(took) // 2] * 1000)),
        ("99 of 100 answers take, ms", round(took[len(took) * 99 // 100] * 1000)),
        ("lines that were followed, a second", round(middle([one["lines"] / one["seconds"] for one in saw]))),
    ]
    tables = [
        Table(
            "Requests while people look at the page",
            ("load", "median, ms", "99 of 100, ms", "slowest, ms", "lost"),
            rows,
        ),
        Table(f"{PEOPLE} people on the page of a relay with 100,000 rules", ("figure", "value"), looked),
    ]
    bounds = [
        *(
            Bound(
                f"99 of 100 of {rate:,} requests a second with {PEOPLE} people on the page, of without",
                p99(rate, True) / p99(rate, False),
                1.1,
            )
            for rate in RATES
        ),
        Bound(
            "requests lost with people on the page",
            max(run.lost for found in runs.values() for run in found),
            0,
        ),
        Bound(f"resident memory of the page with {PEOPLE} people, MB", middle(memory["VmRSS"]), 60),
    ]
    told = {name: list(map(asdict, found)) for name, found in runs.items()}
    return Result(
        "web", tables, bounds, {"requests": told, "people": [{**one, "took": None} for one in saw], **memory}
    )
