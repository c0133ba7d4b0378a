"""What is dropped unread so that no VLAN delays another."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pxerelay.relay.fair_share import FairShare

FLOOD, QUIET, THIRD = 10, 20, 30
BATCH = 256


def behind(waited: float, places: list[int], share: FairShare | None = None) -> list[int]:
    """Return what is dropped of a batch when messages have waited so long for half a second already."""
    one = share or FairShare(BATCH)
    for step in range(6):
        found = one.excess(places, waited, 7.0 + step / 10)
    return found


def test_rule_36_while_nothing_waits_nothing_is_dropped() -> None:
    one = FairShare(BATCH)
    for step in range(100):
        assert one.excess([FLOOD] * 255 + [QUIET], 0.04, 7.0 + step / 10) == []


def test_rule_36_who_sends_little_loses_nothing() -> None:
    places = [FLOOD] * 100 + [QUIET] * 8 + [FLOOD] * 148
    assert len(places) == BATCH
    for waited in (0.06, 0.1, 0.2, 0.5, 0.9):
        found = behind(waited, places)
        assert {places[at] for at in found} == {FLOOD}
        assert len(found) >= 120


def test_rule_36_the_longer_the_wait_the_smaller_the_share() -> None:
    dropped = [len(behind(waited, [FLOOD] * 255 + [QUIET])) for waited in (0.06, 0.11, 0.16, 0.21, 0.9)]
    assert dropped == sorted(dropped)
    assert dropped[0] == 255 - 128
    assert dropped[-1] == 255 - 8


def test_rule_36_a_wait_that_is_over_soon_costs_nobody_anything() -> None:
    """A processor that was away for a moment, or for long, leaves a queue that is gone a moment later."""
    one = FairShare(BATCH)
    assert one.excess([FLOOD] * 255 + [QUIET], 0.8, 7.0) == []
    assert one.excess([FLOOD] * 255 + [QUIET], 0.78, 7.05) == []
    assert one.is_calm(0.02, BATCH)
    assert one.excess([FLOOD] * 255 + [QUIET], 0.1, 7.2) == []


def test_rule_36_a_flood_that_goes_on_has_its_grace_once() -> None:
    one = FairShare(BATCH)
    assert behind(0.06, [FLOOD] * 255 + [QUIET], one)
    assert one.is_calm(0.02, BATCH)
    assert one.excess([FLOOD] * 255 + [QUIET], 0.06, 7.6)
    assert one.is_calm(0.02, BATCH)
    assert one.excess([FLOOD] * 255 + [QUIET], 0.06, 9.0) == [], "a second later it is another"


def test_rule_36_a_queue_that_ends_here_costs_nobody_anything() -> None:
    one = FairShare(BATCH)
    for step in range(20):
        assert one.excess([FLOOD] * 200 + [QUIET], 0.5, 7.0 + step / 10) == []


def test_rule_36_a_burst_of_one_vlan_alone_is_relayed_whole() -> None:
    one = FairShare(BATCH)
    for step in range(9):
        assert one.excess([FLOOD] * 256, 0.1 * step, 7.0 + step / 10) == []
    assert one.excess([FLOOD] * 256, 0.9, 8.2), "but not for ever: somebody may want to be heard"


def test_rule_36_vlans_that_send_alike_have_alike() -> None:
    places = [FLOOD, QUIET] * 128
    assert behind(0.06, places) == []
    found = Counter(places[at] for at in behind(0.11, places))
    assert found[FLOOD] == found[QUIET] == 64


@given(st.lists(st.sampled_from([FLOOD, QUIET, THIRD]), min_size=1, max_size=BATCH), st.floats(0, 2))
def test_rule_36_each_has_its_least(places: list[int], waited: float) -> None:
    found = behind(waited, places, FairShare(len(places)))
    left = Counter(place for at, place in enumerate(places) if at not in set(found))
    for place, count in Counter(places).items():
        assert left[place] >= min(count, 8)
