"""Batches of DHCPv6 messages: what is dropped unread, and what is too much of one client (rules 33 to 36)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pxerelay.relay.decision6 import Arrival6, Drop6, ToServers6
from pxerelay.relay.pipeline6 import Pipeline6
from tests.unit.configs import CORE, VLAN10, VLAN20
from tests.unit.configs6 import RIS, ROUTER, STANDARD6, STRANGER, answered, heard, relay6, routed, why
from tests.unit.messages6 import boot, ip6, message, plain, relayed

MOST = 16
LIMITED = STANDARD6 + "max_requests: 3\n"


class Columns:
    """What is known of a batch before it is read: interfaces, senders, seconds that each has waited."""

    def __init__(self, interfaces: Sequence[int], waited: float, source: bytes = ROUTER) -> None:
        self.interfaces = interfaces
        self._waited, self._source = waited, source

    def sources(self) -> list[bytes]:
        """Return who sent them: one."""
        return [self._source] * len(self.interfaces)

    def waited(self, at: int) -> float:
        """Return for how long one has waited: the first for the longest time."""
        return self._waited - at / 1000


def pipeline(text: str = LIMITED) -> Pipeline6:
    found = Pipeline6(MOST)
    found.obey(relay6(text))
    return found


def reasons(one: Pipeline6, arrivals: Sequence[Arrival6], now: float = 1.0) -> list[Drop6 | None]:
    return [why(outcome.decision) for outcome in one.decide(arrivals, now)]


def test_rule_33_a_client_that_asks_too_much_is_dropped_and_nobody_else() -> None:
    one = pipeline()
    mad, other = heard(boot()), heard(boot(), mac=bytes.fromhex("020000000002"))
    assert reasons(one, [mad] * 5 + [other]) == [None] * 3 + [Drop6.FLOOD] * 2 + [None]
    assert reasons(one, [mad], 1.5) == [Drop6.FLOOD], "the second is not over"
    assert reasons(one, [mad], 2.1) == [None]


def test_rule_33_a_client_is_counted_where_it_is_heard() -> None:
    """Nobody can use up a client's allowance from another VLAN, or by relaying."""
    one = pipeline()
    there = heard(boot(), interface=VLAN20)
    behind = routed(relayed(boot()))
    assert reasons(one, [there] * 4 + [behind] * 4)[3::4] == [Drop6.FLOOD, Drop6.FLOOD]
    assert reasons(one, [heard(boot())]) == [None]
    elsewhere = routed(relayed(boot(), link="2001:db8:30:9::1"))
    assert reasons(one, [elsewhere]) == [None], "another link of that router"


def test_rule_33_what_is_dropped_for_another_reason_counts_too() -> None:
    one = pipeline(LIMITED + "pxe_only: true\n")
    assert reasons(one, [heard(plain())] * 5) == [Drop6.NOT_PXE] * 3 + [Drop6.FLOOD] * 2


def test_rule_33_a_client_is_told_apart_by_its_mac_else_its_duid_else_its_address() -> None:
    one = pipeline()
    duids = [heard(message(duid=b"\0\4" + bytes((number,)) * 16), mac=None) for number in range(8)]
    nameless = [heard(message(duid=None), mac=None, source=ip6(f"fe80::{number + 1}")) for number in range(8)]
    assert reasons(one, [*duids, *nameless] * 3) == [None] * 48
    assert set(reasons(one, [*duids, *nameless])) == {Drop6.FLOOD}


def test_rule_33_replies_are_bounded_by_nothing() -> None:
    assert reasons(pipeline(), [answered(message(7))] * 50) == [None] * 50


def test_rule_34_what_is_refused_is_not_read() -> None:
    """Nine layers of nobody's, a message to another group: no option of these is looked at."""
    octets = boot()
    for hops in range(9):
        octets = relayed(octets, hops=hops)
    refused = [
        heard(octets),
        routed(octets, source=STRANGER),
        heard(boot(), destination=ip6("ff02::1")),
        heard(boot(7)),
        answered(message(7), source=STRANGER),
    ]
    for outcome in pipeline().decide(refused, 1.0):
        assert outcome.facts is None


def test_rule_36_while_the_queue_is_short_nothing_is_dropped() -> None:
    one = pipeline()
    for batch in range(50):
        assert not one.shed(Columns([VLAN10] * MOST, 0.04), 1.0 + batch / 100)


def test_rule_36_a_vlan_that_sends_little_loses_nothing() -> None:
    one = pipeline()
    columns = Columns([VLAN20] * (MOST - 2) + [VLAN10, CORE], 0.2)
    dropped = [one.shed(columns, 1.0 + batch / 100) for batch in range(40)]
    assert not dropped[0], "the machine may have stood still for a moment"
    assert set(dropped[-1]) <= set(range(MOST - 2))
    assert dropped[-1]
    assert set(dropped[-1].values()) == {Drop6.MORE_THAN_ITS_SHARE}


def test_rule_36_behind_an_interface_without_clients_each_sender_has_a_share() -> None:
    one = pipeline()
    for batch in range(40):
        columns = Columns([CORE] * MOST, 0.2, ROUTER if batch % 2 else STRANGER)
        one.shed(columns, 1.0 + batch / 100)
    assert one.shed(Columns([CORE] * (MOST - 1) + [VLAN10], 0.2), 1.5)


@pytest.mark.parametrize(("waited", "old"), [(1.2, MOST), (1.005, 5), (0.99, 0)])
def test_rule_36_what_waited_for_more_than_a_second_is_dropped(waited: float, old: int) -> None:
    dropped = pipeline().shed(Columns([VLAN10] * MOST, waited), 1.0)
    assert list(dropped.values()).count(Drop6.TOO_OLD) == old


def test_an_empty_batch_is_nothing() -> None:
    one = pipeline()
    assert not one.shed(Columns([], 0.0), 1.0)
    assert not one.decide([], 1.0)


def test_outcomes_keep_the_order_of_messages() -> None:
    arrivals = [heard(boot(), mac=bytes((2, 0, 0, 0, 0, number))) for number in range(20)]
    outcomes = pipeline().decide(arrivals, 1.0)
    assert [one.arrival for one in outcomes] == arrivals
    assert all(isinstance(one.decision, ToServers6) and one.decision.servers == (RIS,) for one in outcomes)
