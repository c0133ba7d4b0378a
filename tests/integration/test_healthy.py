"""`pxerelay healthy`, `drain` and `undrain` with a running daemon: each reason, and what ends it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pxerelay.wire import packet
from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.dns import Dns
from tests.lab.topology import RIS, Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import OFFER, reply, request

Start = Callable[..., Daemon]

WAIT = 60.0
"""Seconds that a state may take to come; how long it takes is not what is tested here."""

POOLED = BASE.replace(
    "ris: 10.20.0.10",
    "ris: {addresses: [10.20.0.10, 10.20.0.11], strategy: failover, probe: {every: 1, timeout: 1}}",
)
NAMED = BASE.replace("ris: 10.20.0.10", "ris: wds.example.net")


class Told:
    """What `pxerelay healthy` said of a daemon."""

    def __init__(self, daemon: Daemon, *options: str, timeout: str = "20") -> None:
        command = [*PXERELAY, "healthy", "--socket", str(daemon.socket), "--timeout", timeout, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT * 2)
        self.code, self.error = done.returncode, done.stderr
        self.state, *lines = done.stdout.splitlines() or [""]
        self.reasons = {word: text.strip() for word, _, text in (line.partition(" ") for line in lines)}

    @property
    def words(self) -> tuple[int, str, set[str]]:
        """The exit code, the state, and the reasons' words."""
        return self.code, self.state, set(self.reasons)


WELL: tuple[int, str, set[str]] = (0, "well", set())


def degraded(*reasons: str) -> tuple[int, str, set[str]]:
    return 1, "degraded", set(reasons)


def becomes(daemon: Daemon, expected: tuple[int, str, set[str]]) -> None:
    daemon.wait_for(lambda: Told(daemon).words == expected, WAIT)


def said(daemon: Daemon, command: str) -> str:
    done = subprocess.run(
        [*PXERELAY, command, "--socket", str(daemon.socket)],
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT,
    )
    return done.stdout


def relayed(station: Station, server: FakeServer, count: int = 1) -> None:
    """Have so many requests relayed; a slow machine loses some, and clients ask again."""
    deadline = time.monotonic() + WAIT
    while count:
        station.send(request())
        count -= server.receive() is not None
        assert time.monotonic() < deadline, "no request comes through"


def test_a_daemon_that_is_well_says_so_everywhere(start: Start) -> None:
    daemon = start()
    assert Told(daemon).words == WELL
    assert daemon.status()["health"] == {"state": "well", "reasons": []}


def test_drained_it_relays_and_says_so_until_that_is_undone(
    start: Start, network: Network, station: Station, server: FakeServer, tmp_path: Path
) -> None:
    daemon = start()
    assert said(daemon, "drain").startswith("out of rotation since 20")
    assert Told(daemon).words == degraded("drained")
    since = Told(daemon).reasons["drained"]
    assert said(daemon, "drain") == f"nothing to do: {since}\n"
    assert daemon.status()["health"] == {
        "state": "degraded",
        "reasons": [{"reason": "drained", "text": since}],
    }
    relayed(station, server)
    assert "error" not in daemon.reload(BASE)
    assert Told(daemon).reasons == {"drained": since}
    assert daemon.stop() == 0
    daemon = Daemon(network, daemon.socket.parent, BASE)
    try:
        assert Told(daemon).reasons == {"drained": since}
        assert f"<4>{since}: pxerelay undrain ends it" in daemon.log
        daemon.process.kill()
        daemon.process.wait(timeout=WAIT)
        daemon = Daemon(network, daemon.socket.parent, BASE)
        assert Told(daemon).reasons == {"drained": since}
        assert said(daemon, "undrain") == "in rotation\n"
        assert said(daemon, "undrain") == "nothing to do: in rotation\n"
        assert Told(daemon).words == WELL
        assert "back in rotation" in daemon.log
    finally:
        daemon.stop()
    assert list(tmp_path.rglob("*.drained")) == []


def test_the_state_directory_remembers_it(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As systemd names it; also where the file is made before there is a daemon."""
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "control_client.drained").touch()
    monkeypatch.setenv("STATE_DIRECTORY", f"{folder}:{tmp_path}")
    daemon = start()
    assert Told(daemon).words == degraded("drained")
    said(daemon, "undrain")
    assert list(folder.iterdir()) == []
    said(daemon, "drain")
    assert [path.name for path in folder.iterdir()] == ["control_client.drained"]


def test_what_cannot_be_remembered_is_refused(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "none"))
    daemon = start()
    done = subprocess.run(
        [*PXERELAY, "drain", "--socket", str(daemon.socket)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )
    path = tmp_path / "none" / "control_client.drained"
    assert (done.returncode, done.stderr) == (1, f"nothing changed: {path}: No such file or directory\n")
    assert Told(daemon).words == WELL


def test_another_configuration_than_expected(start: Start) -> None:
    daemon = start()
    sha = daemon.status()["config"]["sha256"]
    assert Told(daemon, "--expect-sha256", sha).words == WELL
    assert "error" in daemon.reload(BASE + "defalt: ris\n"), "what is refused is not in force"
    assert Told(daemon, "--expect-sha256", sha).words == WELL
    assert "error" not in daemon.reload(BASE + "max_hops: 5\n")
    told = Told(daemon, "--expect-sha256", sha)
    assert told.words == degraded("other-sha256")
    assert daemon.status()["config"]["sha256"] in told.reasons["other-sha256"]


def test_most_of_what_is_sent_fails(
    start: Start, network: Network, station: Station, server: FakeServer
) -> None:
    """Of one server's way alone: other servers have a route."""
    daemon = start(BASE, options=())
    network.relay.ip(f"route add unreachable {RIS}/32")
    try:
        station.send(request())
        daemon.wait_for(lambda: daemon.status()["counters"]["send_failures"] == 1, WAIT)
        assert Told(daemon).words == WELL, "one may be an accident"
        for _ in range(3):
            station.send(request())
        becomes(daemon, degraded("sends-fail"))
        text = r"(\d+) of the last \1 requests for servers could not be sent; the log says why"
        assert re.fullmatch(text, Told(daemon).reasons["sends-fail"])
    finally:
        network.relay.ip(f"route del unreachable {RIS}/32")
    relayed(station, server, 20)
    becomes(daemon, WELL)


def test_no_route_to_any_server_is_seen_without_a_client(start: Start, network: Network) -> None:
    daemon = start(options=())
    network.relay.ip("route add unreachable 10.20.0.10/32", "route add unreachable 10.20.0.20/32")
    try:
        becomes(daemon, degraded("no-route"))
        assert Told(daemon).reasons["no-route"] == "no route leads to 10.20.0.10, 10.20.0.20"
        network.relay.ip("route del unreachable 10.20.0.20/32")
        becomes(daemon, WELL)
    finally:
        network.relay.ip("route del unreachable 10.20.0.10/32")


def test_what_is_not_read_in_time(start: Start, station: Station, server: FakeServer) -> None:
    daemon = start(options=())
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(20):
            station.send(request())
        assert Told(daemon, timeout="1.5").code == 3, "and so they have waited for more than a second"
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    becomes(daemon, degraded("late"))
    assert daemon.status()["counters"]["dropped"]["too-old"] >= 20
    relayed(station, server, 500)
    becomes(daemon, WELL)


@contextmanager
def answering(server: FakeServer) -> Iterator[None]:
    """Have a server answer each question until the end of the block."""
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            heard = server.receive(0.1)
            if heard:
                offer = reply(OFFER)
                offer[packet.XID], offer[packet.CHADDR] = heard[0][packet.XID], heard[0][packet.CHADDR]
                server.send(offer, "10.10.10.1")

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    over.set()
    thread.join()


def test_first_answers_are_awaited_and_then_a_pool_is_down(start: Start, server: FakeServer) -> None:
    """No server answers: after two questions the relay is used all the same, others may fare no better."""
    daemon = start(POOLED, options=())
    told = Told(daemon)
    assert told.words == (2, "not ready", {"probes-outstanding"})
    becomes(daemon, degraded("pool-down"))
    assert Told(daemon).reasons["pool-down"] == f"all servers of ris are down: {RIS}, 10.20.0.11"
    with answering(server):
        becomes(daemon, WELL)
        assert "error" not in daemon.reload(POOLED + "dhcp_servers: []\n")
    becomes(daemon, degraded("pool-down"))


def test_a_reload_that_adds_servers_does_not_make_it_begin_anew(start: Start) -> None:
    daemon = start(options=())
    assert Told(daemon).words == WELL
    states: set[str] = set()

    def seen() -> bool:
        states.add(Told(daemon).state)
        return "degraded" in states

    assert "error" not in daemon.reload(POOLED)
    daemon.wait_for(seen, WAIT)
    assert "not ready" not in states


HASTY = """\
import sys
from pxerelay import cli
from pxerelay.linux import names
names.INTERVAL = 0.5
sys.exit(cli.main())
"""


def test_names_are_awaited_and_then_missed(start: Start, network: Network) -> None:
    dns = Dns(network)
    try:
        silent = dns.silence()
        daemon = start(NAMED, options=(), command=(sys.executable, "-c", HASTY))
        told = Told(daemon)
        assert told.words == (2, "not ready", {"names-outstanding"})
        assert told.reasons["names-outstanding"] == "no answer yet for wds.example.net"
        becomes(daemon, degraded("no-address"))
        assert "wds.example.net" in Told(daemon).reasons["no-address"]
        silent.close()
        dns.serve(RIS)
        becomes(daemon, WELL)
    finally:
        dns.close()


def test_nobody_answers(start: Start) -> None:
    daemon = start(options=())
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        told = Told(daemon, timeout="1")
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert told.code == 3
    assert "has not answered within 1 s" in told.error
    assert Told(daemon).words == WELL
    daemon.process.kill()
    daemon.process.wait(timeout=WAIT)
    told = Told(daemon)
    assert told.code == 3
    assert "no daemon answers at" in told.error
