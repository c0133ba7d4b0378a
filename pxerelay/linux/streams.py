"""The standard streams."""

from __future__ import annotations

import os

STDERR = 2


def open_closed_ones() -> None:
    """Point streams that were closed at /dev/null, lest a socket or pipe of ours becomes one of them."""
    for descriptor in range(STDERR + 1):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
