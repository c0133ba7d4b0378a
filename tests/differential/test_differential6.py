"""DHCPv6: every difference has its row, every row its difference."""

from __future__ import annotations

from pathlib import Path

from tests.differential.agreement import Agreement, Found
from tests.differential.comparison import read_table
from tests.differential.dhcpv6.agents import PAIRS, Pxerelay6
from tests.differential.dhcpv6.bench import bench6, compared
from tests.differential.dhcpv6.cases import cases
from tests.lab.relays6 import Isc6
from tests.unit.messages6 import option

TABLE = read_table(Path(__file__).parent / "dhcpv6" / "differences.yml")
PEERS = [peer.kind for _, peer in PAIRS]
CASES = cases()


class TestDifferential6(Agreement):
    """DHCPv6, through ISC dhcrelay -6, dnsmasq and pxerelay."""

    table, peers = TABLE, PEERS
    vocabulary = frozenset().union(*(case.words for case in CASES))

    @staticmethod
    def compared() -> Found:
        """Send every message through every relay, and compare."""
        return {peer.kind: compared(CASES, ours, peer, TABLE) for ours, peer in PAIRS}


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
