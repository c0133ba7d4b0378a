"""People who look at the page: a process that asks it as so many of them do, until it is ended.

    python -m tests.benchmark.people SOCKET COUNT

Each of them comes by the reverse proxy, from an address of its own. Most search, look at the state and at
unknown clients, about once a second; some follow a client live. At the end it prints, as JSON, how many
answers of each status there were, how long those of status 200 took, and how many lines were followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from tests.benchmark.messages import CLIENTS, macs
from tests.benchmark.rig import OTHERS_CPU

FOLLOWED = 2
"""Clients that are followed; the page lets no more be."""

_FOLLOWERS = 10
_PAUSE = 1.0


@dataclass
class Seen:
    """What became of what they asked."""

    answers: Counter[int] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    lines: int = 0


async def _answer(path: str, target: str, address: str, seen: Seen) -> None:
    """Ask once, and read all of it."""
    begun = time.monotonic()
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(_request(target, address))
        status = int((await reader.readline()).split()[1])
        await reader.read()
    finally:
        writer.close()
    seen.answers[status] += 1
    if status == 200:
        seen.took.append(time.monotonic() - begun)


async def _follow(path: str, mac: str, address: str, seen: Seen) -> None:
    """Follow a client; again, where that ends."""
    while True:
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(_request(f"/api/v1/follow/{mac}", address))
            seen.answers[int((await reader.readline()).split()[1])] += 1
            async for line in reader:
                seen.lines += line.startswith(b"data:")
        finally:
            writer.close()
        await asyncio.sleep(_PAUSE)


async def _look(path: str, who: list[str], address: str, seen: Seen) -> None:
    """Search, and look at other pages in between."""
    chance = random.Random(address)
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * _PAUSE)
        target = chance.choice(
            [f"/?q={chance.choice(who)}"] * 6
            + [f"/?q={chance.choice(who)[:10]}", "/now", "/unknown", "/flows"]
        )
        await _answer(path, target, address, seen)


def _request(target: str, address: str) -> bytes:
    lines = (f"GET {target} HTTP/1.1", "Host: boot", f"X-Forwarded-For: {address}", "Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()


async def _all(path: str, count: int, seen: Seen) -> None:
    who = [mac.hex(":") for mac in macs(CLIENTS)]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    people = [
        _follow(path, who[number % FOLLOWED], f"198.51.100.{number}", seen)
        if number < _FOLLOWERS
        else _look(path, who, f"198.51.100.{number}", seen)
        for number in range(count)
    ]
    tasks = [asyncio.create_task(one) for one in people]
    print("ready", flush=True)
    await ended.wait()
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


class People:
    """The process."""

    def __init__(self, socket: Path, count: int) -> None:
        command = [sys.executable, "-m", __name__, str(socket), str(count)]
        there = ["taskset", "--cpu-list", str(OTHERS_CPU)]
        self._process = Popen([*there, *command], stdout=PIPE, text=True)
        if self._process.stdout is None or self._process.stdout.readline() != "ready\n":
            raise RuntimeError("nobody comes to look")

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def go(self) -> dict[str, Any]:
        """Have them go; return what they saw."""
        self._process.terminate()
        out, _ = self._process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(out)
        return found


def main() -> None:
    """Look until SIGTERM."""
    seen = Seen()
    asyncio.run(_all(sys.argv[1], int(sys.argv[2]), seen))
    print(json.dumps({"answers": seen.answers, "took": seen.took, "lines": seen.lines}))


if __name__ == "__main__":
    main()
