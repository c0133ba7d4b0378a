"""Every difference has its row, every row its difference, and what the two stand on is sound."""

from __future__ import annotations

from pathlib import Path

from tests.differential.agreement import Agreement, Found
from tests.differential.bench import PAIRS, compared
from tests.differential.captures import captured
from tests.differential.cases import ANSWERED, SHOUTED, Case
from tests.differential.comparison import Difference, Row, read_table
from tests.differential.corpus import corpus
from tests.differential.features import VOCABULARY, features
from tests.lab import pcap
from tests.lab.frames import frames
from tests.unit.messages import reply, request

TABLE = read_table()
PEERS = [peer.kind for _, peer in PAIRS]
CASES = corpus()


class TestDifferential(Agreement):
    """DHCPv4, through ISC dhcrelay, dnsmasq and pxerelay."""

    table, peers, vocabulary = TABLE, PEERS, VOCABULARY

    @staticmethod
    def compared() -> Found:
        """Send every message through every relay, and compare."""
        return {peer.kind: compared(CASES, ours, peer, TABLE) for ours, peer in PAIRS}


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
