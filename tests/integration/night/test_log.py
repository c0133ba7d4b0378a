"""Nowhere to log to: the disk is full, nobody reads, the journal is gone. Packets do not wait for that."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from pxerelay.linux import control_client
from tests.integration.conftest import BASE
from tests.integration.night.conftest import BARE, others, survives
from tests.lab.daemon import Daemon
from tests.lab.topology import Network

Relay = Callable[..., Daemon]

ON_SMALL_DISK = """
mkdir "$0" && mount -t tmpfs -o size=64k,mode=700 none "$0" && echo first >"$0/log" && exec "$@" 2>>"$0/log"
"""
"""Logs to a file on a disk of 64 KiB, which is there in the daemon's mount namespace alone."""


def on_small_disk(folder: Path) -> tuple[str, ...]:
    return ("sh", "-c", ON_SMALL_DISK, str(folder), *BARE)


@contextmanager
def disk_full(daemon: Daemon, folder: Path) -> Iterator[Path]:
    """Fill the daemon's disk for the block; yields its log."""
    inside = Path(f"/proc/{daemon.process.pid}/root{folder}")
    ballast = inside / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):  # to the last octet
        while True:
            file.write(bytes(1000) if file.tell() < 60_000 else b"x")
    try:
        yield inside / "log"
    finally:
        ballast.unlink()


@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_the_disk_for_logs_is_full(
    relay: Relay, network: Network, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Night: the file system that stderr goes to is full; with --debug every packet wants to be logged.

    No packet is lost or waits. When there is room again the log goes on: it says how many messages are
    missing and why, and no line is torn.
    """
    disk = tmp_path / "disk"
    daemon = relay(command=on_small_disk(disk), options=options)
    with survives(daemon), others(network) as unaware:
        with disk_full(daemon, disk) as log:
            for _ in range(20):
                assert "error" in daemon.reload("nonsense")
                time.sleep(0.05)
            size = log.stat().st_size
        assert daemon.reload(BASE)["rules"] == 4
        daemon.wait_for(lambda: log.stat().st_size > size)
    unaware.must_not_have_noticed()
    lines = log.read_text().splitlines()
    missing = [line for line in lines if line.endswith("messages were not logged: No space left on device")]
    assert len(missing) == 1
    assert missing[0].startswith("<4>")
    assert any(line.startswith(f"<6>reloaded {daemon.config}") for line in lines)
    assert all(line[:3] in ("<3>", "<4>", "<6>", "<7>") for line in lines[1:]), "no line is torn"


def test_the_log_is_a_device_that_is_always_full(relay: Relay, network: Network) -> None:
    """Night: every single write of the log fails, from the start on: no packet is lost or waits."""
    daemon = relay(command=("sh", "-c", 'exec "$@" 2>/dev/full', "sh", *BARE), options=("--debug",))
    with survives(daemon), others(network) as unaware:
        for _ in range(20):
            assert "error" in daemon.reload("nonsense")
        assert daemon.reload(BASE)["rules"] == 4
    unaware.must_not_have_noticed()


class Piped:
    """A daemon whose log goes where a test says; each decision is a line of it."""

    def __init__(self, network: Network, folder: Path, stderr: int | socket.socket) -> None:
        config = folder / "pxerelay.yml"
        config.write_text(BASE)
        self.socket = folder / "control_client.sock"
        files = ("--config", str(config), "--socket", str(self.socket))
        self.process = network.relay.popen([*BARE, "run", "--debug", *files], stderr=stderr)
        end = time.monotonic() + 10
        while not self.socket.exists() and time.monotonic() < end:
            time.sleep(0.02)

    def requests(self) -> int:
        """Return how many requests it has relayed."""
        return int(control_client.ask(self.socket, "status")["counters"]["requests"])

    def end(self) -> None:
        """Have it end, as it should."""
        self.process.terminate()
        assert self.process.wait(5) == 0


def test_nobody_reads_the_log(network: Network, tmp_path: Path) -> None:
    """Night: whoever reads the pipe that stderr is hangs; the pipe is full, and a thousand lines more come.

    No packet is lost or waits. Once it is read again, whole lines come out of it, and how many are missing.
    """
    daemon = Piped(network, tmp_path, subprocess.PIPE)
    assert daemon.process.stderr is not None
    with others(network) as unaware:
        end = time.monotonic() + 20
        while (
            daemon.requests() < 1000 and time.monotonic() < end
        ):  # a line has 100 octets, a pipe holds 65536
            time.sleep(0.1)
        lines: list[str] = []
        while not any("messages were not logged: nobody was reading them" in line for line in lines):
            lines.append(daemon.process.stderr.readline())
    unaware.must_not_have_noticed()
    daemon.process.terminate()
    lines.extend(daemon.process.stderr)
    assert daemon.process.wait(5) == 0
    assert all(line.startswith(("<4>", "<6>", "<7>")) for line in lines), "no line is torn"


def test_the_journal_is_gone(network: Network, tmp_path: Path) -> None:
    """Night: the journal, at the other end of the socket that stderr is, is gone and stays gone.

    No packet is lost or waits, and the daemon ends properly when it is told to.
    """
    journal, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with closing(journal), closing(ours):
        daemon = Piped(network, tmp_path, ours)
    with others(network) as unaware:
        time.sleep(2)
    unaware.must_not_have_noticed()
    daemon.end()
    assert daemon.process.returncode == 0
