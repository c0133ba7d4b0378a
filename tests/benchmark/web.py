"""The page: what requests notice of 50 people who look at it, and the memory that it takes.

Relay and page share one processor, as on a host that has no other; whoever sends, takes or looks has the
other one. They have the priorities of their units: the page is in a control group that gives way. Who sends
and takes has the other processor first, as another machine would. The mapping has 100,000 rules.

What is told is the middle of many ratios, each of two runs one right after the other, so that what the
machine does besides meets both; and the same of pairs of runs in which nobody looked, which tells how much
of it is chance.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
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
_NO_PAGE, _NOBODY, _PEOPLE = "no page", "nobody looks", f"{PEOPLE} people"
_IN_TURN = (_NOBODY, _PEOPLE, _PEOPLE, _NOBODY, _NOBODY, _PEOPLE, _PEOPLE, _NOBODY)
"""In each round, for each rate; two and two are compared."""

_FIRST = 20
"""The real-time priority of who sends and takes (sched(7))."""

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
        _ordinary(self.process.pid)
        os.setpriority(os.PRIO_PROCESS, self.process.pid, _PAGE_NICE)
        self.group = _idle_group(self.process.pid)

    def come_up(self) -> None:
        """Wait until it knows the rules."""
        until = time.monotonic() + _STARTS
        while not self._knows_rules():
            if self.process.poll() is not None or time.monotonic() > until:
                raise LabError("the page does not come up")
            time.sleep(1)

    def end(self) -> None:
        """Have it end; where others are busy its group would keep it from doing so."""
        (self.group.parent / "cgroup.procs").write_text(str(self.process.pid))
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.group.rmdir()

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
        found.come_up()
        yield found
    finally:
        found.end()


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

    def _on_their_cpu(self) -> list[str]:
        return [*super()._on_their_cpu(), "chrt", "--fifo", str(_FIRST)]

    def rest(self) -> None:
        """Wait until the relay has nothing to do, or as long as the last request may take."""
        if self.looked_at:
            time.sleep(_SETTLES)
        else:
            super().rest()


def _ordinary(pid: int) -> None:
    """Have a process scheduled as services are, also where the benchmark itself has a real-time priority."""
    os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


Runs = dict[tuple[int, str], list[Run]]
"""By rate and who looks; those of a round are as many as in any other."""


class _Round:
    """One relay: requests without a page, then while nobody looks and while people do, in turn."""

    def __init__(self, one: _Watched, runs: Runs, say: Say) -> None:
        self._one, self._runs, self._say = one, runs, say
        self._frames = REQUESTS.frames(one)
        self.saw: list[dict[str, Any]] = []
        self.busy: list[float] = []

    def without(self) -> None:
        """Send while there is no page."""
        for rate in RATES:
            self._one.requests(self._frames, rate, rate)
            for _ in range(2):
                self._send(rate, _NO_PAGE)

    def go(self, page: _Page) -> None:
        """Send in turn while people look at a page and while they do not."""
        for rate in RATES:
            self._one.requests(self._frames, rate, rate)
            for who in _IN_TURN:
                self._one.looked_at = who == _PEOPLE
                if who == _PEOPLE:
                    self._with_people(page, rate)
                else:
                    self._send(rate, who)

    def _with_people(self, page: _Page, rate: int) -> None:
        people, came = People(page.socket, PEOPLE), time.monotonic()
        _ordinary(people.pid)
        time.sleep(2)  # until those who follow do
        before, begun = page.cpu_seconds(), time.monotonic()
        self._send(rate, _PEOPLE)
        self.busy.append((page.cpu_seconds() - before) / (time.monotonic() - begun) * 100)
        self.saw.append({**people.go(), "seconds": time.monotonic() - came})

    def _send(self, rate: int, who: str) -> None:
        run = self._one.requests(self._frames, rate, rate * _SECONDS)
        self._runs.setdefault((rate, who), []).append(run)
        self._say(
            f"{_name(rate, who)}: {run.median_us} us, 99 of 100 {run.p99_us} us, "
            f"the slowest {run.oldest_us} us, {run.lost} lost"
        )


def web_part(rounds: int, say: Say) -> Result:
    """Send requests while nobody looks and while 50 people do, in turn."""
    runs: Runs = {}
    saw: list[dict[str, Any]] = []
    memory: dict[str, list[float]] = {"VmRSS": [], "VmHWM": []}
    busy: list[float] = []
    for turn in range(rounds):
        say(f"round {turn + 1}")
        with rig(ManyRules, made=_Watched) as one:
            assert isinstance(one, _Watched)
            _ordinary(one.pid)
            os.setpriority(os.PRIO_PROCESS, one.pid, _DAEMON_NICE)
            found = _Round(one, runs, say)
            found.without()
            with _page(one) as page:
                found.go(page)
                for which, megabytes in memory.items():
                    megabytes.append(page.memory(which))
        saw += found.saw
        busy += found.busy
        say(f"the page has {memory['VmRSS'][-1]:.1f} MB, {memory['VmHWM'][-1]:.1f} at most")
    return _result(runs, saw, memory, busy)


def _name(rate: int, who: str) -> str:
    return f"{rate:,} a second, {who}"


def ratios(looked: Sequence[float], nobody: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return what people cost, and what chance does, of runs that alternate as `_IN_TURN` has them.

    The first are ratios of a run with people to the one beside it without; the second those of one without
    to the other without of the same four.
    """
    people = [with_them / without for with_them, without in zip(looked, nobody, strict=True)]
    return people, [later / first for first, later in zip(nobody[::2], nobody[1::2], strict=True)]


def _result(
    runs: Runs, saw: list[dict[str, Any]], memory: dict[str, list[float]], busy: list[float]
) -> Result:
    def p99(rate: int, who: str) -> list[float]:
        return [run.p99_us for run in runs[rate, who]]

    rows = [
        (
            _name(*case),
            round(middle([run.median_us for run in found]) / 1000, 2),
            round(middle([run.p99_us for run in found]) / 1000, 2),
            round(middle([run.oldest_us for run in found]) / 1000, 2),
            max(run.lost for run in found),
        )
        for case, found in sorted(runs.items(), key=lambda item: item[0][0])
    ]
    compared = {rate: ratios(p99(rate, _PEOPLE), p99(rate, _NOBODY)) for rate in RATES}
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
        Table(
            "99 of 100 of one run, of the same of the run beside it",
            ("load", "pairs", "middle", "lowest", "highest"),
            [
                (f"{rate:,} a second, {what}", len(some), *(round(of(some), 2) for of in (middle, min, max)))
                for rate, both in compared.items()
                for what, some in zip((f"{_PEOPLE} to nobody", "nobody to nobody"), both, strict=True)
            ],
        ),
        Table(f"{PEOPLE} people on the page of a relay with 100,000 rules", ("figure", "value"), looked),
    ]
    bounds = [
        *(
            Bound(
                f"99 of 100 of {rate:,} requests a second with {PEOPLE} people on the page, of without",
                middle(compared[rate][0]),
                1.1,
            )
            for rate in RATES
        ),
        Bound(
            "requests lost with people on the page",
            max(run.lost for found in runs.values() for run in found),
            0,
        ),
        Bound(f"resident memory of the page with {PEOPLE} people, MB", middle(memory["VmRSS"]), 50),
    ]
    told = {_name(*case): list(map(asdict, found)) for case, found in runs.items()}
    return Result(
        "web", tables, bounds, {"requests": told, "people": [{**one, "took": None} for one in saw], **memory}
    )
