"""Work in slices, between which others have their turn."""

from __future__ import annotations

import asyncio
import time

import pytest

from pxerelay.daemon.slices import LONGEST, Slices


def work(seconds: float) -> None:
    """Use the processor for so long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_others_have_their_turn_after_each_slice_and_its_time_is_counted() -> None:
    async def run() -> tuple[int, float, float]:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                work(LONGEST)
                await asyncio.sleep(0)

        slices = Slices()
        task = asyncio.create_task(other())
        for _ in range(10):
            work(2 * LONGEST)
            await slices.pause()
        task.cancel()
        return turns, slices.spent, 10 * 2 * LONGEST

    turns, spent, least = asyncio.run(run())
    assert turns == 10
    assert spent >= least


def test_what_takes_less_than_a_slice_goes_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.daemon.slices.LONGEST", 60.0)

    async def run() -> bool:
        slices, happened = Slices(), asyncio.Event()
        asyncio.get_running_loop().call_soon(happened.set)
        for _ in range(100):
            await slices.pause()
        return happened.is_set()

    assert not asyncio.run(run())
