"""Lists that the kernel makes of links, as it is asked for them."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing, suppress

import pytest

from pxerelay.linux.netlink import DisturbedError, Lister
from pxerelay.linux.rtnetlink import RTM_GETLINK
from tests.lab.network import Host
from tests.lab.topology import Network
from tests.lab.wire import inside

PAIRS = 100
"""Of links: their list has several parts."""

LINKS = 2 * PAIRS + 1

EVERY_LINK = bytes(16)
"""The body of the request: struct ifinfomsg."""


@pytest.fixture
def many(network: Network) -> Iterator[Host]:
    host = network.lab.host("many")
    host.ip(*[f"link add many{n} type veth peer name more{n}" for n in range(PAIRS)])
    yield host
    host.ip(*[f"link delete many{n}" for n in range(PAIRS)])


async def number(entries: AsyncIterator[bytes]) -> int:
    return len([entry async for entry in entries])


def listed(host: Host, kind: int, *, strict: bool, meanwhile: Callable[[], None] = lambda: None) -> int:
    """Return how many entries a list has, of which the second is asked for after something else."""

    async def count() -> int:
        with closing(Lister()) as lister:
            entries = lister.entries(kind, EVERY_LINK, strict=strict)
            await anext(entries)
            meanwhile()
            return 1 + await number(entries)

    with inside(host):
        return asyncio.run(count())


def test_a_list_of_several_parts_is_whole(many: Host) -> None:
    assert listed(many, RTM_GETLINK, strict=True) == LINKS


def test_one_that_something_changed_in_is_an_error_to_who_is_strict(
    many: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pxerelay.linux.netlink._PARTS", 1)  # so that not all of it is read ahead

    def replace() -> None:
        many.ip("link delete many0", "link add many0 type veth peer name more0")

    with pytest.raises(DisturbedError):
        listed(many, RTM_GETLINK, strict=True, meanwhile=replace)
    assert listed(many, RTM_GETLINK, strict=False, meanwhile=replace) >= LINKS - 2


def test_a_list_that_the_kernel_does_not_know_is_an_error(many: Host) -> None:
    with pytest.raises(OSError, match="not supported") as refused:
        listed(many, 0xFFFE, strict=True)
    assert refused.value.errno == errno.EOPNOTSUPP


def test_one_lister_makes_one_list_after_the_other(many: Host) -> None:
    async def twice() -> list[int]:
        with closing(Lister()) as lister:
            return [await number(lister.entries(RTM_GETLINK, EVERY_LINK, strict=True)) for _ in range(2)]

    with inside(many):
        assert asyncio.run(twice()) == [LINKS, LINKS]


def test_a_list_that_nobody_looks_at_is_not_read_to_its_end(
    many: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pxerelay.linux.netlink._PARTS", 1)
    exchange, read = Lister._exchange, list[int]()

    def counted(lister: Lister, request: bytes) -> list[bytes]:
        read.append(len(request))
        return exchange(lister, request)

    monkeypatch.setattr(Lister, "_exchange", counted)

    async def look_at_one() -> tuple[int, int]:
        with closing(Lister()) as lister:
            async with aclosing(lister.entries(RTM_GETLINK, EVERY_LINK, strict=True)) as entries:
                await anext(entries)
                await asyncio.sleep(0.2)
                ahead = len(read)
            return ahead, len(read)

    with inside(many):
        ahead, given_up = asyncio.run(look_at_one())
        assert listed(many, RTM_GETLINK, strict=True) == LINKS
    assert 1 <= ahead <= 3
    assert given_up == ahead, "nor is it when it is given up"
    assert len(read) - given_up > 3, "though there is more"


PATIENCE = 20.0
"""Seconds that a test waits for what comes at once."""


class Kernel:
    """Has whoever asks wait, as the kernel does while somebody else changes links."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.answers = threading.Event(), threading.Event()
        self.closed: list[bool] = []
        exchange = Lister._exchange

        def later(lister: Lister, request: bytes) -> list[bytes]:
            self.asked.set()
            assert self.answers.wait(PATIENCE)
            self.closed.append(lister._socket.fileno() < 0)
            return exchange(lister, request)

        monkeypatch.setattr(Lister, "_exchange", later)

    async def is_asked(self) -> None:
        """Wait until somebody does; nothing else may wait meanwhile."""
        while not self.asked.is_set():
            await asyncio.sleep(0.01)


def test_while_the_kernel_has_a_lister_wait_all_else_goes_on(
    many: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(monkeypatch)

    async def count() -> int:
        with closing(Lister()) as lister:
            counting = asyncio.create_task(number(lister.entries(RTM_GETLINK, EVERY_LINK, strict=True)))
            await kernel.is_asked()
            kernel.answers.set()
            return await asyncio.wait_for(counting, PATIENCE)

    with inside(many):
        assert asyncio.run(count()) == LINKS


def test_a_lister_that_is_given_up_is_closed_when_nobody_reads_from_it(
    many: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(monkeypatch)

    async def count() -> None:
        with closing(Lister()) as lister:
            await number(lister.entries(RTM_GETLINK, EVERY_LINK, strict=True))

    async def give_up() -> None:
        counting = asyncio.create_task(count())
        await kernel.is_asked()
        counting.cancel()
        await asyncio.sleep(0.1)
        assert not counting.done()
        kernel.answers.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(counting, PATIENCE)
        assert counting.cancelled()

    with inside(many):
        asyncio.run(give_up())
    assert kernel.closed == [False]
