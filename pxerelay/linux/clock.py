"""The system's clock: which day it is here, and to be woken when another one begins.

Also where that is because somebody has set the clock, or the time zone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
import time
from collections.abc import Callable
from datetime import date

_CLOCK_REALTIME = 0
_TFD_NONBLOCK, _TFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_TFD_TIMER_ABSTIME, _TFD_TIMER_CANCEL_ON_SET = 1, 2
"""Constants of timerfd_create(2). os.timerfd_create is there from Python 3.13 on."""

_ITIMERSPEC = struct.Struct("@4l")
"""Seconds and nanoseconds of the interval, none; seconds and nanoseconds of the time (timerfd_create(2))."""

_EXPIRATIONS = 8
"""Octets that a timer is read with."""

_MINUTE, _QUARTER_OF_AN_HOUR = 60, 900
"""Seconds."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.timerfd_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


def today() -> int:
    """Return the number of the day (`policy.days`) in the system's time zone, as it is set now."""
    time.tzset()
    return date.today().toordinal()  # in the system's zone is what it should be


def beginning(day: int) -> float:
    """Return when a day begins in the system's time zone, in seconds since the epoch.

    Where summer time begins at midnight there is no midnight, and a quarter of an hour later is looked for.
    """
    wanted = date.fromordinal(day)
    at = time.mktime(wanted.timetuple())
    while date.fromtimestamp(at) < wanted:
        at += _QUARTER_OF_AN_HOUR
    return at


class Alarm:
    """Calls a function when a day has begun, and whenever somebody sets the system's clock or time zone.

    Setting the clock rings at once. Nothing tells of another time zone (`timedatectl set-timezone` exchanges
    /etc/localtime), so it is looked at each full minute, which is when days begin in every zone of today.
    Where the alarm is not set it has no descriptor, and nothing wakes up.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._descriptor: int | None = None
        self._day: int | None = None
        self._since = 0

    def set(self, day: int | None) -> None:
        """Ring when a day has begun, or it is an earlier day than today.

        None is a day that never comes: only setting the clock or the time zone back rings.
        """
        if self._descriptor is None:
            self._descriptor = _checked(_libc.timerfd_create(_CLOCK_REALTIME, _TFD_NONBLOCK | _TFD_CLOEXEC))
            asyncio.get_running_loop().add_reader(self._descriptor, self._expired)
        self._day, self._since = day, today()
        self._wind()

    def close(self) -> None:
        """Ring no more."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _wind(self) -> None:
        """Have the timer expire at the next full minute, or when the day begins if that is earlier."""
        at = int(time.time()) // _MINUTE * _MINUTE + _MINUTE
        with contextlib.suppress(OverflowError):  # past what a 32-bit system can count
            at = at if self._day is None else min(at, int(beginning(self._day)))
        flags = _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET
        _checked(_libc.timerfd_settime(self._descriptor, flags, _ITIMERSPEC.pack(0, 0, at, 0), None))

    def _expired(self) -> None:
        was_set = False
        try:
            os.read(self._descriptor or 0, _EXPIRATIONS)
        except BlockingIOError:
            return  # it was wound anew in between
        except OSError:
            was_set = True  # ECANCELED
        now = today()
        if was_set or now < self._since or (self._day is not None and now >= self._day):
            self._ring()
        else:
            self._wind()


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
