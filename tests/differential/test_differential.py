"""Every difference has its row, every row its difference, and what the two stand on is sound."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.differential.bench import PAIRS, compared
from tests.differential.captures import captured
from tests.differential.cases import ANSWERED, SHOUTED, Case
from tests.differential.comparison import (
    Difference,
    Row,
    explained_twice,
    read_table,
    report,
    unexplained,
    uses,
)
from tests.differential.corpus import corpus
from tests.differential.features import VOCABULARY, features
from tests.lab import pcap
from tests.lab.frames import frames
from tests.unit.messages import reply, request

TABLE = read_table()
PEERS = [peer.kind for _, peer in PAIRS]
CASES = corpus()


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


def test_the_table_speaks_the_words_of_its_features() -> None:
    for row in TABLE:
        assert row.when <= VOCABULARY, row.id
        assert set(row.peers) <= set(PEERS), row.id
        assert row.source.startswith("RFC "), row.id
    assert len({row.id for row in TABLE}) == len(TABLE)


def test_recorded_messages_of_clients_and_servers_are_cases() -> None:
    recorded = [case for case in CASES if ".pcap, " in case.name]
    assert len(recorded) > 30
    assert {case.delivery for case in recorded} == {SHOUTED, ANSWERED}


def test_every_case_can_be_told_from_the_others() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert set().union(*map(features, CASES)) <= VOCABULARY


def test_a_row_does_not_explain_what_its_outlines_do_not_tell() -> None:
    row = Row("id", ("isc",), frozenset(), theirs=("*",), ours=("*",), because="", source="")
    case = Case("case", bytes(request()), SHOUTED)
    same = Difference(
        "isc", case, "server:67 from core:67; hops +1", "server:67 from core:67; hops +1", features(case)
    )
    assert not row.explains(same)


def test_captures_become_cases_once_each(tmp_path: Path) -> None:
    asked, answered = bytes(request()), bytes(reply(giaddr="192.0.2.1"))
    sent = [
        *frames(asked),
        *frames(answered, source="10.20.0.10", destination="10.10.10.9", ports=(67, 68)),
        *frames(b"tftp", source="10.10.10.9", destination="10.20.0.10", ports=(1024, 69)),
    ]
    (tmp_path / "boot.pcap").write_bytes(pcap.written([*sent, *sent]))
    assert list(captured(tmp_path)) == [
        Case("boot.pcap, datagram 1", asked, SHOUTED),
        Case("boot.pcap, datagram 2", bytes(reply()), ANSWERED),
    ]
