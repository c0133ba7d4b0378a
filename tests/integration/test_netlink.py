"""Lists that the kernel makes of links, as it is asked for them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing

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


def test_one_that_something_changed_in_is_an_error_to_who_is_strict(many: Host) -> None:
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
