"""When days begin, also where the clocks change at midnight."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from pxerelay.linux.clock import beginning, today
from pxerelay.policy.days import day_text, parse_day

NO_MIDNIGHT = "LAB3SUM,M11.1.0/0,M2.3.0/0"
"""Summer time begins on the first Sunday of November at 0:00 and ends on the third of February at 0:00."""


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "day", "begins"),
    [
        ("UTC0", "2027-02-01", "2027-02-01 00:00"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2027-03-28", "2027-03-28 00:00"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2027-03-29", "2027-03-29 00:00"),
        (NO_MIDNIGHT, "2027-11-07", "2027-11-07 01:00"),
        (NO_MIDNIGHT, "2027-02-21", "2027-02-21 00:00"),
        ("UTC0", "2999-12-31", "2999-12-31 00:00"),
    ],
)
def test_a_day_begins_at_the_first_moment_that_has_its_date(
    zone: Callable[[str], None], name: str, day: str, begins: str
) -> None:
    zone(name)
    at = beginning(parse_day(day))
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) == begins
    assert time.strftime("%Y-%m-%d", time.localtime(at - 1)) < day


def test_today_is_the_day_in_the_zone_of_the_system(zone: Callable[[str], None]) -> None:
    for name in ("LAB12", "LAB-12"):
        zone(name)
        assert day_text(today()) == time.strftime("%Y-%m-%d")
