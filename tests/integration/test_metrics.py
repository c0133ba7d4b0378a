"""Metrics of a running daemon, asked for over real sockets, while real packets pass."""

from __future__ import annotations

import fcntl
import http.client
import os
import pty
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pxerelay.daemon.metrics import NAMES
from pxerelay.wire import packet
from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.messages import mac, reply, request

Start = Callable[..., Daemon]
Metrics = dict[str, dict[tuple[tuple[str, str], ...], float]]

PORT = 9967
NOTHING_TO_TELL = {"pxerelay_server_up", "pxerelay_mac_source_total"}
"""Metrics that need servers to choose from, or DHCPv6."""

TCP = BASE + f"metrics: 127.0.0.1:{PORT}\n"


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def scraped(network: Network, path: Path | None = None) -> Metrics:
    """Return all samples by name and labels, parsed by Prometheus' own client library."""
    connection: http.client.HTTPConnection
    connection = _Unix(path) if path else http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    with inside(network.relay):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
    assert answer.status == 200
    found: Metrics = {}
    for family in text_string_to_metric_families(answer.read().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    connection.close()
    return found


def of(metrics: Metrics, name: str, **labels: str) -> float:
    """Return one sample; where it has a family and none is named, DHCPv4's."""
    known = NAMES.get(name.removesuffix("_count").removesuffix("_sum"))
    if known and "family" in known[1]:
        labels.setdefault("family", "4")
    return metrics[name][tuple(sorted(labels.items()))]


def send(station: Station, server: FakeServer, chaddr: str) -> None:
    """Have a client ask and the server answer."""
    asked = request(chaddr=chaddr)
    asked[packet.XID] = mac(chaddr)[-4:]
    station.send(asked)
    heard = server.receive()
    assert heard
    answer = reply()
    answer[packet.XID], answer[packet.CHADDR] = heard[0][packet.XID], heard[0][packet.CHADDR]
    server.send(answer, "10.10.10.1")


@pytest.mark.parametrize("options", [(), ("--debug",)], ids=["fast path", "debug"])
def test_what_passes_is_counted_by_interface_server_and_kind_of_rule(
    start: Start, network: Network, station: Station, server: FakeServer, options: tuple[str, ...]
) -> None:
    daemon = start(TCP, options=options)
    for at in range(5):
        send(station, server, f"02:00:00:20:00:0{at}")
    daemon.wait_for(lambda: daemon.status()["counters"]["replies"] == 5)  # the last client is another one
    station.send(request(chaddr="02:00:00:10:00:01"))  # altiris is not there
    station.send(request(chaddr="02:00:00:de:ad:01"))
    daemon.wait_for(lambda: daemon.status()["counters"]["dropped"]["mapped-to-drop"] == 1)
    found = scraped(network)
    ris = {"server": "ris", "address": "10.20.0.10"}
    altiris = {"server": "altiris", "address": "10.20.0.20"}
    assert of(found, "pxerelay_requests_total", interface="vlan10", rule="default") == 5
    assert of(found, "pxerelay_requests_total", interface="vlan10", rule="mac") == 1
    assert of(found, "pxerelay_replies_total", interface="vlan10") == 5
    assert of(found, "pxerelay_server_requests_total", interface="vlan10", **ris) == 5
    assert of(found, "pxerelay_server_requests_total", interface="vlan10", **altiris) == 1
    assert of(found, "pxerelay_server_replies_total", interface="vlan10", **ris) == 5
    assert of(found, "pxerelay_server_answered_total", **ris) == 5
    assert of(found, "pxerelay_server_answer_seconds_count", **ris) == 5
    assert 0 < of(found, "pxerelay_server_answer_seconds_sum", **ris) < 5
    assert of(found, "pxerelay_dropped_total", interface="vlan10", reason="mapped-to-drop") == 1
    assert of(found, "pxerelay_interface_active", interface="vlan10") == 1
    assert of(found, "pxerelay_config_rules") == 4
    assert of(found, "pxerelay_unknown_clients") == 5
    assert abs(of(found, "pxerelay_config_loaded_timestamp_seconds") - time.time()) < 60
    sha = daemon.status()["config"]["sha256"]
    assert of(found, "pxerelay_config_info", sha256=sha) == 1
    assert of(found, "process_open_fds") > 5

    def unanswered() -> bool:
        return of(scraped(network), "pxerelay_server_unanswered_total", **altiris) == 1

    daemon.wait_for(unanswered, 8)
    clients = daemon.status()["clients"]
    assert clients[0]["mac"] == "02:00:00:10:00:01"
    assert clients[0]["answers"] == []
    assert clients[1]["answers"][0]["server"] == "ris"


def test_all_metrics_that_are_promised_are_there_and_no_others(
    start: Start, network: Network, station: Station, server: FakeServer
) -> None:
    start(TCP, options=())
    send(station, server, "02:00:00:20:00:01")
    time.sleep(0.2)
    found = scraped(network)
    for name, (kind, labels, _) in NAMES.items():
        if name in NOTHING_TO_TELL:
            continue
        samples = found[f"{name}_count" if kind == "histogram" else name]
        for told in samples:
            assert tuple(sorted(labels)) == tuple(label for label, _ in told), name
    promised = {name for name, (kind, *_) in NAMES.items() if kind != "histogram"}
    promised |= {f"{n}_{part}" for n in NAMES for part in ("bucket", "count", "sum")}
    assert {name for name in found if name.startswith("pxerelay_")} <= promised


def test_a_reload_that_is_refused_is_a_metric(start: Start, network: Network) -> None:
    daemon = start(TCP, options=())
    found = scraped(network)
    assert of(found, "pxerelay_config_last_reload_successful") == 1
    assert of(found, "pxerelay_config_last_reload_timestamp_seconds") == of(
        found, "pxerelay_config_loaded_timestamp_seconds"
    )
    assert "error" in daemon.reload(TCP + "defalt: ris\n")
    found = scraped(network)
    assert of(found, "pxerelay_config_last_reload_successful") == 0
    assert of(found, "pxerelay_config_last_reload_timestamp_seconds") >= of(
        found, "pxerelay_config_loaded_timestamp_seconds"
    )
    assert "error" not in daemon.reload(TCP)
    assert of(scraped(network), "pxerelay_config_last_reload_successful") == 1


def test_metrics_on_a_socket_are_for_the_owner_and_the_group(
    start: Start, network: Network, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.sock"
    daemon = start(BASE + f"metrics: {path}\n", options=())
    assert of(scraped(network, path), "pxerelay_config_rules") == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert "error" not in daemon.reload(TCP)
    assert not path.exists()
    assert of(scraped(network), "pxerelay_config_rules") == 4
    assert "error" not in daemon.reload(BASE)
    with pytest.raises(ConnectionRefusedError):
        scraped(network)


def test_a_port_that_is_taken_is_told_and_packets_flow(
    start: Start, network: Network, station: Station, server: FakeServer
) -> None:
    with inside(network.relay), socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", PORT))
        other.listen()
        daemon = start(TCP, options=())
        assert f"no metrics at 127.0.0.1:{PORT}: Address already in use" in daemon.log
        send(station, server, "02:00:00:20:00:01")
        assert daemon.status()["metrics"] == {"at": f"127.0.0.1:{PORT}", "error": "Address already in use"}
    daemon.wait_for(lambda: daemon.status()["metrics"]["error"] is None, 15)
    assert of(scraped(network), "pxerelay_replies_total", interface="vlan10") == 1
    assert daemon.log.count("no metrics at") == 1


WITHOUT_CLIENT = """\
import sys
sys.modules["prometheus_client"] = None
from pxerelay import cli
sys.exit(cli.main())
"""


def test_without_prometheus_client_there_are_no_metrics_and_status_tells(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(TCP, options=(), command=(sys.executable, "-c", WITHOUT_CLIENT))
    send(station, server, "02:00:00:20:00:01")
    told = daemon.status()["metrics"]
    assert told["at"] == f"127.0.0.1:{PORT}"
    assert "prometheus_client" in told["error"]
    assert "error" not in daemon.reload(BASE)
    assert daemon.status()["metrics"] == {"at": None, "error": None}


def test_peers_that_say_nothing_hold_up_neither_packets_nor_for_long_other_peers(
    start: Start, network: Network, station: Station, server: FakeServer
) -> None:
    daemon = start(TCP, options=())
    descriptors = Path(f"/proc/{daemon.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    with inside(network.relay):
        mute = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(60)]
    for at in range(9):
        began = time.monotonic()
        send(station, server, f"02:00:00:20:00:0{at}")
        daemon.wait_for(lambda at=at: daemon.status()["counters"]["replies"] == at + 1)  # type: ignore[misc]
        assert time.monotonic() - began < 2
    assert len(list(descriptors.iterdir())) < before + 20, "no more are held than can be served"
    for one in mute:
        one.close()
    daemon.wait_for(lambda: len(list(descriptors.iterdir())) <= before + 1, 15)

    def answered() -> bool:
        try:
            return of(scraped(network), "pxerelay_replies_total", interface="vlan10") == 9
        except ConnectionResetError:
            return False  # that the last of them are gone was not noticed yet

    daemon.wait_for(answered, 10)


def test_peers_that_say_a_little_now_and_then_have_their_time_too(start: Start, network: Network) -> None:
    start(TCP, options=())
    with inside(network.relay):
        slow = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(2)]
    began = time.monotonic()
    for one in slow:
        one.settimeout(0.5)
        one.sendall(b"GET /")
    left = set(slow)
    while left:
        assert time.monotonic() - began < 20, "somebody was let go on for ever"
        for one in tuple(left):
            try:
                one.sendall(b"x")
                if one.recv(1) == b"":
                    left.discard(one)
            except TimeoutError:
                pass
            except ConnectionError:
                left.discard(one)
    for one in slow:
        one.close()
    assert of(scraped(network), "pxerelay_config_rules") == 4


def test_empty_datagrams_among_replies_end_nothing(
    start: Start, station: Station, server: FakeServer
) -> None:
    """What a slot held before is not taken for part of a datagram that does not reach so far."""
    daemon = start(BASE, options=())
    for at in range(60):
        chaddr = f"02:00:00:21:00:{at:02x}"
        asked = request(chaddr=chaddr)
        asked[packet.XID] = mac(chaddr)[-4:]
        station.send(asked)
        heard = server.receive()
        assert heard
        assert bytes(heard[0][packet.XID]) == mac(chaddr)[-4:]
        answer = reply()
        answer[packet.XID], answer[packet.CHADDR] = heard[0][packet.XID], heard[0][packet.CHADDR]
        for _ in range(5):
            station.send(b"")
        if at % 2:
            server.send(answer, "10.10.10.1")
        for _ in range(5):
            station.send(b"")
    daemon.wait_for(lambda: daemon.status()["counters"]["replies"] == 30)
    assert daemon.status()["counters"]["requests"] == 60
    assert "a fault of pxerelay" not in daemon.log


def test_a_peer_that_says_nothing_does_not_hold_up_the_end(start: Start, network: Network) -> None:
    daemon = start(TCP, options=())
    with inside(network.relay), socket.create_connection(("127.0.0.1", PORT)):
        time.sleep(0.3)
        began = time.monotonic()
        daemon.process.terminate()
        assert daemon.process.wait(10) == 0
        assert time.monotonic() - began < 2.5, "well before the peer's time is up"


def test_status_tells_people_what_became_of_requests(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(BASE, options=())
    send(station, server, "02:00:00:20:00:01")
    daemon.wait_for(lambda: daemon.status()["counters"]["replies"] == 1)
    command = [*PXERELAY, "status", "--socket", str(daemon.socket)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    (line,) = [line for line in text.splitlines() if line.startswith("answers    ris ")]
    assert line.startswith(
        "answers    ris 10.20.0.10, 1 requests, 1 replies, 100% of DISCOVERs answered, half of them within "
    )
    assert "answers    altiris 10.20.0.20, 0 requests, 0 replies\n" in text


def test_status_watch_draws_on_a_terminal_through_a_restart_until_interrupted(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(BASE, options=())
    command = [*PXERELAY, "status", "--watch", "--socket", str(daemon.socket)]
    no_terminal = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (no_terminal.returncode, no_terminal.stdout) == (2, "")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with ExitStack() as stack:
        stack.callback(os.close, ours)
        process = stack.enter_context(
            subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        )
        stack.callback(process.kill)
        os.close(theirs)
        drawn = b""

        def until(text: bytes) -> None:
            nonlocal drawn
            end = time.monotonic() + 20
            while text not in drawn:
                assert select.select([ours], [], [], max(end - time.monotonic(), 0))[0], drawn
                drawn += os.read(ours, 65536)

        until(b"vlan10")
        send(station, server, "02:00:00:20:00:01")
        until(b"02:00:00:20:00:01")
        daemon.stop()
        until(b"no daemon answers")
        process.send_signal(signal.SIGINT)
        while select.select([ours], [], [], 0.5)[0]:
            try:
                if not os.read(ours, 65536):
                    break
            except OSError:
                break  # the other end is gone
        assert process.wait(20) == 0


def test_no_client_hears_a_late_answer_to_a_health_question(
    start: Start, station: Station, server: FakeServer
) -> None:
    pool = "{addresses: [10.20.0.10, 10.20.0.20], strategy: failover, probe: {every: 5, timeout: 1}}"
    daemon = start(BASE.replace("ris: 10.20.0.10,", f"ris: {pool},"), options=())
    question = server.receive(10)
    assert question
    daemon.wait_for(lambda: daemon.status()["servers"]["ris"]["10.20.0.10"]["doubtful"], 10)
    late = bytearray(question[0])
    late[packet.OP] = packet.BOOTREPLY
    server.send(late, "10.10.10.1")
    assert [datagram for datagram in station.datagrams(0.5) if datagram.port == 68] == []
    counters = daemon.status()["counters"]
    assert (counters["replies"], counters["sent_to_clients"]) == (0, 0)


def test_a_reply_that_is_dropped_is_nobodys_answer(
    start: Start, station: Station, server: FakeServer
) -> None:
    """A stranger answers for a server that is silent, in one batch with another server's reply."""
    daemon = start(BASE, options=())
    listed, unlisted = "02:00:00:10:00:01", "02:00:00:20:00:01"  # of altiris, which is not there, and of ris
    for chaddr in (unlisted, listed):
        asked = request(chaddr=chaddr)
        asked[packet.XID] = mac(chaddr)[-4:]
        station.send(asked)
    heard = server.receive()
    assert heard
    answers = []
    for chaddr in (unlisted, listed):
        answer = reply()
        answer[packet.XID] = mac(chaddr)[-4:]
        answer[packet.CHADDR] = mac(chaddr).ljust(16, b"\0")
        answers.append(answer)
    server.send(answers[0], "10.10.10.1")
    station.send(answers[1], source="10.10.10.66", destination="10.10.10.1", ports=(67, 67))
    daemon.wait_for(lambda: daemon.status()["counters"]["dropped"]["not-a-server"] == 1)
    altiris = daemon.status()["servers"]["altiris"]["10.20.0.20"]
    assert (altiris["answered"], altiris["last_reply_ago"]) == (0, None)
