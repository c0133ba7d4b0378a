"""The ways to servers, as the kernel's routes have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Way(NamedTuple):
    """A way: the index of the interface that it leaves by, and octets of the largest packet it carries."""

    interface: int
    mtu: int


WayTo = Callable[[bytes, int], Way | None]
"""Tells the way to 4 or 16 octets in a VRF, by its index, 0 for the default one; None if there is none."""
