"""The bound on what one client may ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pxerelay.relay.rate_limit import RateLimit

ONE, OTHER, THIRD = (bytes((2, 0, 0, 0, 0, last)) for last in (1, 2, 3))
HERE, THERE = 10, 20


def admitted(gate: RateLimit, client: bytes, now: float, place: int = HERE) -> bool:
    shut = gate.is_shut(place, client, now)
    excess = gate.excess(place, [client], now)
    assert shut == bool(excess), "whether a client has had all that it may ask is known before it is counted"
    return not excess


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
    assert not gate.excess(HERE, [ONE] * 1000, 7.0)


def test_a_flood_of_invented_addresses_takes_bounded_memory() -> None:
    gate = RateLimit(1)
    for number in range(200_000):
        gate.excess(HERE, [number.to_bytes(6, "big")], 7.0)
    assert sum(map(len, gate._places.values())) <= 8193


def test_rule_33_nobody_uses_up_a_clients_allowance_from_another_vlan() -> None:
    """Neither with its address, nor with so many others that the count begins anew."""
    gate = RateLimit(2)
    assert [admitted(gate, ONE, 7.0) for _ in range(2)] == [True, True]
    for number in range(40_000):
        gate.excess(THERE, [ONE, number.to_bytes(6, "big")], 7.0)
    assert not admitted(gate, ONE, 7.0)
    assert admitted(gate, OTHER, 7.0)


def test_rule_33_behind_routers_the_vlan_counts_too() -> None:
    gate, router = RateLimit(1), 0x0A1E0001
    victim, forger = (router, 1, ONE), (router, 2, ONE)
    assert gate.excess(~HERE, [forger] * 3, 7.0) == [2, 1]
    assert gate.excess(~HERE, [victim], 7.0) == []


@given(st.integers(1, 4), st.lists(st.lists(st.sampled_from([ONE, OTHER, THIRD]), max_size=8), max_size=8))
def test_a_batch_is_counted_as_its_requests_one_by_one(limit: int, batches: list[list[bytes]]) -> None:
    whole, single = RateLimit(limit), RateLimit(limit)
    for batch in batches:
        refused = [at for at, client in enumerate(batch) if not admitted(single, client, 7.0)]
        assert sorted(whole.excess(HERE, batch, 7.0)) == refused
