"""Servers that die, hang, come back and come and go, and the clients that boot meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.lab import Host
from tests.lab.crowd import Client, Crowd
from tests.lab.daemon import Daemon
from tests.lab.servers import Dnsmasq, Pool
from tests.lab.topology import ALTIRIS, BOOT_FILES, CLIENT_VLANS, RIS, Network
from tests.lab.wire import FakeServer, Station

Start = Callable[..., Daemon]

A, B = RIS, ALTIRIS
CONFIG = """\
servers: {{boot: {{addresses: [{a}, {b}], strategy: {strategy}{more}}}}}
default: boot
interfaces: {{vlan10: {{}}, vlan20: {{}}}}
"""


def config(strategy: str = "failover", more: str = "") -> str:
    return CONFIG.format(a=A, b=B, strategy=strategy, more=more)


@pytest.fixture(scope="module")
def servers(network: Network) -> dict[str, Dnsmasq]:
    """Two servers of one kind, each with addresses of its own to give."""
    made = {}
    for host, address, first, last in (("boot1", A, 20, 120), ("boot2", B, 130, 230)):
        pools = [Pool(subnet, str(subnet[first]), str(subnet[last])) for subnet in CLIENT_VLANS.values()]
        core = IPv4Network("10.20.0.0/24")
        pools.append(Pool(core, str(core[first + 10]), str(core[last])))
        made[address] = Dnsmasq(
            Host(network.lab, host), address=address, pools=pools, bootfile=BOOT_FILES[address]
        )
    return made


@pytest.fixture
def both(servers: dict[str, Dnsmasq]) -> Iterator[dict[str, Dnsmasq]]:
    """Have both of them run."""
    for server in servers.values():
        server.path("leases").unlink(missing_ok=True)
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def crowd(station: Station) -> Crowd:
    return Crowd(station)


@contextmanager
def killed(server: Dnsmasq) -> Iterator[None]:
    """End the process: the kernel says so to whoever asks (ICMP port unreachable)."""
    server.stop()
    yield
    server.start()


@contextmanager
def unplugged(server: Dnsmasq) -> Iterator[None]:
    """Take the host off the network: nobody answers for it."""
    server.host.ip("link set eth0 down")
    yield
    server.host.ip("link set eth0 up")
    server.host.route("10.10.0.0/16", "10.20.0.1")


@contextmanager
def frozen(server: Dnsmasq) -> Iterator[None]:
    """Stop the process: when it goes on it answers all that it was asked meanwhile."""
    assert server.process
    os.kill(server.process.pid, signal.SIGSTOP)
    yield
    os.kill(server.process.pid, signal.SIGCONT)


FAILURES = {"killed": killed, "unplugged": unplugged, "frozen": frozen}


def state(daemon: Daemon, address: str) -> str:
    told = daemon.status()["servers"]["boot"][address]
    return "doubtful" if told["doubtful"] else "returning" if told["returns_in"] else told["state"]


def copies(daemon: Daemon) -> dict[str, int]:
    """Return how many requests each server was sent."""
    return {address: row["requests"] for address, row in daemon.status()["servers"]["boot"].items()}


def _after(crowd: Crowd, seconds: float, daemon: Daemon, address: str) -> str:
    crowd.run(seconds)
    return state(daemon, address)


def who(client: Client) -> list[str]:
    return [server for server, _ in client.offers]


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
    daemon.wait_for(lambda: _after(crowd, 0.5, daemon, A) == "returning", 15)
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


def test_all_servers_down_is_no_reason_to_ask_nobody(
    start: Start, both: dict[str, Dnsmasq], crowd: Crowd
) -> None:
    daemon = start(config(), options=())
    with killed(both[A]):
        with killed(both[B]):
            crowd.stream(100, 0.05, 5.0)
            daemon.wait_for(lambda: _after(crowd, 0.2, daemon, B) == "down", 20)
            assert state(daemon, A) == "down"
        fresh = crowd.begin(900)
        crowd.run(0.7)
        assert who(fresh) == [B]
        crowd.run(0.5)
        assert state(daemon, B) == "returning"


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
