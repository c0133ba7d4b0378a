"""Whether much has come lately."""

from __future__ import annotations

import pytest

from pxerelay.linux.burst_meter import BurstMeter


@pytest.mark.parametrize(
    ("counts", "busy"),
    [
        ([(0.0, 9)], False),
        ([(0.0, 10)], True),
        ([(0.0, 5), (0.9, 5)], True),
        ([(0.0, 5), (1.0, 5)], False),
        ([(0.0, 10), (1.5, 0)], True),
        ([(0.0, 10), (1.0, 1), (2.0, 1)], False),
        ([(0.0, 10), (2.0, 1)], False),
        ([(5.0, 10), (1000.0, 0)], False),
    ],
)
def test_a_time_is_busy_if_many_came_in_it_or_in_the_one_before(
    counts: list[tuple[float, int]], busy: bool
) -> None:
    pace = BurstMeter(1.0, 10)
    assert [pace.busy(count, now) for now, count in counts][-1] is busy
