"""`pxerelay trace`: clients followed live through a real daemon, by peers that read, or do not."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pxerelay.linux import control_client
from tests.integration.conftest import BASE
from tests.lab import Host
from tests.lab.clients import udhcpc
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import BOOT_FILES, RIS, Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import ACK, mac, reply, request

Start = Callable[..., Daemon]

LISTED, OUI, UNLISTED, DROPPED, OTHER = (
    *("02:00:00:10:00:01", "02:80:64:00:00:01", "02:00:00:00:00:01"),
    *("02:00:00:de:ad:01", "02:00:00:77:00:01"),
)


class Trace:
    """`pxerelay trace` as a process, and what it has printed."""

    def __init__(self, daemon: Daemon, folder: Path, *arguments: str) -> None:
        self._daemon = daemon
        self._said = folder / f"trace{time.monotonic_ns()}"
        command = [*PXERELAY, "trace", "--socket", str(daemon.socket), *arguments]
        with self._said.open("w") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)

    @property
    def lines(self) -> list[str]:
        """What it has printed so far."""
        return self._said.read_text().splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The same, with --json."""
        return [json.loads(line) for line in self.lines]

    def wait_for(self, part: str, count: int = 1, seconds: float = 15.0) -> str:
        """Return the last of so many lines that have a part."""
        self._daemon.wait_for(lambda: sum(part in line for line in self.lines) >= count, seconds)
        return [line for line in self.lines if part in line][count - 1]

    def end(self, number: int = signal.SIGINT) -> int:
        """End it, as Ctrl-C does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Callable[..., Trace]]:
    with ExitStack() as stack:

        def begin(daemon: Daemon, *arguments: str) -> Trace:
            started = Trace(daemon, tmp_path, *arguments)
            stack.callback(started.end)
            started.wait_for('"start"' if "--json" in arguments else "watching")
            return started

        yield begin


@contextmanager
def raw(daemon: Daemon, pattern: str) -> Iterator[socket.socket]:
    """Be a peer that asks for a trace, and reads or does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(20)
        peer.connect(str(daemon.socket))
        peer.sendall(json.dumps({"command": "trace", "mac": pattern}).encode() + b"\n")
        yield peer


def asked(chaddr: str, number: int = 0) -> bytearray:
    message = request(chaddr=chaddr)
    message[4:8] = number.to_bytes(4, "big")
    return message


def test_a_boot_is_followed_from_the_first_message_to_the_last(
    network: Network, start: Start, client: Host, trace: Callable[..., Trace]
) -> None:
    daemon = start(options=())
    network.ris.start()
    try:
        udhcpc(client)  # what is known already is told all the same
        followed = trace(daemon, UNLISTED, "--interface", "vlan10")
        assert followed.lines[0] == f"watching {UNLISTED} on vlan10; Ctrl-C ends it"
        followed.wait_for(f"  the default ({daemon.config}:3) says ris -> ris {RIS}")
        lease = udhcpc(client)
        assert lease is not None
        followed.wait_for("ACK")
    finally:
        network.ris.stop()
    assert followed.end() == 0
    told = [line.split(" ", 1)[1] for line in followed.lines if re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line)]
    answer = (
        rf"from ris {RIS} after \d+\.\d ms, address {lease.address}, boot file {BOOT_FILES[RIS]}; sent to "
    )
    rest = iter(told)  # a client on a busy machine may ask twice
    for expected in (
        rf"{UNLISTED} on vlan10: DISCOVER \(PXEClient, x86 BIOS\), the default \({daemon.config}:3\) "
        rf"says ris; sent to ris {RIS} with giaddr 10\.10\.10\.1$",
        rf"{UNLISTED}: OFFER {answer}",
        rf"{UNLISTED} on vlan10: REQUEST ",
        rf"{UNLISTED}: ACK {answer}",
    ):
        assert any(re.match(expected, line) for line in rest), f"{expected}\n{told}"
    counters = daemon.status()["counters"]
    assert counters["requests"] == counters["replies"] >= 4


def test_only_whom_one_asks_for_is_told_and_others_go_their_way(
    start: Start, station: Station, server: FakeServer, trace: Callable[..., Trace]
) -> None:
    daemon = start(options=())
    followed = trace(daemon, "02:00:00:77:*", "--json")
    elsewhere = trace(daemon, "*", "--interface", "vlan20", "--json")
    for number in range(50):
        station.send(asked(UNLISTED, number))
        station.send(asked(OTHER, number))
    assert sum(server.receive() is not None for _ in range(100)) == 100
    followed.wait_for('"message"', 50)
    events = [event for event in followed.events if event["event"] == "message"]
    assert {event["mac"] for event in events} == {OTHER}
    assert [event["xid"] for event in events] == [f"{number:08x}" for number in range(50)]
    assert [event["event"] for event in elsewhere.events] == ["start"]
    assert followed.end() == elsewhere.end() == 0


def test_replies_that_take_the_fast_path_are_told_too(
    start: Start, station: Station, server: FakeServer, trace: Callable[..., Trace]
) -> None:
    daemon = start(options=())
    answer = reply(ACK, yiaddr="10.10.10.77", file=b"boot")
    answer[4:8] = bytes(4)
    answer[28:34] = mac(OTHER)
    for _ in range(3):
        server.send(answer, "10.20.0.1")
    daemon.wait_for(lambda: daemon.status()["counters"]["sent_to_clients"] == 3)
    followed = trace(daemon, OTHER, "--json")
    station.send(asked(OTHER))
    assert server.receive() is not None
    server.send(answer, "10.20.0.1")
    followed.wait_for("ACK")
    told = followed.events[-1]
    assert (told["server"], told["boot_file"]) == ({"name": "ris", "address": RIS}, "boot")
    assert (told["out"], told["address"], told["dropped"]) == ("vlan10", "10.10.10.77", "")
    assert 0 < told["milliseconds"] < 5000


def test_drops_floods_and_failures_are_told(
    start: Start, station: Station, server: FakeServer, trace: Callable[..., Trace]
) -> None:
    daemon = start(
        BASE.replace("10.20.0.10", "[10.20.0.10, 203.0.113.9, 203.0.113.8]").replace(": 0", ": 5"),
        options=(),
    )
    followed = trace(daemon, "*")
    station.send(asked(DROPPED))
    line = followed.wait_for("says drop; dropped")
    assert f"rule {DROPPED} ({daemon.config}:11)" in line
    for number in range(20):
        station.send(asked(OTHER, number))
    followed.wait_for("asks more than `max_requests` times a second")
    line = followed.wait_for("with giaddr")
    assert "; BUT could not send to 203.0.113.9: Network is unreachable; BUT could not send to 203" in line
    server.send(reply(), "10.20.0.1")
    followed.wait_for("OFFER from ris 10.20.0.10")
    server.send(reply(giaddr="10.99.0.1"), "10.20.0.1")
    followed.wait_for("dropped: a reply whose giaddr is the address of none")


def test_a_client_that_nobody_knows_is_unknown_also_when_it_is_followed(
    start: Start, station: Station, server: FakeServer, trace: Callable[..., Trace]
) -> None:
    daemon = start(options=())
    followed = trace(daemon, OTHER)
    station.send(asked(OTHER))
    assert server.receive() is not None
    followed.wait_for("DISCOVER")
    assert [one["mac"] for one in control_client.ask(daemon.socket, "unknown")["clients"]] == [OTHER]


def test_a_trace_survives_a_reload_and_tells_of_it(
    start: Start, station: Station, trace: Callable[..., Trace]
) -> None:
    daemon = start(options=())
    followed = trace(daemon, OTHER, "--interface", "vlan10")
    daemon.reload(BASE + f'  "{OTHER}": altiris\n')
    line = followed.wait_for("the configuration was loaded again; the mapping says now:")
    followed.wait_for(f"  rule {OTHER} ({daemon.config}:12) says altiris -> altiris 10.20.0.20")
    followed.wait_for("    lost: the default (")
    station.send(asked(OTHER))
    line = followed.wait_for("DISCOVER")
    assert f"rule {OTHER} ({daemon.config}:12) says altiris; sent to altiris 10.20.0.20" in line
    daemon.reload("nonsense: 1\n")
    followed.wait_for("a new configuration was refused, the old one stays: ")
    assert followed.end() == 0
    again = trace(daemon, OTHER, "--interface", "vlan10")
    again.wait_for(f"where rules stand is not told: {daemon.config} is not as the daemon loaded it")
    again.wait_for(f"  rule {OTHER} says altiris -> altiris 10.20.0.20")


def test_a_large_mapping_holds_no_message_up(
    start: Start, station: Station, server: FakeServer, trace: Callable[..., Trace]
) -> None:
    """A place is told as soon as the files are read, messages at once."""
    many = "".join(
        f'  "06:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}": ris\n' for n in range(300_000)
    )
    daemon = start(options=())
    assert "error" not in daemon.reload(BASE + many)
    followed = trace(daemon, LISTED)
    followed.wait_for("where rules stand is told in a while: the mapping is large")
    station.send(asked(LISTED))
    followed.wait_for(f"rule {LISTED} says altiris; sent to")

    def known() -> bool:
        station.send(asked(LISTED))
        time.sleep(0.2)
        return any(
            f"rule {LISTED} ({daemon.config}:8) says altiris; sent to" in line for line in followed.lines
        )

    daemon.wait_for(known, 180)
    assert followed.end() == 0
    assert server.receive(0.1) is None


def test_an_interface_that_goes_away_is_told(
    network: Network, start: Start, trace: Callable[..., Trace]
) -> None:
    daemon = start(options=())
    followed = trace(daemon, OTHER)
    network.relay.ip("link set vlan10 down")
    try:
        followed.wait_for("interface vlan10 waiting: ")
    finally:
        network.relay.ip("link set vlan10 up")
    followed.wait_for("interface vlan10 active, giaddr 10.10.10.1")
    assert daemon.states() == {"vlan10": "active", "vlan20": "active"}


@pytest.mark.usefixtures("server")
def test_silence_is_told_and_what_it_may_mean(
    start: Start, station: Station, trace: Callable[..., Trace]
) -> None:
    daemon = start(options=())
    nobody, waiting = trace(daemon, LISTED), trace(daemon, OTHER)
    station.send(asked(OTHER))
    line = nobody.wait_for(f"nothing heard from {LISTED} for 10 s: is it on", seconds=20)
    assert "We hear on" not in line
    assert "We hear vlan10, vlan20" in line
    line = waiting.wait_for(f"nothing heard from {OTHER} for 10 s", seconds=20)
    assert "went to ris 10.20.0.10 and no answer came: is the server up" in line


def test_exit_codes(start: Start, station: Station, tmp_path: Path, trace: Callable[..., Trace]) -> None:
    daemon = start(options=())
    enough, late = (
        trace(daemon, OTHER, "--count", "2"),
        trace(daemon, LISTED, "--seconds", "1", "--count", "1"),
    )
    over, cut = trace(daemon, LISTED, "--seconds", "1"), trace(daemon, LISTED)
    for number in range(3):
        station.send(asked(OTHER, number))
    assert enough.process.wait(10) == 0
    assert sum("DISCOVER" in line for line in enough.lines) == 2
    assert (late.process.wait(10), over.process.wait(10)) == (1, 0)
    assert daemon.stop() == 0
    assert cut.process.wait(10) == 3
    assert "it hung up" in cut.lines[-1]
    nobody = Trace(daemon, tmp_path, LISTED)
    assert nobody.process.wait(10) == 3


@pytest.mark.parametrize(
    ("arguments", "complaint", "code"),
    [
        (("02:00:00:10:00",), "write 02:00:00:10:00:*", 2),
        (
            (LISTED, "--interface", "vlan99"),
            "vlan99 is no client interface of this relay; there are: vlan10",
            1,
        ),
        ((LISTED, "--seconds", "0"), "'0' is no number from 1 on", 2),
    ],
)
def test_what_can_not_be_followed_is_refused(
    start: Start, tmp_path: Path, arguments: tuple[str, ...], complaint: str, code: int
) -> None:
    refused = Trace(start(options=()), tmp_path, *arguments)
    assert refused.process.wait(10) == code
    assert complaint in refused.lines[-1]


def test_traces_are_few_and_take_no_place_of_other_commands(start: Start) -> None:
    daemon = start(options=())
    with ExitStack() as stack:
        peers = [stack.enter_context(raw(daemon, f"02:00:00:0{number}:*")) for number in range(4)]
        for peer in peers:
            assert b'"start"' in peer.recv(65536)
        for _ in range(15):  # of 16 places for peers that say nothing
            silent = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            silent.connect(str(daemon.socket))
        assert daemon.status()["config"]["rules"] == 4
        refused = control_client.ask(daemon.socket, "trace", mac="*")
        assert refused["error"].startswith("4 traces are running already (02:00:00:00:*, ")
        peers[0].close()
        daemon.wait_for(lambda: "error" not in control_client.ask(daemon.socket, "trace", mac="*"))
    assert daemon.stop() == 0


@pytest.mark.parametrize("silent", [1, 4])
def test_a_peer_that_does_not_read_loses_lines_and_holds_nobody_up(
    start: Start, station: Station, server: FakeServer, silent: int
) -> None:
    daemon = start(options=())
    with ExitStack() as stack:
        peers = [stack.enter_context(raw(daemon, "*")) for _ in range(silent)]
        for peer in peers:
            assert b'"start"' in peer.recv(1, socket.MSG_WAITALL) + peer.recv(65536)
        total, slowest = 0, 0.0
        for _ in range(4):
            for _ in range(400):
                sent = time.monotonic()
                station.send(asked(OTHER, total))
                assert server.receive() is not None
                slowest = max(slowest, time.monotonic() - sent)
                total += 1
            time.sleep(1.1)
        assert slowest < 0.5
        for peer in peers:
            told, lost = read(peer, total)
            assert told + lost == total
            assert lost > 0
        station.send(asked(OTHER, total))
        assert json.loads(peers[0].makefile("rb").readline())["xid"] == f"{total:08x}", "it goes on"
        assert daemon.stop() == 0


def read(peer: socket.socket, total: int) -> tuple[int, int]:
    """Return how many messages are told of and how many were lost, when together they are so many."""
    told = lost = 0
    lines = peer.makefile("rb")
    while told + lost < total:
        event = json.loads(lines.readline())
        told += event["event"] == "message"
        lost += event["lines"] if event["event"] == "lost" else 0
    return told, lost


def test_a_storm_is_relayed_whole_while_everybody_is_followed(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(options=())
    with raw(daemon, "*") as peer:
        assert b'"start"' in peer.recv(65536)
        for number in range(5000):
            station.send(asked(f"02:00:00:0d:{number >> 8:02x}:{number & 255:02x}", number))
        got = set()
        while (datagram := server.receive(1.0)) is not None:
            got.add(datagram[0][4:8])
        assert len(got) == 5000
        assert read(peer, 5000)[1] > 0
    assert daemon.status()["counters"]["not_received"] == 0
