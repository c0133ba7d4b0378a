"""Work for whoever asks, in slices: between two of them packets have their turn."""

from __future__ import annotations

import asyncio
import time

LONGEST = 1e-4
"""Seconds of processor time after which packets have their turn: less than relaying one of them takes."""


class Slices:
    """One piece of work. `spent` is the processor time, in seconds, that its slices took so far."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since = time.thread_time()

    @property
    def spent(self) -> float:
        """Seconds of processor time."""
        return self._before + time.thread_time() - self._since

    async def pause(self) -> None:
        """Let others have their turn, if this slice has lasted long enough."""
        lasted = time.thread_time() - self._since
        if lasted >= LONGEST:
            self._before += lasted
            await asyncio.sleep(0)
            self._since = time.thread_time()
