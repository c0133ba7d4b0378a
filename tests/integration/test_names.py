"""Servers known by DNS name: a real resolver, a real DNS server, answers that change and fail."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pxerelay.linux import control_client
from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.dns import Dns
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import request

NAMED = BASE.replace("ris: 10.20.0.10", "ris: wds.example.net")
FAST = """\
import sys
from pxerelay import cli
from pxerelay.linux import names
names.INTERVAL = 0.3
sys.exit(cli.main())
"""
HASTY = FAST.replace("names.INTERVAL = 0.3", "names.TIMEOUT = 0.5")


@pytest.fixture(scope="module")
def dns(network: Network) -> Iterator[Dns]:
    dns = Dns(network)
    network.add_client("probe", "02:00:00:00:00:01")
    yield dns
    dns.close()


@pytest.fixture
def station(network: Network, dns: Dns) -> Iterator[Station]:
    dns.stop()
    with closing(Station(network.client("probe"))) as station:
        yield station


def test_a_name_is_resolved_at_load_and_again_and_its_last_answer_kept(
    network: Network, dns: Dns, station: Station, tmp_path: Path
) -> None:
    dns.serve("10.20.0.10")
    daemon = Daemon(network, tmp_path, NAMED, command=[sys.executable, "-c", FAST])

    def answer() -> tuple[list[str], bool]:
        told = daemon.status()["dns"]["wds.example.net"]
        return told["addresses"], told["error"] is not None

    with closing(FakeServer(network.ris.host)) as ris, closing(FakeServer(network.altiris.host)) as altiris:
        assert answer() == (["10.20.0.10"], False)
        station.send(request())
        assert ris.receive() is not None

        dns.stop()
        daemon.wait_for(lambda: answer() == (["10.20.0.10"], True), 15)
        assert "<4>server wds.example.net: " in daemon.log
        station.send(request())
        assert ris.receive() is not None, "the last answer is kept"

        dns.serve("10.20.0.20")
        daemon.wait_for(lambda: answer() == (["10.20.0.20"], False), 15)
        station.send(request())
        assert altiris.receive() is not None
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


def test_an_answer_that_comes_after_its_round_is_taken(
    network: Network, dns: Dns, station: Station, tmp_path: Path
) -> None:
    dns.serve("10.20.0.10")
    dns.point_first_at_nobody()
    daemon = Daemon(network, tmp_path, NAMED, command=[sys.executable, "-c", HASTY])
    assert daemon.status()["dns"]["wds.example.net"]["error"] == "no answer within 0 s"
    daemon.wait_for(lambda: daemon.status()["dns"]["wds.example.net"]["addresses"] == ["10.20.0.10"], 5)
    dns.point(timeout=1)
    with closing(FakeServer(network.ris.host)) as ris:
        station.send(request())
        assert ris.receive() is not None
    assert daemon.stop() == 0


def test_a_name_that_never_was_resolved_does_not_keep_others_from_their_server(
    start: Callable[..., Daemon], network: Network, station: Station
) -> None:
    daemon = start(NAMED)
    assert daemon.status()["dns"]["wds.example.net"]["addresses"] == []
    with closing(FakeServer(network.altiris.host)) as altiris:
        station.send(request())
        station.send(request(chaddr="02:80:64:00:00:01"))
        assert altiris.receive() is not None
    assert daemon.status()["counters"]["dropped"]["not-resolved"] == 1


def test_a_dns_server_that_never_answers_holds_up_neither_start_nor_reload_nor_packets_nor_the_end(
    network: Network, dns: Dns, station: Station, tmp_path: Path
) -> None:
    with closing(dns.silence()) as silent, closing(FakeServer(network.altiris.host)) as altiris:
        began = time.monotonic()
        daemon = Daemon(network, tmp_path, NAMED)
        assert time.monotonic() - began < 4
        assert silent.receive() is not None, "the name was asked for"
        assert daemon.status()["dns"]["wds.example.net"]["error"] == "not looked up yet"
        daemon.wait_for(
            lambda: daemon.status()["dns"]["wds.example.net"]["error"] == "no answer within 5 s", 8
        )
        answers: list[dict[str, object]] = []
        reloading = threading.Thread(target=lambda: answers.append(daemon.reload(NAMED)))
        reloading.start()
        for _ in range(10):
            station.send(request(chaddr="02:80:64:00:00:01"))
            assert altiris.receive() is not None
        assert reloading.is_alive()
        reloading.join(8)
        assert answers[0]["rules"] == 4
        daemon.process.send_signal(signal.SIGHUP)
        assert silent.receive(0.3) is None, "what is still being asked for is not asked for again"
        assert daemon.stop() == 0, "within 5 seconds, while the resolver is still waiting"
    dns.point(timeout=1)
    assert "Traceback" not in daemon.log


def test_while_dns_is_silent_at_the_start_packets_of_other_servers_are_relayed(
    network: Network, dns: Dns, station: Station, tmp_path: Path
) -> None:
    """Before the first answer, and before the service manager is told that the daemon is up."""
    path = tmp_path / "notify"
    with (
        closing(dns.silence()),
        closing(FakeServer(network.altiris.host)) as altiris,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(path))
        manager.settimeout(10)
        command = ["env", f"NOTIFY_SOCKET={path}", *PXERELAY]
        config, log = tmp_path / "c.yml", tmp_path / "log"
        config.write_text(NAMED)
        with log.open("w") as out:
            process = network.relay.popen(
                [*command, "run", "--config", str(config), "--socket", str(tmp_path / "s")], stderr=out
            )
        deadline = time.monotonic() + 10
        while not (log.exists() and "vlan10 active" in log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = time.monotonic()
        station.send(request(chaddr="02:80:64:00:00:01"))
        assert altiris.receive(0.5) is not None
        manager.recv(4096)
        assert time.monotonic() - began < 2, "it does not wait for names"
        station.send(request())
        told = control_client.ask(tmp_path / "s", "status")
        assert told["dns"]["wds.example.net"] == {"addresses": [], "error": "not looked up yet"}
        assert told["counters"]["dropped"]["not-resolved"] == 1
        process.terminate()
        assert process.wait(5) == 0
    dns.point(timeout=1)
    assert "Traceback" not in log.read_text()


def test_names_that_are_answered_are_there_when_the_daemon_says_that_it_is_up(
    network: Network, dns: Dns, station: Station, tmp_path: Path
) -> None:
    dns.serve("10.20.0.10")
    daemon = Daemon(network, tmp_path, NAMED)
    assert daemon.status()["dns"]["wds.example.net"] == {"addresses": ["10.20.0.10"], "error": None}
    with closing(FakeServer(network.ris.host)) as ris:
        station.send(request())
        assert ris.receive() is not None
    assert daemon.stop() == 0
