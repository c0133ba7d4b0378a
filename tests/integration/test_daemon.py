"""The daemon's life: start, reload, the network coming and going, stop."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import BASE
from tests.lab.daemon import Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.messages import request

Start = Callable[..., Daemon]
BROKEN = BASE + "rules:\n  nonsense: 1\n"


def test_status_tells_configuration_interfaces_and_counters(start: Start) -> None:
    daemon = start()
    status = daemon.status()
    config = status["config"]
    assert config["sha256"] == hashlib.sha256(BASE.encode()).hexdigest()
    assert config["files"] == {str(daemon.config): config["sha256"]}
    assert (config["rules"], config["last_error"]) == (4, None)
    assert config["loaded_at"].endswith("+00:00")
    assert config["last_reload_at"] is None, "it was started, not reloaded"
    assert status["interfaces"] == {
        "vlan10": {"state": "active", "giaddr": "10.10.10.1", "waiting": None},
        "vlan20": {"state": "active", "giaddr": "10.10.20.1", "waiting": None},
    }
    assert status["counters"]["requests"] == 0


def test_status_is_told_in_words_too(start: Start) -> None:
    daemon = start(BASE.replace("vlan20:", "vlan99:"))
    command = [sys.executable, "-m", "pxerelay", "status", "--socket", str(daemon.socket)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "interface  vlan10 active, giaddr 10.10.10.1" in text
    assert "interface  vlan99 waiting, the interface is not there" in text
    assert "4 rules" in text
    as_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    assert json.loads(as_json)["config"]["path"] == str(daemon.config)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(start: Start, number: int) -> None:
    daemon = start()
    assert daemon.stop(number) == 0
    assert not daemon.socket.exists()
    assert daemon.log.splitlines()[-1] == "<6>stopped"


def test_the_log_has_journald_priorities_and_no_packets_by_default(
    network: Network, station: Station, server: FakeServer, tmp_path: Path
) -> None:
    config = tmp_path / "quiet.yml"
    config.write_text(BASE)
    log = tmp_path / "quiet.log"
    command = [
        sys.executable,
        "-m",
        "pxerelay",
        "run",
        "--config",
        str(config),
        "--socket",
        str(tmp_path / "s"),
    ]
    with log.open("w") as file:
        process = network.relay.popen(command, stdout=file, stderr=file)
    deadline = time.monotonic() + 5
    while "relays by" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    station.send(request())
    assert server.receive() is not None
    process.terminate()
    assert process.wait(5) == 0
    lines = log.read_text().splitlines()
    assert lines
    assert all(line.startswith("<6>") for line in lines)
    assert not any("02:00:00:00:00:01" in line for line in lines)


def test_sighup_reloads(start: Start) -> None:
    daemon = start()
    daemon.config.write_text(BASE.replace('  "02:80:64": altiris\n', ""))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: daemon.status()["config"]["rules"] == 3)
    assert f"<6>reloaded {daemon.config}: 3 rules" in daemon.log


def test_a_bad_reload_changes_nothing_and_says_so(start: Start, station: Station, server: FakeServer) -> None:
    daemon = start()
    before = daemon.status()["config"]
    answer = daemon.reload(BROKEN)
    assert "'rules' stands here a second time" in answer["error"]
    after = daemon.status()["config"]
    assert after["sha256"] == before["sha256"]
    assert after["loaded_at"] == before["loaded_at"] <= after["last_reload_at"]
    assert after["last_error"].startswith(f"{daemon.config}:12:1: 'rules' stands here")
    assert "<3>the new configuration does not load, the old one stays:" in daemon.log
    station.send(request())
    assert server.receive() is not None
    daemon.reload(BASE)
    now = daemon.status()["config"]
    assert now["last_error"] is None
    assert now["last_reload_at"] == now["loaded_at"]


def test_the_reload_command_shows_the_faults_and_exits_with_1(start: Start) -> None:
    daemon = start()
    daemon.config.unlink()
    command = [sys.executable, "-m", "pxerelay", "reload", "--socket", str(daemon.socket)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "can't be read: No such file" in done.stderr
    daemon.config.write_text(BASE)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "reloaded: 4 rules\n")


def test_no_request_is_lost_while_the_mapping_is_reloaded(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start()
    many = BASE + "".join(f'  "02:01:00:00:{n >> 8:02x}:{n & 255:02x}": altiris\n' for n in range(5000))
    reloads: list[dict[str, object]] = []
    reloading = threading.Thread(target=lambda: reloads.append(daemon.reload(many)))
    reloading.start()
    sent = 0
    while reloading.is_alive():
        packet = request()
        packet[4:8] = sent.to_bytes(4, "big")
        station.send(packet)
        sent += 1
        time.sleep(0.002)
    reloading.join()
    seen = set()
    while (arrived := server.receive(0.5)) is not None:
        seen.add(int.from_bytes(arrived[0][4:8], "big"))
    assert reloads[0]["rules"] == 5004
    assert sent > 10
    assert seen == set(range(sent))


def test_ready_is_told_when_the_sockets_are_open(network: Network, tmp_path: Path) -> None:
    config = tmp_path / "pxerelay.yml"
    config.write_text(BASE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        process = network.relay.popen(
            [
                sys.executable,
                "-m",
                "pxerelay",
                "run",
                "--config",
                str(config),
                "--socket",
                str(tmp_path / "c"),
            ],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stderr=subprocess.DEVNULL,
        )
        assert manager.recv(4096).decode().splitlines()[0] == "READY=1"
        assert " 00000000:0043 " in Path(f"/proc/{process.pid}/net/udp").read_text()
        process.send_signal(signal.SIGHUP)
        assert manager.recv(4096).decode().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(4096).decode().startswith("READY=1\nSTATUS=4 rules, 2 of 2 client interfaces")
        process.terminate()
        assert manager.recv(4096) == b"STOPPING=1"
        assert process.wait(5) == 0


def test_two_capabilities_are_enough(
    network: Network, tmp_path: Path, station: Station, server: FakeServer
) -> None:
    config = tmp_path / "pxerelay.yml"
    config.write_text(BASE)
    process = network.relay.popen(
        [
            *("setpriv", "--bounding-set=-all,+net_raw,+net_bind_service", "--no-new-privs"),
            *(
                sys.executable,
                "-m",
                "pxerelay",
                "run",
                "--config",
                str(config),
                "--socket",
                str(tmp_path / "c"),
            ),
        ],
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 5
    while not (tmp_path / "c").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    held = next(
        line.split()[1]
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("CapEff")
    )
    assert int(held, 16) == 1 << 10 | 1 << 13, "CAP_NET_BIND_SERVICE and CAP_NET_RAW"
    station.send(request())
    assert server.receive() is not None
    process.terminate()
    assert process.wait(5) == 0


def test_a_taken_port_is_told_in_words(start: Start, network: Network, tmp_path: Path) -> None:
    start()
    config = tmp_path / "second.yml"
    config.write_text(BASE)
    done = network.relay.run(
        [
            sys.executable,
            "-m",
            "pxerelay",
            "run",
            "--config",
            str(config),
            "--socket",
            str(tmp_path / "second"),
        ],
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "<3>port 67 is taken: stop the other DHCP relay or server on this host\n"


def test_without_capabilities_it_says_what_it_needs(network: Network, tmp_path: Path) -> None:
    config = tmp_path / "pxerelay.yml"
    config.write_text(BASE)
    done = network.relay.run(
        ["setpriv", "--bounding-set=-all", sys.executable, "-m", "pxerelay", "run", "--config", str(config)],
        check=False,
    )
    assert done.returncode == 1
    assert "CAP_NET_BIND_SERVICE and CAP_NET_RAW" in done.stderr


def test_a_configuration_with_nothing_to_relay_is_warned_of(start: Start) -> None:
    daemon = start("default: 10.20.0.10\n")
    assert "<4>there is nothing to relay" in daemon.log


def test_a_flood_does_not_keep_the_control_socket_waiting(
    start: Start, network: Network, station: Station
) -> None:
    daemon = start(BASE)
    with inside(network.client("probe")):
        stop = threading.Event()

        def flood() -> None:
            packet = request(chaddr="02:00:00:de:ad:01")
            while not stop.is_set():
                station.send(packet)

        flooding = threading.Thread(target=flood)
        flooding.start()
    try:
        daemon.wait_for(lambda: daemon.status()["counters"]["dropped"]["mapped-to-drop"] > 1000)
        begin = time.monotonic()
        daemon.status()
        took = time.monotonic() - begin
    finally:
        stop.set()
        flooding.join()
    assert took < 5
