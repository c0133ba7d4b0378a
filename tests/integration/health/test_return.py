"""Servers that come back, and those that come and go."""

from __future__ import annotations

from tests.integration.health.conftest import A, B, Start, config, copies, killed, state, state_after, who
from tests.lab.crowd import Crowd
from tests.lab.servers import Dnsmasq
from tests.lab.wire import Station


def test_rule_08_a_client_in_the_middle_of_a_boot_stays_when_its_server_returns(
    start: Start, both: dict[str, Dnsmasq], station: Station
) -> None:
    crowd = Crowd(station, requests=True)
    daemon = start(config(), options=())
    early = crowd.begin(1)
    crowd.run(0.5)
    assert early.confirmed is not None
    assert early.confirmed[0] == A
    with killed(both[A]):
        stream = crowd.stream(10, 0.2, 4.0)
        crowd.run(8.5)
        assert state(daemon, A) == "down"
        before = copies(daemon)
        crowd.ask_again(early, "REQUEST")
        crowd.run(0.3)
        after = copies(daemon)
        assert (after[A] - before[A], after[B] - before[B]) == (1, 0), "its address is A's to confirm"
        crowd.ask_again(early, "DISCOVER")
        crowd.run(0.5)
        assert who(early)[-1] == B, "a new boot goes where somebody answers"
    waiting = crowd.stream(200, 1.0, 15.0)
    daemon.wait_for(lambda: state_after(crowd, 0.5, daemon, A) == "returning", 15)
    assert set(map(tuple, map(who, (client for client in waiting if client.offers)))) == {(B,)}
    crowd.run(31)
    assert state(daemon, A) == "up"
    fresh = crowd.begin(900)
    crowd.run(0.5)
    assert who(fresh) == [A]
    late = next(client for client in reversed(waiting) if client.offers)
    late.confirmed = None
    for kind in ("DISCOVER", "REQUEST"):
        crowd.ask_again(late, kind)
        crowd.run(0.3)
    assert who(late)[-1] == B, "its second DISCOVER, iPXE's, goes where the first went"
    assert late.confirmed is not None
    assert late.confirmed[0] == B
    assert all(client.confirmed for client in stream)


def test_a_server_that_comes_and_goes_does_not_take_its_clients_along(
    start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    daemon = start(config(), options=())
    stream = crowd.stream(100, 0.1, 40.0)
    for _ in range(3):
        with killed(both[A]):
            crowd.run(8.0)
            assert state(daemon, A) == "down"
        crowd.run(2.0)
    crowd.run(10.0)
    late = [client for client in stream if client.began - stream[0].began > 8]
    assert all(client.waited is not None and client.waited < 0.5 for client in late), (
        "only the first fall is felt"
    )
    assert {tuple(who(client)) for client in late} == {(B,)}
