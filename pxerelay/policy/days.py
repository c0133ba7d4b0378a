"""Days of the calendar as numbers: one more each day, as `datetime.date.toordinal` counts them.

A rule may end with a day. Which day it is today is passed to whoever decides.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta

FOREVER = sys.maxsize
"""The last day of what does not end."""


def day_text(number: int) -> str:
    """Spell a day as files do, 2027-01-31."""
    return date.fromordinal(number).isoformat()


def parse_day(text: str) -> int:
    """Return the number of a day that is spelled 2027-01-31; ValueError if there is none, saying what is.

    The text has the form that the schema demands.
    """
    year, month, day = map(int, text.split("-"))
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        raise ValueError(f"{text} is no day: that month ends with {last}") from None
