"""Whatever reading does, a socket is read again."""

from __future__ import annotations

import asyncio
import itertools
import socket

from pxerelay.linux.listener import Listener, Taken


def test_a_fault_while_a_crowd_is_read_leaves_no_socket_deaf() -> None:
    """The first reading finds a crowd, so that the next one is a timer's; that one fails."""
    read: list[bytes] = []

    def readable(sock: socket.socket) -> Taken:
        read.append(sock.recv(100))
        if len(read) == 2:
            raise IndexError("a fault")
        return Taken(100 if len(read) == 1 else 1)

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        faults: list[object] = []
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            theirs.send(b"crowd")
            theirs.send(b"fault")
            listener = Listener(ours, readable)
            await asyncio.sleep(0.05)
            for _ in range(3):
                theirs.send(b"more")
                await asyncio.sleep(0.02)
            listener.close()
        assert list(map(str, faults)) == ["a fault"]

    asyncio.run(listen())
    assert read == [b"crowd", b"fault", b"more", b"more", b"more"]


def test_where_more_is_waiting_nothing_is_waited_for() -> None:
    """Others have their turn in between, but no time passes."""
    times: list[float] = []

    async def listen() -> None:
        loop = asyncio.get_running_loop()

        def readable(sock: socket.socket) -> Taken:
            if len(times) == 20:
                return Taken(0)
            sock.recv(100)
            times.append(loop.time())
            return Taken(256, more=len(times) < 20)

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            for _ in range(20):
                theirs.send(b"flood")
            listener = Listener(ours, readable)
            await asyncio.sleep(0.1)
            listener.close()

    asyncio.run(listen())
    assert len(times) == 20
    gaps = sorted(after - before for before, after in itertools.pairwise(times))
    assert gaps[len(gaps) // 2] < 0.002, "half of them are shorter than a pause"
