"""The bound on what one client may ask."""

from __future__ import annotations

from pxerelay.flood import FloodGate

ONE, OTHER = bytes(5) + b"\1", bytes(5) + b"\2"


def test_a_client_within_the_limit_is_admitted() -> None:
    gate = FloodGate(3)
    assert [gate.admits(ONE, 7.0) for _ in range(5)] == [True, True, True, False, False]


def test_others_are_not_held_up() -> None:
    gate = FloodGate(1)
    assert gate.admits(ONE, 7.0)
    assert not gate.admits(ONE, 7.1)
    assert gate.admits(OTHER, 7.1)


def test_a_new_second_is_a_new_count() -> None:
    gate = FloodGate(1)
    assert [gate.admits(ONE, now) for now in (7.0, 7.9, 8.0, 8.5, 9.0)] == [True, False, True, False, True]


def test_0_is_no_limit() -> None:
    gate = FloodGate(0)
    assert all(gate.admits(ONE, 7.0) for _ in range(1000))


def test_a_flood_of_invented_addresses_takes_bounded_memory() -> None:
    gate = FloodGate(1)
    for number in range(200_000):
        gate.admits(number.to_bytes(6, "big"), 7.0)
    assert len(gate._counts) <= 65537
