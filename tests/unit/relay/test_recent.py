"""What was sent and lost in the last seconds."""

from __future__ import annotations

from pxerelay.relay.decision import Drop, Dropped, ToServers
from pxerelay.relay.outcome import Lost, Outcome, Replies, Requests
from pxerelay.relay.recent import KEPT, Recent, Sums
from tests.unit.configs import VLAN10, relay
from tests.unit.messages import ip, request


def test_what_is_older_than_asked_for_is_left_out() -> None:
    recent = Recent()
    for second in range(100):
        recent.add(second + 0.5, sent=1, failed=2, heard=3, late=4)
    assert recent.within(1, 99.9) == Sums(1, 2, 3, 4)
    assert recent.within(3, 99.9) == Sums(3, 6, 9, 12)
    assert recent.within(3, 101.0) == Sums(1, 2, 3, 4)
    assert recent.within(3, 102.0) == Sums()
    assert recent.within(1000, 99.9).sent == KEPT


def test_seconds_without_messages_count_too() -> None:
    recent = Recent()
    recent.add(10.0, sent=1)
    recent.add(30.0, sent=1)
    assert recent.within(10, 30.0).sent == 1
    assert recent.within(KEPT, 30.0).sent == 2
    assert recent.within(KEPT, 50.0).sent == 1
    assert Recent().within(KEPT, 50.0) == Sums()


def test_of_a_batch_copies_count_and_what_is_too_old() -> None:
    two = ToServers((ip("10.20.0.10"), ip("10.20.0.20")), None)
    port = relay().ports[0]
    outcomes: list[Outcome] = [
        Requests(two, VLAN10, [0, 1, 2], [request()] * 3),
        Lost(Dropped(Drop.TOO_OLD), VLAN10, [3, 4]),
        Lost(Dropped(Drop.FLOOD), VLAN10, [5]),
        Replies(port, 0, []),
    ]
    recent = Recent()
    recent.enter(outcomes, 7, 1, 5.0)
    recent.enter(outcomes[:1], 3, 0, 5.9)
    assert recent.within(1, 5.9) == Sums(sent=12, failed=1, heard=10, late=2)
