"""Lines for a peer that reads slowly, or not."""

from __future__ import annotations

import asyncio
import json
import socket

from pxerelay.daemon import stream
from pxerelay.daemon.stream import Stream, follow


def test_lines_come_in_order_and_whoever_waits_gets_the_next() -> None:
    async def check() -> list[str]:
        lines = Stream()
        waiting = asyncio.create_task(lines.next())
        await asyncio.sleep(0)
        lines.put({"n": 1})
        lines.put({"n": 2})
        return [(await waiting).decode(), (await lines.next()).decode()]

    assert asyncio.run(check()) == ['{"n": 1}\n', '{"n": 2}\n']


def test_what_is_lost_is_counted_in_its_place() -> None:
    async def check() -> list[dict[str, int]]:
        lines = Stream()
        for number in range(stream._LINES + 30):
            lines.put({"n": number})
        found = [json.loads(await lines.next())]
        lines.put({"n": -1})  # there is room, but it would come before those that are lost
        lines.lose(5)
        found += [json.loads(await lines.next()) for _ in range(stream._LINES)]
        lines.put({"n": 1000})
        return [*found, json.loads(await lines.next())]

    *told, lost, after = asyncio.run(check())
    assert [line["n"] for line in told] == list(range(stream._LINES))
    assert lost == {"event": "lost", "lines": 30 + 1 + 5}
    assert after == {"n": 1000}


def test_lines_that_were_never_made_take_no_other_line_with_them() -> None:
    async def check() -> list[dict[str, int]]:
        lines = Stream()
        lines.lose(3)
        lines.put({"n": 1})
        return [json.loads(await lines.next()) for _ in range(2)]

    assert asyncio.run(check()) == [{"n": 1}, {"event": "lost", "lines": 3}]


def test_a_peer_is_followed_until_it_hangs_up() -> None:
    async def check() -> bytes:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        lines = Stream()
        task = asyncio.create_task(follow(lines, reader, writer))
        lines.put({"n": 1})
        theirs.setblocking(False)
        got = await asyncio.get_running_loop().sock_recv(theirs, 100)
        theirs.send(b"what else it says is for nobody\n" * 100)
        await asyncio.sleep(0.05)
        assert not task.done()
        theirs.close()
        await asyncio.wait_for(task, 5)
        writer.transport.abort()
        return got

    assert asyncio.run(check()) == b'{"n": 1}\n'
