"""The bound on what one client may ask."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pxerelay.relay.rate_limit import RateLimit

ONE, OTHER, THIRD = 1, 2, 3


def admitted(gate: RateLimit, client: int, now: float) -> bool:
    return not gate.excess([client], now)


def test_a_client_within_the_limit_is_admitted() -> None:
    gate = RateLimit(3)
    assert [admitted(gate, ONE, 7.0) for _ in range(5)] == [True, True, True, False, False]


def test_others_are_not_held_up() -> None:
    gate = RateLimit(1)
    assert admitted(gate, ONE, 7.0)
    assert not admitted(gate, ONE, 7.1)
    assert admitted(gate, OTHER, 7.1)


def test_a_new_second_is_a_new_count() -> None:
    gate = RateLimit(1)
    assert [admitted(gate, ONE, now) for now in (7.0, 7.9, 8.0, 8.5, 9.0)] == [True, False, True, False, True]


def test_0_is_no_limit() -> None:
    gate = RateLimit(0)
    assert not gate.excess([ONE] * 1000, 7.0)


def test_a_flood_of_invented_addresses_takes_bounded_memory() -> None:
    gate = RateLimit(1)
    for number in range(200_000):
        gate.excess([number], 7.0)
    assert len(gate._counts) <= 65537


@given(st.integers(1, 4), st.lists(st.lists(st.sampled_from([ONE, OTHER, THIRD]), max_size=8), max_size=8))
def test_a_batch_is_counted_as_its_requests_one_by_one(limit: int, batches: list[list[int]]) -> None:
    whole, single = RateLimit(limit), RateLimit(limit)
    for batch in batches:
        refused = Counter(client for client in batch if not admitted(single, client, 7.0))
        assert whole.excess(batch, 7.0) == refused
