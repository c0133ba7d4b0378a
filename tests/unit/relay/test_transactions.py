"""Which DISCOVERs are followed, what counts as answered, and that nothing of it grows without bound."""

from __future__ import annotations

import pytest

from pxerelay.relay.decision import ToServers
from pxerelay.relay.transactions import BOUNDS, PATIENCE, Record, Transactions
from pxerelay.wire import packet
from pxerelay.wire.batch import number
from pxerelay.wire.client import Client
from pxerelay.wire.facts import Facts
from tests.unit.messages import REQUEST, ip, mac, request

A, B, OTHER = ip("10.20.0.10"), ip("10.20.0.11"), ip("10.20.0.99")
TO_A, TO_BOTH = ToServers((A,), None), ToServers((A, B), None)
TO_ROUTERS = ToServers((A,), None, returns=False)


def discover(xid: int, *, kind: int = packet.DHCPDISCOVER, vendor: bytes | None = b"PXEClient") -> bytearray:
    message = request(kind, vendor=vendor, chaddr=f"02:00:00:00:00:{xid & 0xFF:02x}")
    message[packet.XID] = xid.to_bytes(4, "big")
    return message


def asked(*messages: bytearray, decision: ToServers = TO_A, now: float = 0.0) -> Transactions:
    found = Transactions()
    found.sent(messages, 10, decision, now)
    return found


def answer(found: Transactions, xid: int, server: bytes, now: float) -> None:
    """Do what is done with a reply."""
    found.heard(number(server), now)
    found.answered(number(xid.to_bytes(4, "big")), number(server), now)


def record(found: Transactions, server: bytes = A) -> Record:
    one = found.record(server)
    assert one
    return one


def test_an_answer_is_counted_with_the_time_it_took() -> None:
    found = asked(discover(1), now=10.0)
    answer(found, 1, A, 10.003)
    one = record(found)
    assert (one.answered, one.unanswered, one.last_reply) == (1, 0, 10.003)
    assert one.seconds == pytest.approx(0.003)
    assert one.buckets[BOUNDS.index(0.005)] == 1
    assert not found.pending
    (last,) = found.last
    assert (last.chaddr, last.index) == (mac("02:00:00:00:00:01"), 10)
    assert [server for server, _ in last.answers] == [A]


def test_each_of_two_servers_is_waited_for_by_itself() -> None:
    found = asked(discover(1), decision=TO_BOTH)
    answer(found, 1, B, 1.0)
    answer(found, 1, B, 1.1)  # the ACK, which nobody waits for
    found.settle(PATIENCE + 0.1)
    assert (record(found, B).answered, record(found, B).unanswered) == (1, 0)
    assert (record(found).answered, record(found).unanswered) == (0, 1)


def test_what_is_asked_again_was_not_answered_the_first_time() -> None:
    found = asked(discover(1))
    found.sent([discover(1)], 10, TO_A, 3.9)
    answer(found, 1, A, 4.0)
    one = record(found)
    assert (one.answered, one.unanswered) == (1, 1)
    assert one.seconds == pytest.approx(0.1)


def test_a_client_that_asks_again_at_once_is_only_impatient() -> None:
    found = asked(discover(1))
    found.sent([discover(1)], 10, TO_A, 1.0)
    answer(found, 1, A, 1.5)
    assert (record(found).answered, record(found).unanswered) == (1, 0)
    assert record(found).seconds == pytest.approx(1.5)


def test_who_asks_again_is_impatient_also_where_each_message_was_decided_on_alone() -> None:
    """A decision then has the client as that message shows it."""
    alone = [TO_A._replace(client=Client(Facts(discover(1)), "vlan10")) for _ in range(2)]
    found = asked(discover(1), decision=alone[0])
    found.sent([discover(1)], 10, alone[1], 1.0)
    answer(found, 1, A, 1.5)
    assert (record(found).answered, record(found).unanswered) == (1, 0)


def test_a_late_answer_is_none_also_where_nothing_else_happened_meanwhile() -> None:
    found = asked(discover(1))
    answer(found, 1, A, 5.0)
    assert (record(found).answered, record(found).unanswered) == (0, 1)


def test_an_answer_that_comes_too_late_shows_that_the_server_is_alive_and_no_more() -> None:
    found = asked(discover(1))
    answer(found, 1, A, PATIENCE + 1)
    found.settle(PATIENCE + 1)
    assert (record(found).answered, record(found).last_reply) == (0, PATIENCE + 1)


def test_silence_is_counted_from_the_first_question_after_the_last_reply() -> None:
    found = asked(discover(1))
    answer(found, 1, A, 0.1)
    assert record(found).silent_since is None
    for now in (5.0, 9.0, 17.0):
        found.sent([discover(2)], 10, TO_A, now)
    assert (record(found).silent, record(found).silent_since) == (3, 5.0)
    found.heard(number(A), 18.0)
    assert (record(found).silent, record(found).silent_since) == (0, None)


def test_a_server_for_network_boot_alone_owes_other_clients_no_answer() -> None:
    found = asked(discover(1, vendor=b"MSFT 5.0"))
    found.settle(PATIENCE + 1)
    assert (record(found).unanswered, record(found).silent) == (0, 0)
    found.sent([discover(2, vendor=None)], 10, TO_A, 10.0)
    answer(found, 2, A, 10.1)  # it does serve them
    found.sent([discover(3, vendor=None)], 10, TO_A, 11.0)
    found.settle(20.0)
    assert (record(found).answered, record(found).unanswered) == (1, 1)


def test_only_discovers_are_followed() -> None:
    found = asked(discover(1, kind=REQUEST), discover(2)[:239], discover(3)[:242])
    assert not found.pending
    assert not found.last


def test_what_a_router_relayed_is_shown_and_not_waited_for() -> None:
    found = asked(discover(1), decision=TO_ROUTERS)
    assert [one.chaddr for one in found.last] == [mac("02:00:00:00:00:01")]
    assert not found.pending
    assert not list(found.records())


def test_an_answer_from_another_address_is_that_of_the_only_server_that_is_missing() -> None:
    found = asked(discover(1))
    answer(found, 1, OTHER, 0.5)
    assert (record(found).answered, record(found).last_reply) == (1, 0.5)

    found = asked(discover(1), decision=TO_BOTH)
    answer(found, 1, OTHER, 0.5)
    assert (record(found).answered, record(found, B).answered) == (0, 0)


def test_another_server_s_answer_to_a_second_try_does_not_bring_the_first_one_to_life() -> None:
    """The second try has the same xid, went to the next server, and in a storm nobody followed it."""
    found = asked(discover(1))
    found.servers = frozenset({number(A), number(B)})
    answer(found, 1, B, 4.0)
    assert record(found).last_reply is None
    assert record(found).silent == 1


def test_of_a_storm_a_sample_is_followed() -> None:
    found = Transactions()
    assert found.room(100.0) == 64
    found.sent([discover(xid) for xid in range(64)], 10, TO_A, 100.0)
    assert found.room(100.0) == 0
    assert 9 <= found.room(100.1) <= 10
    assert found.room(200.0) == 64


def test_nothing_grows_without_bound() -> None:
    found = Transactions()
    for xid in range(10_000):
        servers = ToServers((ip(f"10.{xid >> 8}.{xid & 0xFF}.1"),), None)
        found.sent([discover(xid)], 10, servers, 0.001 * (xid % 100))
    assert len(found.pending) == 4096
    assert len(list(found.records())) == 4096
    assert len(found.last) == 20
    found.settle(10.0)
    assert not found.pending
