"""Tests of a table are made for each of its peers and rows."""

from __future__ import annotations

import os

import pytest

from tests.differential.agreement import Agreement, Found


@pytest.fixture(scope="class")
def found(request: pytest.FixtureRequest) -> Found:
    """Return what differs; once for all tests of a table."""
    if os.geteuid() != 0:
        pytest.fail("the differential test makes network namespaces: run it as root")
    kind: type[Agreement] = request.cls
    return kind.compared()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `peer`, or `row` and `row_peer`, to the tests of an `Agreement`."""
    kind = metafunc.cls
    if kind is None or not issubclass(kind, Agreement):
        return
    if "peer" in metafunc.fixturenames:
        metafunc.parametrize("peer", kind.peers)
    if "row" in metafunc.fixturenames:
        pairs = [(row, peer) for row in kind.table for peer in row.peers]
        metafunc.parametrize(("row", "row_peer"), pairs, ids=str)
