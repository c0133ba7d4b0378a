"""Which of several servers a client has, and probes."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from tests.integration.health.conftest import A, B, Start, config, frozen, killed, state, who
from tests.lab.crowd import Client, Crowd
from tests.lab.servers import Dnsmasq
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station


def test_rule_08_a_hash_keeps_each_client_on_its_server(
    start: Start,
    both: dict[str, Dnsmasq],  # noqa: ARG001  # they run
    station: Station,
) -> None:
    """Across DISCOVER and REQUEST, a reload, and a restart."""
    crowd = Crowd(station, requests=True)
    daemon = start(config("hash"), options=())
    stream = crowd.stream(1, 0.02, 2.0)
    crowd.run(2.5)
    first = {client.number: tuple(who(client)) for client in stream}
    assert all(client.confirmed and (client.confirmed[0],) == first[client.number] for client in stream)
    spread = Counter(first.values())
    assert set(spread) == {(A,), (B,)}
    assert all(30 < count < 70 for count in spread.values())
    daemon.reload(config("hash", ", probe: {every: 3600}"))
    again = crowd.stream(1, 0.02, 2.0)
    crowd.run(2.5)
    assert {client.number: tuple(who(client)) for client in again} == first
    daemon.stop()
    start(config("hash"), options=())
    again = crowd.stream(1, 0.02, 2.0)
    crowd.run(2.5)
    assert {client.number: tuple(who(client)) for client in again} == first


def test_of_a_hash_only_the_clients_of_the_dead_server_move(
    start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    daemon = start(config("hash"), options=())
    crowd.stream(1, 0.02, 2.0)
    crowd.run(2.5)
    first = {number: tuple(who(client)) for number, client in crowd.clients.items()}
    with killed(both[A]):
        stream = crowd.stream(1, 0.02, 2.0)
        crowd.run(7.0)
        assert state(daemon, A) == "down"
        assert {tuple(who(client)) for client in stream} == {(B,)}
        prompt = {client.number for client in stream if client.waited is not None and client.waited < 0.5}
        assert {number for number, servers in first.items() if servers == (B,)} <= prompt


def test_probes_decide_where_they_are_wanted(start: Start, both: dict[str, Dnsmasq], crowd: Crowd) -> None:
    daemon = start(config(more=", probe: {every: 1, timeout: 1}"), options=())
    with frozen(both[A]):
        daemon.wait_for(lambda: state(daemon, A) == "down", 10)
        assert f"server boot {A} is down: 2 questions in a row, no answer" in daemon.log
        fresh = crowd.begin(1)
        crowd.run(0.5)
        assert who(fresh) == [B], "nobody had to wait for that"
    daemon.wait_for(lambda: state(daemon, A) == "returning", 10)
    assert state(daemon, B) == "up"


def test_a_probe_that_comes_seldom_is_hurried_by_a_client_without_an_answer(
    start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    """So that a client waits no longer than without a probe."""
    daemon = start(config(more=", probe: {every: 3600, timeout: 2}"), options=())
    daemon.wait_for(lambda: "10.10.10.1" in both[A].log, 5)
    with killed(both[A]):
        lone = crowd.begin(1)
        crowd.run(4.6)
        assert who(lone) == [B]
        daemon.wait_for(lambda: state(daemon, A) == "down", 10)
    assert state(daemon, B) == "up"


def test_behind_routers_probes_decide(network: Network, start: Start, both: dict[str, Dnsmasq]) -> None:
    """The answers to clients go straight to the router; those to us come back to port 67."""
    router = network.lab.host("router")
    router.attach(network.segments["core"], "eth0", addresses=["10.20.0.254/24"])
    pool = f"boot: {{addresses: [{A}, {B}], strategy: failover, probe: {{every: 1, timeout: 1}}}}"
    text = f"servers: {{{pool}}}\ndefault: boot\naccept_relayed_from: [10.20.0.254]\n"
    with closing(FakeServer(router)) as wire:
        daemon = start(text, options=())
        client = Client(1, 0.0)

        def asked() -> str | None:
            message = bytearray(client.message(1))
            message[24:28] = bytes((10, 20, 0, 254))
            wire.send(message, "10.20.0.1")
            answer = wire.receive(1.0)
            return answer[1] if answer else None

        assert asked() == A
        with killed(both[A]):
            daemon.wait_for(lambda: state(daemon, A) == "down", 10)
            assert asked() == B
        daemon.wait_for(lambda: state(daemon, A) == "returning", 10)
        assert asked() == B, "for a while"
        assert daemon.status()["counters"]["dropped"]["not-our-giaddr"] == 0, "answers to us were expected"


def test_a_daemon_without_pools_does_not_wake_up(start: Start) -> None:
    """Its process sleeps: no switch of context by itself in two seconds."""
    daemon = start(config("all"), options=())

    def switches() -> int:
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        return int(status.split("voluntary_ctxt_switches:")[1].split()[0])

    time.sleep(1.0)
    before = switches()
    time.sleep(2.0)
    assert switches() - before <= 1
