"""What Python and the C library leave to be asked for: to forget for good, and to give memory back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterator

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""malloc_trim(3); other C libraries than glibc have none, and give memory back by themselves."""


def begin() -> None:
    """Let the garbage collector rest until `settle`: what a start makes is there to stay."""
    gc.disable()


def settle() -> None:
    """Take all objects that there are now out of the garbage collector's rounds.

    It would go through those of a hundred modules again and again, each time for longer than a packet
    should wait. What imports left behind is some hundred objects, and stays: to look for them takes a tenth
    of the start.
    """
    gc.freeze()
    gc.enable()


@contextlib.contextmanager
def no_rounds() -> Iterator[None]:
    """Let the garbage collector rest where many objects are made that are no garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def give_back() -> None:
    """Return what is free to the system: a new configuration was unpacked while the old one was in force."""
    if _trim is not None:
        _trim(0)
