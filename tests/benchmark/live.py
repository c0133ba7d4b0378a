"""Targets 5 and 6: a reload that nobody notices, and no work without packets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import asdict

from pxerelay.linux import control_client
from tests.benchmark.mappings import random_rules
from tests.benchmark.peers import Floor, Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Rig, Run, rig
from tests.benchmark.steady import REQUESTS
from tests.lab import LabError

RULES = 100_000
RATE, SECONDS = 20_000, 15
RELOADS = 3
IDLE_SECONDS = 65
"""Longer than any timer that a daemon might have, such as one a minute."""
ALONE_RATE, ALONE = 100, 500


class ManyRules(Mapped):
    """pxerelay with 100,000 rules more."""

    kind = "many_rules"

    def rules(self) -> Iterable[str]:
        """Yield them."""
        yield from super().rules()
        yield from random_rules(RULES)


def reload_part(rounds: int, say: Say) -> Result:
    """Reload a large mapping while requests come in."""
    runs: dict[str, list[Run]] = {"no reload": [], f"{RELOADS} reloads": []}
    growth: list[int] = []
    for turn in range(rounds):
        with rig(ManyRules, apart=False) as one:
            frames = REQUESTS.frames(one)
            one.requests(frames, RATE, RATE)
            _reload(one)  # what grows only once has grown
            runs["no reload"].append(one.requests(frames, RATE, RATE * SECONDS))
            before = one.memory("VmRSS")
            reloads = threading.Thread(target=_reload_again_and_again, args=(one,))
            reloads.start()
            runs[f"{RELOADS} reloads"].append(one.requests(frames, RATE, RATE * SECONDS))
            reloads.join()
            growth.append((one.memory("VmRSS") - before) >> 10)
        for name, found in runs.items():
            run = found[-1]
            say(f"round {turn + 1}: {name}: {run.lost} lost, the slowest took {run.oldest_us / 1000:.1f} ms")
        say(f"round {turn + 1}: memory {before >> 10} KiB, {growth[-1]:+d} KiB after {RELOADS} reloads")
    rows = [
        (
            name,
            max(run.lost for run in found),
            round(middle([run.median_us for run in found]) / 1000, 2),
            round(middle([run.p99_us for run in found]) / 1000, 2),
            round(middle([run.oldest_us for run in found]) / 1000, 2),
            round(max(run.oldest_us for run in found) / 1000, 2),
        )
        for name, found in runs.items()
    ]
    columns = (
        "meanwhile",
        "lost, worst round",
        "median, ms",
        "99 of 100, ms",
        "slowest, ms",
        "slowest, worst round, ms",
    )
    return Result(
        "reload",
        [Table(f"{RATE:,} requests a second with {RULES:,} rules for {SECONDS} s", columns, rows)],
        [
            Bound("requests lost in reloads", float(rows[1][1]), 0),
            Bound("slowest request in reloads, ms", float(rows[1][4]), 20),
            Bound("memory grown by reloads, KiB", middle(growth), 1024),
        ],
        {**{name: list(map(asdict, found)) for name, found in runs.items()}, "growth": growth},
    )


def _reload_again_and_again(one: Rig) -> None:
    for _ in range(RELOADS):
        time.sleep(SECONDS / (RELOADS + 1))
        _reload(one)


def _reload(one: Rig) -> None:
    answer = control_client.ask(one.agent.path("sock"), "reload")
    if "error" in answer:
        raise LabError(answer["error"])


def quiet_part(rounds: int, say: Say) -> Result:
    """Watch the daemon without packets, and then send requests that come alone."""
    say(f"watching an idle daemon for {IDLE_SECONDS} s")
    with rig(Mapped) as one:
        before = one.switches()
        time.sleep(IDLE_SECONDS)
        wakeups = one.switches() - before
    say(f"{wakeups} wake-ups")
    runs: dict[str, list[Run]] = {"pxerelay": [], "C floor": []}
    for turn in range(rounds):
        for name, kind in (("pxerelay", Mapped), ("C floor", Floor)):
            with rig(kind) as one:
                frames = REQUESTS.frames(one)
                one.requests(frames, ALONE_RATE, ALONE_RATE)
                runs[name].append(one.requests(frames, ALONE_RATE, ALONE))
            say(f"round {turn + 1}: {name}: alone, a request takes {runs[name][-1].median_us} us")
    rows = [
        (name, round(middle([run.median_us for run in found])), round(middle([run.p99_us for run in found])))
        for name, found in runs.items()
    ]
    more = float(rows[0][1]) - float(rows[1][1])
    return Result(
        "quiet",
        [Table("Requests that come alone", ("relay", "median, us", "99 of 100, us"), rows)],
        [
            Bound(f"wake-ups of an idle daemon in {IDLE_SECONDS} s", wakeups, 0),
            Bound("a request alone takes longer than with the C floor by, ms", more / 1000, 0.3),
        ],
        {"wakeups": wakeups, **{name: list(map(asdict, found)) for name, found in runs.items()}},
    )
