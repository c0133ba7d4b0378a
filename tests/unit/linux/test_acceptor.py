"""Connections are taken one by one, and none is lost or told of when taking them ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pxerelay.linux.acceptor import Acceptor


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.bind(str(tmp_path / "door"))
        sock.listen()
        yield sock


class Door:
    """An acceptor, peers that came through it, and what the event loop had to complain of."""

    def __init__(self, listening: socket.socket) -> None:
        self.faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))
        self.listening = listening
        self.admitted: list[socket.socket] = []
        self.failures: list[OSError] = []
        self.acceptor = Acceptor(listening, self.admitted.append, self.failures.append)
        self._stack = ExitStack()

    def knock(self) -> None:
        """Have one more peer connect, and stay."""
        peer = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        peer.setblocking(False)
        peer.connect(self.listening.getsockname())

    def done(self) -> None:
        """Close everything."""
        self.acceptor.close()
        for one in self.admitted:
            one.close()
        self._stack.close()


def with_door(listening: socket.socket, use: Callable[[Door], Awaitable[None]]) -> None:
    async def main() -> None:
        door = Door(listening)
        try:
            await use(door)
        finally:
            door.done()

    asyncio.run(main())


def test_each_turn_takes_one_and_they_do_not_block(listening: socket.socket) -> None:
    async def use(door: Door) -> None:
        for _ in range(3):
            door.knock()
        await asyncio.sleep(0)
        assert len(door.admitted) <= 1
        await asyncio.sleep(0.05)
        assert len(door.admitted) == 3
        assert not any(one.getblocking() for one in door.admitted)

    with_door(listening, use)


def test_the_end_comes_in_the_turn_of_a_connection(listening: socket.socket) -> None:
    """It waits in the kernel, nothing is raised, and nobody is admitted any more."""

    async def use(door: Door) -> None:
        door.knock()
        door.acceptor.close()
        await asyncio.sleep(0.05)
        assert not door.admitted
        assert not door.faults

    with_door(listening, use)


def test_nobody_is_taken_during_a_pause(listening: socket.socket) -> None:
    async def use(door: Door) -> None:
        door.acceptor.pause()
        door.knock()
        await asyncio.sleep(0.05)
        assert not door.admitted
        door.acceptor.resume()
        await asyncio.sleep(0.05)
        assert len(door.admitted) == 1

    with_door(listening, use)


def test_without_descriptors_it_rests_and_then_goes_on(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause that begins and ends meanwhile does not end the rest."""

    class Exhausted:
        def __init__(self) -> None:
            self.asked = 0

        def accept(self) -> tuple[socket.socket, object]:
            self.asked += 1
            if self.asked == 1:
                raise OSError(24, "Too many open files")
            return listening.accept()

        def fileno(self) -> int:
            return listening.fileno()

    monkeypatch.setattr("pxerelay.linux.acceptor._RETRY", 0.1)

    async def use(door: Door) -> None:
        door.acceptor.close()
        exhausted = Exhausted()
        door.acceptor = Acceptor(exhausted, door.admitted.append, door.failures.append)  # type: ignore[arg-type]
        door.knock()
        await asyncio.sleep(0.02)
        door.acceptor.pause()
        door.acceptor.resume()
        await asyncio.sleep(0.02)
        assert exhausted.asked == 1
        assert [error.errno for error in door.failures] == [24]
        await asyncio.sleep(0.15)
        assert len(door.admitted) == 1

    with_door(listening, use)
