"""Peers of the metrics port and the control socket that are silent, many, or not who they should be."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pxerelay.linux import control_client, peers
from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network
from tests.lab.wire import inside

Start = Callable[..., Daemon]

PORT = 9967
TCP = BASE + f"metrics: 127.0.0.1:{PORT}\n"
NOBODY, PROMETHEUS = 65534, 4711
"""Users of the relay host; the second one needs no name."""

SILENT = """\
import os, socket, sys, time
kind, address, user, says = sys.argv[1:]
os.setgroups([])
os.setuid(int(user))
family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
address = address if kind == "unix" else ("127.0.0.1", int(address))
held = []
print("begun", flush=True)
while True:
    peer = socket.socket(family, socket.SOCK_STREAM)
    peer.settimeout(1)
    try:
        peer.connect(address)
        peer.send(says.encode())
        held.append(peer)
    except OSError:
        time.sleep(0.01)
    time.sleep(0.002)
    if len(held) > 300:
        held.pop(0).close()
"""
"""Connects again and again as a user, says what it is told and no more."""

SCRAPE = """\
import encodings.idna, encodings.latin_1, email.parser, http.client, os, sys
os.setgroups([])
os.setuid(int(sys.argv[1]))
peer = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), timeout=8)
peer.request("GET", "/metrics")
sys.exit(b"pxerelay_config_rules 4.0" not in peer.getresponse().read())
"""
"""What Prometheus does, as a user, who may not be allowed to read Python's library any more."""


@contextmanager
def attack(network: Network, kind: str, address: object, user: int, says: str = "") -> Iterator[None]:
    command = [sys.executable, "-c", SILENT, kind, str(address), str(user), says]
    process = network.relay.popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        time.sleep(1)  # until it has what it can have
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def scrapes(network: Network, user: int) -> bool:
    command = [sys.executable, "-c", SCRAPE, str(user), str(PORT)]
    done = network.relay.run(command, check=False, timeout=20)
    assert not done.returncode, done
    return True


@pytest.mark.parametrize("says", ["", "GET /metrics HT"])
def test_silent_peers_of_the_metrics_port_do_not_keep_the_scraper_out(
    start: Start, network: Network, says: str
) -> None:
    """Neither one of another user, nor one of the same."""
    start(TCP, options=())
    with attack(network, "tcp", PORT, NOBODY, says):
        for user in (PROMETHEUS, NOBODY):
            for _ in range(5):
                began = time.monotonic()
                assert scrapes(network, user)
                assert time.monotonic() - began < 5


def test_peers_that_ask_without_end_and_take_nothing_keep_no_other_user_out(
    start: Start, network: Network
) -> None:
    """Who asks so often that its own places are all at work is its own loss."""
    start(TCP, options=())
    with attack(network, "tcp", PORT, NOBODY, "GET /metrics HTTP/1.1\r\n\r\n"):
        for _ in range(5):
            assert scrapes(network, PROMETHEUS)


def test_silent_peers_of_the_control_socket_do_not_keep_status_out(start: Start, network: Network) -> None:
    """Not even those of the same user: who asks has said so by the time that it would have to go."""
    daemon = start(options=())
    with attack(network, "unix", daemon.socket, 0), attack(network, "unix", daemon.socket, 0, '{"comm'):
        for _ in range(10):
            assert daemon.status()["config"]["rules"] == 4, "and within two seconds"


def test_the_user_at_the_other_end_is_known(network: Network) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="pxerelay-", dir="/tmp")))
        stack.enter_context(inside(network.relay))
        tcp, local = (stack.enter_context(socket.socket(kind)) for kind in (socket.AF_INET, socket.AF_UNIX))
        tcp.bind(("127.0.0.1", 0))
        local.bind(str(folder / "s"))
        (folder / "s").chmod(0o666)
        folder.chmod(0o755)
        for listening in (tcp, local):
            listening.settimeout(10)
            listening.listen()
        for kind, place, listening in (("tcp", tcp.getsockname()[1], tcp), ("unix", folder / "s", local)):
            with attack(network, kind, place, PROMETHEUS):
                peer, _ = listening.accept()
                with peer:
                    assert peers.user(peer) == PROMETHEUS


def test_who_has_gone_is_not_taken_for_root(network: Network) -> None:
    """As the kernel says of a connection that was closed."""
    with inside(network.relay), socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()) as ours:
            peer, _ = listening.accept()
            assert peers.user(peer) == 0
            ours.close()
            time.sleep(0.1)
            assert peers.user(peer) is None
            peer.close()


# What listens is made again


def test_a_control_socket_that_was_removed_is_made_again(start: Start) -> None:
    """On SIGHUP; also where the configuration does not load."""
    daemon = start(options=())
    for config in (BASE, "nonsense: 1\n"):
        daemon.config.write_text(config)
        daemon.socket.unlink()
        with pytest.raises(control_client.NoDaemonError):
            daemon.status()
        daemon.process.send_signal(1)
        daemon.wait_for(daemon.socket.exists)
        assert daemon.status()["config"]["rules"] == 4
        assert f"the control socket {daemon.socket} was removed; it is there again" in daemon.log
    daemon.wait_for(lambda: daemon.status()["config"]["last_error"] is not None)
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_what_another_one_put_in_the_control_sockets_place_is_left_alone(start: Start) -> None:
    daemon = start(options=())
    daemon.socket.unlink()
    daemon.socket.write_text("precious")
    daemon.process.send_signal(1)
    daemon.wait_for(lambda: "something else than a socket is there" in daemon.log)
    daemon.wait_for(lambda: "reloaded" in daemon.log)
    assert daemon.socket.read_text() == "precious"


def test_a_metrics_socket_that_was_removed_is_made_again(start: Start, tmp_path: Path) -> None:
    """By the reload of a configuration that says the same, and of one that is refused."""
    path = tmp_path / "metrics.sock"
    daemon = start(BASE + f"metrics: {path}\n", options=())
    for config in (BASE + f"metrics: {path}\n", "nonsense: 1\n"):
        path.unlink()
        daemon.reload(config)
        peer = http.client.HTTPConnection("localhost", timeout=5)
        peer.sock = socket.socket(socket.AF_UNIX)
        peer.sock.connect(str(path))
        peer.request("GET", "/metrics")
        assert b"pxerelay_config_rules 4.0" in peer.getresponse().read()
        peer.close()


# A daemon that hangs, and one that is none

COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("unknown",),
    ("reload",),
    ("probe", "02:00:00:00:00:01"),
    ("trace", "*", "--seconds", "60"),
)


def run(path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PXERELAY, *command, "--socket", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_daemon_that_hangs_is_waited_for_two_seconds(start: Start, command: tuple[str, ...]) -> None:
    daemon = start(options=())
    daemon.process.send_signal(19)
    try:
        began = time.monotonic()
        done = run(daemon.socket, *command)
        took = time.monotonic() - began
        assert done.returncode == 3, done
        assert f"the daemon at {daemon.socket} has not answered within 2 s: it hangs" in done.stderr
        assert 2 <= took < 15, "and not the time that the command itself may take, 20 s or more"
    finally:
        daemon.process.send_signal(18)


def test_how_long_a_silent_daemon_is_waited_for_can_be_said(start: Start) -> None:
    daemon = start(options=())
    daemon.process.send_signal(19)
    threading.Timer(4.0, daemon.process.send_signal, (18,)).start()
    assert run(daemon.socket, "status", "--timeout", "0.5").returncode == 3
    assert run(daemon.socket, "status", "--timeout", "20").returncode == 0
    for wrong in ("0", "-1", "x", "nan", "1e9"):
        done = run(daemon.socket, "status", f"--timeout={wrong}")
        assert (done.returncode, f"'{wrong}' is no number of seconds" in done.stderr) == (2, True)


def test_who_is_put_out_before_it_said_anything_comes_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A daemon that many connect to makes room so; here each of two is put out before it sends."""
    path = tmp_path / "control.sock"
    connect = control_client.connect
    connected = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def connect_and_be_put_out(
            sock: socket.socket, path: Path | str, timeout: float = control_client.TIMEOUT
        ) -> None:
            connect(sock, path, timeout)
            connected.append(listening.accept()[0])
            if len(connected) < 3:
                connected[-1].close()
            else:
                connected[-1].sendall(b'{"rules": 4}\n')

        monkeypatch.setattr(control_client, "connect", connect_and_be_put_out)
        assert control_client.ask(path, "status") == {"rules": 4}
    assert len(connected) == 3
    connected[-1].close()


def test_a_daemon_that_hangs_with_a_full_queue_too(start: Start) -> None:
    """Its backlog is full, and connect(2) would wait for ever."""
    daemon = start(options=())
    daemon.process.send_signal(19)
    queued = []
    try:
        while True:
            peer = socket.socket(socket.AF_UNIX)
            peer.setblocking(False)
            queued.append(peer)
            try:
                peer.connect(str(daemon.socket))
            except BlockingIOError:
                break
        began = time.monotonic()
        assert run(daemon.socket, "status").returncode == 3
        assert time.monotonic() - began < 5
    finally:
        daemon.process.send_signal(18)
        for peer in queued:
            peer.close()


@contextmanager
def pretender(path: Path, says: Callable[[socket.socket], object]) -> Iterator[None]:
    """Listen in the daemon's place, and say something to who comes."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            try:
                while True:
                    peer, _ = listening.accept()
                    with peer:
                        peer.recv(4096)
                        says(peer)
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


LIMITED = "import resource, sys; from pxerelay import cli; limit = 600 << 20; " + (
    "resource.setrlimit(resource.RLIMIT_AS, (limit, limit)); sys.exit(cli.main())"
)


def for_ever(peer: socket.socket) -> None:
    try:
        while True:
            peer.sendall(b"x" * 65536)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("says", "word"),
    [
        (for_ever, "more than 16 MiB"),
        (lambda peer: peer.sendall(b"[" * 1_000_000 + b"\n"), "no answer of pxerelay"),
        (lambda peer: peer.sendall(b"[1, 2]\n"), "no answer of pxerelay"),
        (lambda peer: peer.sendall(b"\xff\xfe\n"), "is the service running?"),
        (lambda _: None, "it hung up"),
    ],
    ids=["without end", "nested", "another type", "rubbish", "nothing"],
)
def test_who_pretends_to_be_the_daemon_does_not_fill_the_memory_of_who_asks(
    tmp_path: Path, says: Callable[[socket.socket], object], word: str
) -> None:
    path = tmp_path / "s"
    with pretender(path, says):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, "status", "--socket", str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert (done.returncode, word in done.stderr) == (3, True), done
    assert "Traceback" not in done.stderr


def test_an_answer_that_comes_octet_by_octet_has_its_time_too(tmp_path: Path) -> None:
    def drip(peer: socket.socket) -> None:
        try:
            for octet in json.dumps({"config": "x" * 10_000}).encode():
                peer.sendall(bytes((octet,)))
                time.sleep(0.01)
        except OSError:
            pass

    with pretender(tmp_path / "s", drip):
        began = time.monotonic()
        assert run(tmp_path / "s", "status").returncode == 3
        assert time.monotonic() - began < 5
