"""The control socket: who may have it, and what peers can and can't do to the daemon."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import request

Start = Callable[..., Daemon]

RUBBISH = (
    *(b"\n", b"[]\n", b'{"command": "nonsense"}\n', b'{"command": []}\n', b"\xff\xfe\n", b""),
    *(b"x" * 5000 + b"\n", b"[" * 4000 + b"\n"),
)


def descriptors(daemon: Daemon) -> int:
    return sum(1 for _ in Path(f"/proc/{daemon.process.pid}/fd").iterdir())


@contextmanager
def connection(daemon: Daemon) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(daemon.socket))
        yield peer


def test_the_control_socket_is_for_owner_and_group(start: Start) -> None:
    daemon = start()
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b'{"command": "nonsense"}\n',
        b"\xff\xfe\n",
        b"x" * 5000 + b"\n",
        b"[" * 4000 + b"\n",
        b"",
    ],
)
def test_rubbish_on_the_control_socket_is_answered_and_forgotten(start: Start, line: bytes) -> None:
    daemon = start()

    async def say() -> bytes:
        reader, writer = await asyncio.open_unix_connection(daemon.socket)
        writer.write(line)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 3)
        writer.close()
        return answer

    assert "a request is one line" in json.loads(asyncio.run(say()))["error"]
    assert daemon.status()["config"]["rules"] == 4


def test_an_open_connection_does_not_disturb_the_end(start: Start) -> None:
    daemon = start()
    with connection(daemon) as silent, connection(daemon) as asking:
        asking.sendall(b'{"command": ')
        daemon.status()  # both have been taken by now
        assert daemon.stop() == 0
        assert silent.recv(1) == b""
    assert daemon.log.splitlines()[-1] == "<6>stopped"
    assert "xception" not in daemon.log


def test_silent_peers_take_neither_packets_nor_descriptors(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start()
    before = descriptors(daemon)
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connection(daemon))
        station.send(request())
        assert server.receive() is not None
        assert descriptors(daemon) - before <= 20
    assert daemon.status()["config"]["rules"] == 4, "answered as soon as they have gone"


def test_a_second_daemon_does_not_take_the_socket_away(start: Start, network: Network) -> None:
    first = start()
    command = [*PXERELAY, "run", "--config", str(first.config), "--socket", str(first.socket)]
    done = network.lab.host("elsewhere").run(command, check=False)  # where port 67 is free
    assert done.returncode == 1
    said = f"<3>another daemon answers at {first.socket}: give this one a `--socket` of its own"
    assert done.stderr.splitlines()[-1] == said
    assert first.status()["config"]["rules"] == 4


def test_a_socket_left_behind_is_taken_over(network: Network, tmp_path: Path) -> None:
    killed = Daemon(network, tmp_path, BASE)
    killed.stop(signal.SIGKILL)
    assert killed.socket.exists()
    daemon = Daemon(network, tmp_path, BASE)
    assert daemon.status()["config"]["rules"] == 4
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_what_is_no_socket_is_left_alone(network: Network, tmp_path: Path) -> None:
    place, config = tmp_path / "control.sock", tmp_path / "c.yml"
    place.write_text("precious")
    config.write_text(BASE)
    command = [*PXERELAY, "run", "--config", str(config), "--socket", str(place)]
    process = network.relay.popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert any("something else than a socket is there" in line for line in process.stderr)
    process.terminate()
    assert process.wait(5) == 0
    assert place.read_text() == "precious"


def test_only_its_own_socket_is_removed_at_the_end(start: Start) -> None:
    daemon = start()
    daemon.socket.unlink()
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(str(daemon.socket))
        assert daemon.stop() == 0
        assert daemon.socket.exists()


def test_a_folder_that_vanished_is_no_trouble_at_the_end(network: Network, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    daemon = Daemon(network, folder, BASE)
    folder.rename(tmp_path / "gone")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(5) == 0


def test_a_path_too_long_for_a_socket_is_told(network: Network, tmp_path: Path) -> None:
    long = tmp_path / ("d" * 60) / ("s" * 60)
    size = len(os.fsencode(long))
    config = tmp_path / "c.yml"
    config.write_text(BASE)
    process = network.relay.popen(
        [*PXERELAY, "run", "--config", str(config), "--socket", str(long)], stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    expected = f"<4>no control socket at {long}: the path has {size} octets and a socket's may have 107\n"
    assert any(line == expected for line in process.stderr)
    process.terminate()
    assert process.wait(5) == 0
    asked = subprocess.run(
        [sys.executable, "-m", "pxerelay", "status", "--socket", str(long)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, f"the path has {size} octets" in asked.stderr) == (3, True)
