"""Rules end by the daemon's own clock, with no reload."""

from __future__ import annotations

import shutil
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import request

Start = Callable[..., Daemon]

DAY = 24 * 3600
SOON = 5
"""Seconds in which a daemon has started and told what it holds, on a busy machine too."""


@pytest.fixture
def altiris(network: Network) -> Iterator[FakeServer]:
    with closing(FakeServer(network.altiris.host)) as server:
        yield server


def midnight_soon() -> tuple[str, str, str]:
    """Return a time zone in which a day begins soon, and by it yesterday and today."""
    now = int(time.time())
    west = (now + SOON) % DAY  # of Greenwich, so many seconds: then it will be midnight there
    west -= DAY if west > DAY // 2 else 0
    hours, rest = divmod(abs(west), 3600)
    zone = f"LAB{'-' if west < 0 else ''}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    yesterday, today = (time.strftime("%Y-%m-%d", time.gmtime(now - west - days * DAY)) for days in (1, 0))
    return zone, yesterday, today


def has_timer(daemon: Daemon) -> bool:
    folder = Path(f"/proc/{daemon.process.pid}/fd")
    return any("timerfd" in str(entry.readlink()) for entry in folder.iterdir() if entry.is_symlink())


def goes_to_altiris(station: Station, mac: str, ris: FakeServer, altiris: FakeServer) -> bool:
    """Tell whose a client is, of the two."""
    station.send(request(chaddr=mac))
    found = altiris.receive(0.5) is not None
    assert found != (ris.receive(0.01 if found else 2.0) is not None)
    return found


@pytest.mark.parametrize("options", [("--debug",), ()])
def test_a_rule_ends_at_midnight_without_a_reload(
    start: Start, station: Station, server: FakeServer, altiris: FakeServer, options: tuple[str, ...]
) -> None:
    zone, yesterday, today = midnight_soon()
    dated = (
        f'  "02:00:00:10:00:02": {{server: altiris, until: {today}}}\n'
        f'  "02:00:00:10:00:03": {{server: altiris, until: {yesterday}}}\n'
    )
    daemon = start(BASE + dated, command=("env", f"TZ={zone}", *PXERELAY), options=options)
    config = daemon.status()["config"]
    assert (config["rules"], config["ended"], config["next_end"]) == (6, 1, today)
    assert goes_to_altiris(station, "02:00:00:10:00:02", server, altiris)
    assert not goes_to_altiris(station, "02:00:00:10:00:03", server, altiris)

    daemon.wait_for(lambda: daemon.status()["config"]["ended"] == 2, SOON + 2)
    assert not goes_to_altiris(station, "02:00:00:10:00:02", server, altiris)
    assert goes_to_altiris(station, "02:00:00:10:00:01", server, altiris)
    assert f"<6>1 rule ended with {today}\n" in daemon.log
    assert "reloaded" not in daemon.log
    assert daemon.status()["config"]["next_end"] is None
    assert has_timer(daemon), "it would notice that the clock is set back"


def test_without_an_end_there_is_no_timer(start: Start) -> None:
    daemon = start()
    assert not has_timer(daemon)
    daemon.reload(BASE + '  "02:00:00:10:00:02": {server: altiris, until: 2999-12-31}\n')
    assert has_timer(daemon)
    assert daemon.status()["config"]["next_end"] == "2999-12-31"
    daemon.reload(BASE)
    assert not has_timer(daemon)


def write_zone(etc: Path, west: int) -> None:
    """Exchange /etc/localtime as timedatectl(1) does, for a zone so many seconds west (TZif, RFC 8536)."""
    file = etc / f"zone{west}"
    head = b"TZif2" + bytes(15) + struct.pack("!6l", 0, 0, 0, 0, 1, 4)
    file.write_bytes((head + struct.pack("!lbb", -west, 0, 0) + b"LAB\0") * 2 + b"\n\n")
    link = etc / "localtime.new"
    link.symlink_to(f"/etc/{file.name}")
    link.replace(etc / "localtime")


def test_a_rule_ends_by_the_midnight_of_a_time_zone_that_was_set_meanwhile(
    start: Start, station: Station, server: FakeServer, altiris: FakeServer, tmp_path: Path
) -> None:
    """Midnight was a long way off, and by the new zone it is at the next full minute but one."""
    etc = tmp_path / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    now = int(time.time())
    midnight = now // 60 * 60 + 120 if now % 60 > 60 - 2 * SOON else now // 60 * 60 + 60
    west = midnight % DAY - (DAY if midnight % DAY > DAY // 2 else 0)
    today = time.strftime("%Y-%m-%d", time.gmtime(midnight - west - 1))
    write_zone(etc, west + 6 * 3600)
    inside = 'mount --bind "$0" /etc && exec "$@"'
    command = ("env", "-u", "TZ", "unshare", "--mount", "sh", "-c", inside, str(etc), *PXERELAY)
    daemon = start(
        BASE + f'  "02:00:00:10:00:02": {{server: altiris, until: {today}}}\n', command=command, options=()
    )
    write_zone(etc, west)
    assert daemon.status()["config"]["ended"] == 0
    assert goes_to_altiris(station, "02:00:00:10:00:02", server, altiris)
    assert time.time() < midnight, "this machine is too slow for the test"
    daemon.wait_for(lambda: daemon.status()["config"]["ended"] == 1, midnight - time.time() + 3)
    assert time.time() >= midnight
    assert not goes_to_altiris(station, "02:00:00:10:00:02", server, altiris)
    assert f"<6>1 rule ended with {today}\n" in daemon.log
