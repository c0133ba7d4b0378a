"""The system's clock is set while the daemon runs: the guest's, which is nobody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.inside.conftest import Relay

DAY = 24 * 3600
CONFIG = """\
servers: {ris: 10.20.0.10}
default: ris
interfaces: {vlan10: {}}
rules:
  "02:00:00:10:00:01": {server: ris, until: 2040-01-31}
  "02:00:00:10:00:02": {server: ris, until: 2040-02-01}
  "02:00:00:10:00:03": drop
"""

pytestmark = pytest.mark.skipif(
    "uml_dir=" not in Path("/proc/cmdline").read_text(), reason="sets the clock: only in the guest"
)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Put the clock right after each test."""
    wall, start = time.time(), time.monotonic()
    yield
    time.clock_settime(time.CLOCK_REALTIME, wall + time.monotonic() - start)


def set_clock(text: str) -> None:
    moment = time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
    time.clock_settime(time.CLOCK_REALTIME, moment)


def ended(relay: Relay) -> int:
    return int(relay.daemon.status()["config"]["ended"])


def test_rules_end_and_apply_again_as_the_clock_is_set(relay: Relay) -> None:
    assert ended(relay) == 0
    set_clock("2040-02-01 12:00:00")
    relay.must_say("<6>1 rule ended with 2040-01-31\n")
    assert ended(relay) == 1
    set_clock("2040-02-02 00:00:00")
    relay.must_say("<6>1 rule ended with 2040-02-01\n")
    assert ended(relay) == 2, "and there is no further end to wait for"
    set_clock("2040-01-31 12:00:00")
    relay.must_say("<6>the clock was set back to 2040-01-31: 2 rules that had ended apply again\n")
    assert ended(relay) == 0


def test_a_clock_that_is_set_to_just_before_midnight_rings_at_midnight(relay: Relay) -> None:
    set_clock("2040-01-31 23:59:58")
    assert ended(relay) == 0
    relay.must_say("<6>1 rule ended with 2040-01-31\n")
    now = time.localtime(time.time())  # not the coarse clock of time(2), which is behind by up to a tick
    assert time.strftime("%Y-%m-%d %H:%M", now) == "2040-02-01 00:00"


def test_a_clock_that_is_set_and_changes_no_day_says_nothing(relay: Relay) -> None:
    time.sleep(0.5)  # the clock was put right a moment ago
    before = relay.log
    set_clock("2030-01-31 12:00:00")
    set_clock("2030-01-31 13:00:00")
    time.sleep(0.5)
    assert relay.log == before
