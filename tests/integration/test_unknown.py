"""`pxerelay unknown`: real packets of clients that no rule names, then what the daemon tells of them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pxerelay.linux import control_client
from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import option, request

Start = Callable[..., Daemon]

LISTED, OUI, UNLISTED, DROPPED = (
    *("02:00:00:10:00:01", "02:80:64:00:00:01"),
    *("02:00:00:10:00:99", "02:00:00:de:ad:01"),
)
CLASSES = "classes: [{name: arm, arch: [11], server: altiris}]\n"


def unknown(socket: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*PXERELAY, "unknown", "--socket", str(socket), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def listed(daemon: Daemon, *arguments: str) -> dict[str, dict[str, Any]]:
    done = unknown(daemon.socket, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return {client["mac"]: client for client in json.loads(done.stdout)["clients"]}


def heard(daemon: Daemon, requests: int) -> None:
    daemon.wait_for(lambda: daemon.status()["counters"]["requests"] == requests)


@pytest.mark.parametrize("options", [(), ("--debug",)], ids=["fast path", "debug"])
def test_who_fell_to_a_default_is_listed_until_a_rule_names_it(
    start: Start, station: Station, server: FakeServer, options: tuple[str, ...]
) -> None:
    daemon = start(BASE + CLASSES, options=options)
    for chaddr in (LISTED, OUI, DROPPED, UNLISTED, UNLISTED):
        station.send(request(chaddr=chaddr, arch=7))
    station.send(request(chaddr="02:00:00:10:00:98", arch=11))
    station.send(request(chaddr="02:00:00:10:00:97", vendor=b"a\nrules: {}\n", arch=None))
    heard(daemon, 6)

    found = listed(daemon)
    assert list(found) == ["02:00:00:10:00:97", UNLISTED], "the last seen first"
    client = found[UNLISTED]
    assert (client["interface"], client["reason"], client["server"]) == ("vlan10", "default", "ris")
    assert (client["architectures"], client["pxe"]) == ([7], True)
    assert client["vendor"] == "locally administered"
    assert client["first_seen"] == client["last_seen"]
    assert list(listed(daemon, "--pxe")) == [UNLISTED]
    assert list(listed(daemon, "--interface", "vlan20")) == []
    nobody = unknown(daemon.socket, "--interface", "vlan20").stdout
    assert nobody.startswith("# 2 fell to a default, and none of them is as asked for; pxerelay unknown, ")
    assert len(listed(daemon, "--interface", "vlan10", "--since", "1h")) == 2

    lines = unknown(daemon.socket).stdout.splitlines()
    assert lines[0].startswith(
        "# fell to a default, newest first; put the right server in; pxerelay unknown, "
    )
    assert lines[1] == "rules:"
    assert [line.split("  #")[0] for line in lines[2:]] == [
        '  "02:00:00:10:00:97": ris',
        f'  "{UNLISTED}": ris',
    ]
    assert "vlan10, PXEClient x64 UEFI, locally administered, first seen 20" in lines[3]

    assert "error" not in daemon.reload(BASE + CLASSES + "max_hops: 5\n")
    assert list(listed(daemon)) == list(found), "it survives a reload"
    pasted = BASE + "\n".join(lines[3:]) + "\n" + CLASSES
    assert "error" not in daemon.reload(pasted)
    assert list(listed(daemon)) == ["02:00:00:10:00:97"], "pasted and reloaded"
    station.send(request(chaddr=UNLISTED, arch=7))
    heard(daemon, 7)
    assert list(listed(daemon)) == ["02:00:00:10:00:97"]
    assert server.receive() is not None


@pytest.mark.usefixtures("server")
def test_clients_of_a_burst_are_listed_each_and_once(start: Start, station: Station) -> None:
    """10,000 requests as fast as they can be sent, most of which take a shortcut."""
    daemon = start(options=())
    clients = [f"02:00:00:0a:{number >> 8:02x}:{number & 255:02x}" for number in range(2500)]
    for _ in range(4):
        for chaddr in clients:
            station.send(request(chaddr=chaddr))
    daemon.wait_for(lambda: daemon.status()["counters"]["requests"] >= 10_000, 10)
    assert daemon.status()["counters"]["not_received"] == 0
    found = listed(daemon)
    assert sorted(found) == clients
    answer = control_client.ask(daemon.socket, "unknown")
    assert (answer["forgotten"], answer["overlooked"]) == (0, 0)


@pytest.mark.alone
def test_a_flood_of_invented_addresses_is_bounded_and_packets_flow_while_it_is_told(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(options=())
    for number in range(6000):
        station.send(request(chaddr=f"02:00:00:0b:{number >> 8:02x}:{number & 255:02x}"))
    daemon.wait_for(lambda: daemon.status()["counters"]["requests"] >= 6000, 10)
    answer = control_client.ask(daemon.socket, "unknown")
    assert len(answer["clients"]) == answer["most"] == 4096
    assert answer["forgotten"] + answer["overlooked"] == 6000 - 4096
    assert "others were forgotten 1904 times" in unknown(daemon.socket).stdout.splitlines()[0]
    while server.receive(0.2):
        pass
    asking = subprocess.Popen(
        [*PXERELAY, "unknown", "--socket", str(daemon.socket)], stdout=subprocess.DEVNULL
    )
    slowest = 0.0
    while asking.poll() is None:
        sent = time.monotonic()
        station.send(request(chaddr=LISTED.replace("02:", "06:", 1)))
        assert server.receive(1.0) is not None
        slowest = max(slowest, time.monotonic() - sent)
    assert asking.wait() == 0
    assert slowest < 0.2


@pytest.mark.usefixtures("server")
def test_last_seen_moves_and_first_seen_stays(start: Start, station: Station) -> None:
    daemon = start(options=())
    station.send(request(chaddr=UNLISTED))
    heard(daemon, 1)
    time.sleep(5.2)  # an interval of `unknown`
    station.send(request(chaddr="02:00:00:10:00:98", extra=option(12, b"other")))
    station.send(request(chaddr=UNLISTED))
    heard(daemon, 3)
    found = listed(daemon)
    assert list(found) == [UNLISTED, "02:00:00:10:00:98"]
    assert found[UNLISTED]["first_seen"] < found[UNLISTED]["last_seen"]


@pytest.mark.usefixtures("server")
def test_a_client_that_we_had_no_business_with_is_not_listed(start: Start, station: Station) -> None:
    daemon = start(BASE.replace("vlan10: {}", "vlan30: {}"), options=())
    station.send(request(chaddr=UNLISTED))
    daemon.wait_for(lambda: daemon.status()["counters"]["dropped"]["not-a-client-interface"] == 1)
    assert listed(daemon) == {}
    assert unknown(daemon.socket).stdout.startswith("# nobody fell to a default; pxerelay unknown, ")
    daemon.reload(BASE)
    station.send(request(chaddr=UNLISTED))
    heard(daemon, 1)
    assert list(listed(daemon)) == [UNLISTED]


def test_a_default_that_drops_is_a_default_too(start: Start, station: Station) -> None:
    daemon = start(BASE.replace("default: ris", "default: drop"), options=())
    station.send(request(chaddr=UNLISTED))
    daemon.wait_for(lambda: daemon.status()["counters"]["dropped"]["mapped-to-drop"] == 1)
    assert f'  "{UNLISTED}": drop  # vlan10' in unknown(daemon.socket).stdout


def test_exit_codes(tmp_path: Path) -> None:
    nobody = tmp_path / "control_client.sock"
    assert unknown(nobody).returncode == 3
    done = unknown(nobody, "--since", "2 weeks")
    assert done.returncode == 2
    assert "'2 weeks' is no time such as 30m, 12h or 2d" in done.stderr
