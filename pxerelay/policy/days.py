"""Days of the calendar as numbers: one more each day, 1 is the first day of the year 1.

The numbers are those of `datetime.date.toordinal`. Rules end with a day, and which day it is is told to
those who decide.
"""

from __future__ import annotations

import sys

FOREVER = sys.maxsize
"""The last day of what does not end."""

_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2


def day_number(year: int, month: int, day: int) -> int:
    """Return the number of a day of the Gregorian calendar, which must be one."""
    before = year - 1
    leap_days = before // 4 - before // 100 + before // 400
    months = sum(days_in(year, earlier) for earlier in range(1, month))
    return before * 365 + leap_days + months + day


def days_in(year: int, month: int) -> int:
    """Return how many days a month has."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _MONTHS[month - 1] + (leap and month == _FEBRUARY)


def parts(number: int) -> tuple[int, int, int]:
    """Return the year, month and day of a day's number."""
    year = (number - 1) * 400 // 146097 + 1  # right, or the year after or before
    while number < day_number(year, 1, 1):
        year -= 1
    while number >= day_number(year + 1, 1, 1):
        year += 1
    month = 12
    while number < day_number(year, month, 1):
        month -= 1
    return year, month, number - day_number(year, month, 1) + 1


def day_text(number: int) -> str:
    """Spell a day as files do, 2027-01-31."""
    return "{:04d}-{:02d}-{:02d}".format(*parts(number))


def parse_day(text: str) -> int:
    """Return the number of a day that is spelled 2027-01-31; ValueError if there is none, saying what is."""
    year, month, day = map(int, text.split("-"))
    last = days_in(year, month)
    if day > last:
        raise ValueError(f"{text} is no day: that month ends with {year:04d}-{month:02d}-{last:02d}")
    return day_number(year, month, day)
