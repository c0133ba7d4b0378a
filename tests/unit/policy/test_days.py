"""Days are numbered as Python's dates are."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pxerelay.policy.days import day_text, parse_day


@given(st.dates())
@example(date(2028, 2, 29))
@example(date(2100, 2, 28))
@example(date.max)
def test_days_are_numbered_as_dates_are(day: date) -> None:
    assert parse_day(day.isoformat()) == day.toordinal()
    assert day_text(day.toordinal()) == day.isoformat()


@pytest.mark.parametrize(
    ("text", "last"),
    [("2027-02-29", "2027-02-28"), ("2028-02-30", "2028-02-29"), ("2027-04-31", "2027-04-30")],
)
def test_a_day_that_there_is_not_is_told_the_last_one(text: str, last: str) -> None:
    with pytest.raises(ValueError, match=f"{text} is no day: that month ends with {last}"):
        parse_day(text)
