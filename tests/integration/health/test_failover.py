"""Servers that die, hang and are unplugged: when their clients are answered by others."""

from __future__ import annotations

import pytest

from tests.integration.health.conftest import FAILURES, A, B, Start, config, killed, state, state_after, who
from tests.lab.crowd import Crowd
from tests.lab.servers import Dnsmasq


@pytest.mark.parametrize("failure", FAILURES)
def test_a_lone_client_is_answered_at_its_second_try(
    failure: str, start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    """4 seconds after it was switched on, as firmware asks then."""
    daemon = start(config(), options=())
    first = crowd.begin(1)
    crowd.run(0.5)
    assert who(first) == [A]
    with FAILURES[failure](both[A]):
        second = crowd.begin(2)
        crowd.run(3.9)
        assert who(second) == []
        assert state(daemon, A) == "doubtful"
        crowd.run(0.6)
        assert who(second) == [B]
        assert second.waited is not None
        assert 4.0 <= second.waited < 4.5
        print(f"failover gap, a lone client, {failure}: {second.waited:.2f} s")
        crowd.run(3.0)
        assert state(daemon, A) == "down"
        third = crowd.begin(3)
        crowd.run(0.5)
        assert who(third) == [B]
        assert third.waited is not None
        assert third.waited < 0.5


@pytest.mark.parametrize("failure", FAILURES)
def test_of_many_clients_each_is_answered_at_its_second_try_at_the_latest(
    failure: str, start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    """One each 50 ms; the server fails after two seconds of that."""
    daemon = start(config(), options=())
    stream = crowd.stream(100, 0.05, 10.0)
    crowd.run(2.0)
    with FAILURES[failure](both[A]):
        crowd.run(13.0)
        gap = [client for client in stream if client.waited is None or client.waited > 0.5]
        seconds = gap[-1].began - gap[0].began
        unserved = sum(client.waited is None for client in stream)
        longest = max(client.waited or 0.0 for client in stream)
        print(f"failover gap, a client each 50 ms, {failure}: {seconds:.2f} s, {len(gap)} clients had to ask")
        print(f"  again, {unserved} had no answer at all, the longest wait was {longest:.2f} s")
        assert unserved == 0
        assert 1.0 < seconds < 4.0, "until new clients are answered at once"
        assert longest < 4.6
        assert state(daemon, A) == "down"
        assert f"<4>server boot {A} is down: " in daemon.log


def test_a_classroom_that_is_switched_on_when_its_server_is_dead(
    start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    """300 clients in a second, of whom the relay knows nobody yet."""
    daemon = start(config(), options=())
    with killed(both[A]):
        room = crowd.stream(1000, 1 / 300, 1.0)
        crowd.run(7.0)
        assert {tuple(who(client)) for client in room} == {(B,)}
        longest = max(client.waited or 0.0 for client in room)
        print(f"a classroom of {len(room)}: the longest wait was {longest:.2f} s")
        assert longest < 5.0
        assert state(daemon, A) == "down"


def test_all_servers_down_is_no_reason_to_ask_nobody(
    start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    daemon = start(config(), options=())
    with killed(both[A]):
        with killed(both[B]):
            crowd.stream(100, 0.05, 5.0)
            daemon.wait_for(lambda: state_after(crowd, 0.2, daemon, B) == "down", 20)
            assert state(daemon, A) == "down"
        fresh = crowd.begin(900)
        crowd.run(0.7)
        assert who(fresh) == [B]
        crowd.run(0.5)
        assert state(daemon, B) == "returning"
