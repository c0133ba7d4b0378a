"""`pxerelay probe`: a client that is not there asks real servers through the running daemon."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from pxerelay.wire import packet
from tests.integration.conftest import BASE
from tests.lab import Host
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import ALTIRIS, BOOT_FILES, RIS, Network
from tests.lab.wire import FakeServer, Station

Start = Callable[..., Daemon]

LISTED, UNLISTED, DROPPED = "02:00:00:10:00:01", "02:00:00:10:00:77", "02:00:00:de:ad:01"


@pytest.fixture(scope="module", autouse=True)
def stage(network: Network) -> Iterator[None]:
    for server in network.servers:
        server.start()
    yield
    for server in network.servers:
        server.stop()


def ask(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*PXERELAY, "probe", "--socket", str(daemon.socket), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def found(daemon: Daemon, *arguments: str) -> dict[str, Any]:
    done = ask(daemon, "--json", *arguments)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("mac", "interface", "server", "name"),
    [
        (LISTED, "vlan10", ALTIRIS, "altiris"),
        (UNLISTED, "vlan10", RIS, "ris"),
        (UNLISTED, "vlan20", ALTIRIS, "altiris"),
    ],
)
def test_the_server_that_the_client_belongs_to_answers(
    start: Start, mac: str, interface: str, server: str, name: str
) -> None:
    daemon = start()
    answer = found(daemon, mac, "--interface", interface)
    assert answer["servers"] == [f"{name} {server}"]
    (offer,) = answer["answers"]
    assert (offer["identifier"], offer["known_as"]) == (server, [name, server])
    assert offer["boot_file"] == BOOT_FILES[server]
    assert offer["address"].startswith(f"10.10.{interface[4:]}.")
    assert ask(daemon, mac, "--interface", interface, "--expect", name).returncode == 0
    assert ask(daemon, mac, "--interface", interface, "--expect", server).returncode == 0


def test_another_server_than_the_expected_one_is_a_finding(start: Start) -> None:
    done = ask(start(), LISTED, "--interface", "vlan10", "--expect", "ris")
    assert done.returncode == 1
    assert f"altiris {ALTIRIS} after " in done.stdout
    assert f"boot file {BOOT_FILES[ALTIRIS]}" in done.stdout


@pytest.mark.parametrize("seconds", ["nan", "inf"])
def test_a_time_that_is_none_is_refused(start: Start, seconds: str) -> None:
    done = ask(start(), LISTED, "--interface", "vlan10", "--seconds", seconds)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_server_that_calls_itself_by_our_address_is_known_by_where_it_sends_from(start: Start) -> None:
    """RFC 5107: with server-id override option 54 is the relay's address."""
    daemon = start(BASE + "option82: {circuit_id: x, server_override: true}\n")
    assert ask(daemon, LISTED, "--interface", "vlan10", "--expect", "altiris").returncode == 0


def test_silence_is_a_finding_and_takes_no_longer_than_allowed(start: Start) -> None:
    daemon = start(BASE.replace("altiris: 10.20.0.20", "altiris: 10.20.0.99"))
    done = ask(daemon, LISTED, "--interface", "vlan10", "--seconds", "0.2")
    assert (done.returncode, done.stdout.splitlines()[1:]) == (1, ["  no answer"])


def test_a_client_that_is_never_served_is_told_as_such(start: Start) -> None:
    done = ask(start(), DROPPED, "--interface", "vlan10")
    assert (done.returncode, done.stdout) == (1, f"{DROPPED} on vlan10: not relayed: the mapping says drop\n")


@pytest.mark.parametrize(
    ("arguments", "complaint", "code"),
    [
        ((LISTED,), "say on which client interface, of those that are active: vlan10, vlan20", 1),
        ((LISTED, "--interface", "core"), "core is no client interface of this relay", 1),
        (("02:00:00:10:00", "--interface", "vlan10"), "02:00:00:10:00", 2),
        ((LISTED, "--interface", "vlan10", "--expect", "altris"), "did you mean 'altiris'?", 1),
        ((LISTED, "--interface", "vlan10", "--expect", "10.20.0"), "named '10.20.0'; known: altiris, ris", 1),
        ((LISTED, "--interface", "vlan10", "--arch", "x87"), "no architecture is named 'x87'", 2),
    ],
)
def test_what_can_not_be_asked_is_refused(
    start: Start, arguments: tuple[str, ...], complaint: str, code: int
) -> None:
    done = ask(start(), *arguments)
    assert complaint in done.stderr
    assert done.returncode == code


def test_no_client_hears_an_answer_that_comes_too_late(start: Start, network: Network, client: Host) -> None:
    network.ris.stop()
    try:
        daemon = start()
        with closing(FakeServer(network.ris.host)) as server, closing(Station(client)) as station:
            assert ask(daemon, UNLISTED, "--interface", "vlan10", "--seconds", "0.1").returncode == 1
            received = server.receive()
            assert received is not None
            late = bytearray(received[0])
            late[packet.OP] = packet.BOOTREPLY
            server.send(late, "10.10.10.1")
            assert station.datagrams(0.5) == []
        counters = daemon.status()["counters"]
        assert (counters["replies"], counters["sent_to_clients"]) == (0, 0)
        assert "sent to everyone" not in daemon.log
    finally:
        network.ris.start()


def test_no_client_hears_what_a_probe_is_answered(start: Start, client: Host) -> None:
    daemon = start()
    with closing(Station(client)) as station:
        assert found(daemon, UNLISTED, "--interface", "vlan10")["answers"]
        assert station.datagrams(0.5) == []
    assert daemon.status()["counters"]["sent_to_clients"] == 0
