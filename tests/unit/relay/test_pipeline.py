"""The way of a batch: each message in one outcome, and nobody's depends on what others sent."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from pxerelay.relay.decision import Decision, Drop, Dropped
from pxerelay.relay.outcome import Lost, Outcome, Replies
from pxerelay.relay.pipeline import Decided, Pipeline
from pxerelay.wire.batch import Batch
from tests.unit.batches import Arrival, batch_of, decisions_of
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, VLAN20, bare, relay
from tests.unit.messages import ip, reply, request
from tests.unit.relay.test_fast_path import CONFIGS, arrivals

NOBODY = ip("0.0.0.0")
MOST = 40


def pipeline(text: str = STANDARD) -> Pipeline:
    made = Pipeline(MOST)
    made.obey(relay(text, LINKS))
    return made


def decided(
    one: Pipeline, coming: Sequence[Arrival], now: float = 7.0, *, each_alone: bool = False
) -> tuple[Batch, Decided]:
    batch = batch_of(coming)
    return batch, one.decide(batch, now, (), each_alone=each_alone)


def became(
    one: Pipeline, coming: Sequence[Arrival], now: float = 7.0, *, each_alone: bool = False
) -> list[tuple[Decision, bytes]]:
    """Return what became of each message, and its octets after that."""
    batch, found = decided(one, coming, now, each_alone=each_alone)
    by_identity: dict[int, Decision] = {}
    for outcome in found.outcomes:
        by_identity.update(decisions_of(batch, outcome))
    for at, (_, outcome) in found.alone.items():
        assert outcome.decision, "it was decided on alone"
        by_identity[id(batch.messages[at])] = outcome.decision
    return [(bare(by_identity[id(each)]), bytes(each)) for each in batch.messages]


@pytest.mark.parametrize("name", [name for name in CONFIGS if "shared" not in name])
def test_rule_33_a_decision_does_not_depend_on_what_others_sent(name: str) -> None:
    """But for the client's own allowance: alone, among others, and behind as many as anybody likes to send.

    (Where interfaces share a giaddr a reply without our circuit id goes where its request came from.)
    """
    chance = random.Random(name)
    unbounded = CONFIGS[name] + "\nmax_requests: 0\n"
    busy = pipeline(unbounded)
    for step in range(60):
        coming = arrivals(chance, MOST)
        at = chance.randrange(MOST)
        ((alone, octets),) = became(pipeline(unbounded), [coming[at]])
        assert became(busy, coming, 7.0 + step / 50)[at] == (alone, octets)


@pytest.mark.parametrize("name", ["rules only", "option 82", "a hash for all"])
def test_messages_become_the_same_alone_and_in_groups(name: str) -> None:
    chance = random.Random(name)
    grouped, single = pipeline(CONFIGS[name]), pipeline(CONFIGS[name])
    for step in range(40):
        coming = arrivals(chance, MOST)
        now = 7.0 + step * 2
        assert became(grouped, coming, now) == became(single, coming, now, each_alone=True)


def lost(outcomes: Sequence[Outcome], reason: Drop) -> int:
    return sum(
        len(one.positions) for one in outcomes if isinstance(one, Lost) and one.decision.reason is reason
    )


def test_rule_33_a_client_that_is_dropped_for_another_reason_is_bounded_too() -> None:
    """Of 800 a second that end as not-PXE, as many as the limit are worth a look."""
    one = pipeline(STANDARD + "pxe_only: true\nmax_requests: 50\n")
    mad: Arrival = request(chaddr="02:00:00:00:00:07", vendor=None), VLAN10, NOBODY, False
    found: list[Outcome] = []
    for step in range(20):
        found += decided(one, [mad] * MOST, 7.0 + step / 40)[1].outcomes
    assert lost(found, Drop.NOT_PXE) == 50
    assert lost(found, Drop.FLOOD) == 20 * MOST - 50


@pytest.mark.parametrize("elsewhere", [(VLAN20, NOBODY), (CORE, ip("10.30.0.1")), (VLAN20, ip("10.30.0.9"))])
def test_rule_33_a_victim_keeps_its_allowance_whatever_others_send_in_its_name(
    elsewhere: tuple[int, bytes],
) -> None:
    """On another VLAN, through a router, and as if through one."""
    one = pipeline(STANDARD + "max_requests: 5\n")
    index, source = elsewhere
    giaddr = "0.0.0.0" if source == NOBODY else "10.30.0.1"
    flood: Arrival = request(giaddr=giaddr), index, source, source != NOBODY
    victim: Arrival = request(), VLAN10, NOBODY, False
    for step in range(10):
        coming = [flood] * (MOST - 1) + [victim]
        _, found = decided(one, coming, 7.0 + step / 5)
        refused = {at for outcome in found.outcomes if isinstance(outcome, Lost) for at in outcome.positions}
        assert MOST - 1 not in refused


def test_rule_35_hardware_addresses_of_16_octets_are_bounded_as_any() -> None:
    one = pipeline("max_requests: 2\n" + STANDARD)
    odd: Arrival = request(hlen=16), VLAN10, NOBODY, False
    other = bytearray(odd[0])
    other[43] = 1
    _, found = decided(one, [odd, odd, odd, (other, VLAN10, NOBODY, False)])
    assert lost(found.outcomes, Drop.FLOOD) == 1


def waiting(coming: Sequence[Arrival], *seconds: float) -> Batch:
    batch = batch_of(coming)
    batch.waited = lambda at: seconds[min(at, len(seconds) - 1)]
    return batch


def test_rule_36_what_waited_for_more_than_a_second_is_dropped() -> None:
    one = pipeline()
    coming: list[Arrival] = [(request(), VLAN10, NOBODY, False)] * 3
    found = one.decide(waiting(coming, 1.2, 1.1, 0.9), 7.0, (), each_alone=False)
    assert lost(found.outcomes, Drop.TOO_OLD) == 2
    assert found.unheard >= {0, 1}
    assert [len(each.positions) for each in found.outcomes if not isinstance(each, (Lost, Replies))] == [1]


def test_rule_36_a_reply_that_is_too_old_answers_nobody() -> None:
    one = pipeline()
    found = one.decide(waiting([(reply(), CORE, ip("10.20.0.10"), True)], 1.5), 7.0, (), each_alone=False)
    assert [outcome.decision for outcome in found.outcomes] == [Dropped(Drop.TOO_OLD)]
    assert found.unheard == {0}


@pytest.mark.parametrize("each_alone", [False, True])
def test_rule_36_a_server_that_floods_has_no_client_wait(each_alone: bool) -> None:
    """Nor another server's replies."""
    one = pipeline("max_requests: 0\n" + STANDARD)
    flood: Arrival = reply(), CORE, ip("10.20.0.10"), True
    quiet: list[Arrival] = [(request(), VLAN10, NOBODY, False), (reply(), CORE, ip("10.20.0.20"), True)]
    for step in range(5):
        batch = waiting([*[flood] * (MOST - 2), *quiet], 0.16)
        found = one.decide(batch, 7.0 + step / 10, (), each_alone=each_alone)
        dropped = {at for each in found.outcomes if isinstance(each, Lost) for at in each.positions}
        assert dropped.isdisjoint({MOST - 2, MOST - 1})
        assert lost(found.outcomes, Drop.MORE_THAN_ITS_SHARE) == len(dropped)
        assert len(dropped) >= MOST - 2 - 8 or step < 2, "but for the first moment"


@pytest.mark.parametrize("each_alone", [False, True])
def test_rule_36_a_vlan_that_floods_has_others_wait_no_longer(each_alone: bool) -> None:
    one = pipeline("max_requests: 0\n" + STANDARD)
    flood: Arrival = request(), VLAN20, NOBODY, False
    quiet: Arrival = request(chaddr="02:00:00:00:00:05"), VLAN10, NOBODY, False
    for step in range(5):
        batch = waiting([*[flood] * (MOST - 1), quiet], 0.16)
        found = one.decide(batch, 7.0 + step / 10, (), each_alone=each_alone)
        dropped = {at for each in found.outcomes if isinstance(each, Lost) for at in each.positions}
        assert MOST - 1 not in dropped
        assert lost(found.outcomes, Drop.MORE_THAN_ITS_SHARE) == len(dropped)
        assert len(dropped) >= MOST - 1 - 8 or step < 2, "but for the first moment"
