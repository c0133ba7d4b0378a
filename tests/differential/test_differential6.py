"""DHCPv6: every difference has its row, every row its difference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.differential.comparison import (
    Difference,
    Row,
    explained_twice,
    read_table,
    report,
    unexplained,
    uses,
)
from tests.differential.dhcpv6.agents import PAIRS, Pxerelay6
from tests.differential.dhcpv6.bench import bench6, compared
from tests.differential.dhcpv6.cases import cases
from tests.lab.relays6 import Isc6
from tests.unit.messages6 import option

TABLE = read_table(Path(__file__).parent / "dhcpv6" / "differences.yml")
PEERS = [peer.kind for _, peer in PAIRS]
CASES = cases()
VOCABULARY = frozenset().union(*(case.words for case in CASES))


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Difference]]:
    """Send every message through every relay, and compare."""
    if os.geteuid() != 0:
        pytest.fail("the differential test makes network namespaces: run it as root")
    return {peer.kind: compared(CASES, ours, peer, TABLE) for ours, peer in PAIRS}


@pytest.mark.parametrize("peer", PEERS)
def test_every_difference_has_a_row(found: Mapping[str, list[Difference]], peer: str) -> None:
    left = unexplained(found[peer], TABLE)
    assert not left, f"differences that no row explains:\n{report(left)}"


@pytest.mark.parametrize("peer", PEERS)
def test_no_difference_has_two_rows(found: Mapping[str, list[Difference]], peer: str) -> None:
    twice = explained_twice(found[peer], TABLE)
    assert not twice, f"explained more than once: {set(map(tuple, twice.values()))}\n{report(list(twice))}"


@pytest.mark.parametrize(("row", "peer"), [(row, peer) for row in TABLE for peer in row.peers], ids=str)
def test_every_row_has_a_difference(found: Mapping[str, list[Difference]], row: Row, peer: str) -> None:
    assert uses(found[peer], [row])[row.id], f"{peer} no longer does so: take it out of differences.yml"


def test_the_table_speaks_the_words_of_its_cases() -> None:
    for row in TABLE:
        assert row.when <= VOCABULARY, row.id
        assert set(row.peers) <= set(PEERS), row.id
        assert row.source.startswith("RFC "), row.id
    assert len({row.id for row in TABLE}) == len(TABLE)


def test_every_case_can_be_told_from_the_others() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_an_interface_keeps_its_interface_id_whatever_order_it_is_named_in() -> None:
    """Rule 112: ISC's is a number that the order of its options decides, so a restart may change it."""

    class Turned(Pxerelay6):
        interfaces = ("vlan20", "vlan10")

    class Named(Pxerelay6):
        interfaces = ("vlan10", "vlan20")

    class IscTurned(Isc6):
        interfaces = ("vlan20", "vlan10")

    class IscNamed(Isc6):
        interfaces = ("vlan10", "vlan20")

    told = {}
    for kind in (Named, Turned, IscNamed, IscTurned):
        with bench6(kind) as bench:
            bench.run(())
            told[kind] = bench.ids["vlan10"], bench.ids["vlan20"]
    assert told[Named] == told[Turned] == (option(18, b"vlan10"), option(18, b"vlan20"))
    assert told[IscNamed] == told[IscTurned][::-1] != told[IscTurned]
