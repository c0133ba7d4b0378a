"""The integration tests' network and daemon, with the parts that differ here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.integration.conftest import network, start
from tests.integration.wire import FakeServer
from tests.lab import DhcpServer
from tests.lab.topology import Network

__all__ = ["network", "start"]


@pytest.fixture
def ris(network: Network) -> Iterator[FakeServer]:
    with closing(FakeServer(network.ris.host)) as server:
        yield server


@pytest.fixture
def altiris(network: Network) -> Iterator[FakeServer]:
    with closing(FakeServer(network.altiris.host)) as server:
        yield server


@contextmanager
def running(server: DhcpServer) -> Iterator[None]:
    """Have a real server serve for the block."""
    server.start()
    try:
        yield
    finally:
        server.stop()
