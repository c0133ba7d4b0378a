"""Loading: in a process of its own, which may be slow, crash or be asked for again and again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pxerelay import __version__
from pxerelay.daemon import loader
from pxerelay.linux.control_client import NoDaemonError
from tests.integration.conftest import BASE
from tests.lab.daemon import Daemon
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import request

Start = Callable[..., Daemon]

LOADER = """\
import sys
from pxerelay import cli
from pxerelay.daemon import loader_process
head, ignoring, *rest = loader_process._BOOTSTRAP.splitlines()
way = "import runpy; from pathlib import Path; way = Path(sys.argv[1]).with_name('way.py')"
run = "way.exists() and runpy.run_path(str(way))"
loader_process._BOOTSTRAP = "\\n".join((head, ignoring, way, run, *rest))
sys.exit(cli.main())
"""
COMMAND = (sys.executable, "-c", LOADER)
"""The daemon, with a loader that first does what `way.py` says, next to the configuration."""

ENDLESS = """\
import time
from pathlib import Path
Path(__file__).with_name("begun").touch()
time.sleep(600)
"""


def children(pid: int) -> Sequence[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def ignores(pid: str, number: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:"))
    return bool(mask >> (number - 1) & 1)


def running(pid: str) -> bool:
    return Path("/proc", pid).exists()


class Starting:
    """A daemon that nobody waits for, and what it tells its service manager."""

    def __init__(self, network: Network, folder: Path, way: str = "") -> None:
        self.config = folder / "pxerelay.yml"
        self.config.write_text(BASE)
        if way:
            (folder / "way.py").write_text(way)
        self.log = folder / "log"
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(folder / "notify"))
        self.manager.settimeout(5)
        with self.log.open("w") as log:
            self.process = network.relay.popen(
                [*COMMAND, "run", "--config", str(self.config), "--socket", str(folder / "control")],
                env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
                stderr=log,
            )

    def told(self) -> str:
        """Return what the service manager is told next."""
        return self.manager.recv(4096).decode()

    def wait_for_loader(self) -> str:
        """Return the process that loads, once it is there."""
        deadline = time.monotonic() + 5
        while not (found := children(self.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found[0]


@contextmanager
def starting(network: Network, folder: Path, way: str = "") -> Iterator[Starting]:
    daemon = Starting(network, folder, way)
    with closing(daemon.manager):
        yield daemon
        daemon.process.terminate()
        assert daemon.process.wait(5) == 0
    assert "Traceback" not in daemon.log.read_text()


@contextmanager
def endless_reload(daemon: Daemon) -> Iterator[str]:
    """Have the daemon load something that never ends; yields the process that does so."""
    way = daemon.config.with_name("way.py")
    way.write_text(ENDLESS)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(way.with_name("begun").exists, 10)
    way.unlink()
    yield children(daemon.process.pid)[0]


def test_packets_and_status_do_not_wait_for_a_reload(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(command=COMMAND)
    with endless_reload(daemon):
        station.send(request())
        assert server.receive() is not None
        assert daemon.status()["counters"]["requests"] == 1


def test_the_end_does_not_wait_for_a_reload(start: Start) -> None:
    daemon = start(command=COMMAND)
    with endless_reload(daemon) as loader:
        waiting = threading.Thread(target=_ask_for_reload, args=(daemon,))
        waiting.start()
        assert daemon.stop() == 0
        waiting.join(5)
        assert not waiting.is_alive()
    assert not running(loader)
    assert daemon.log.splitlines()[-1] == "<6>stopped"


def _ask_for_reload(daemon: Daemon) -> None:
    with pytest.raises(NoDaemonError):
        daemon.reload(BASE)


def test_the_end_does_not_wait_for_the_start(network: Network, tmp_path: Path) -> None:
    with starting(network, tmp_path, ENDLESS) as daemon:
        loader = daemon.wait_for_loader()
    assert not running(loader)
    assert daemon.log.read_text().splitlines()[-1] == "<6>stopped"


def test_a_sighup_during_the_start_is_a_reload_after_it(network: Network, tmp_path: Path) -> None:
    with starting(network, tmp_path, "import time\ntime.sleep(0.5)\n") as daemon:
        daemon.wait_for_loader()
        for _ in range(3):
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        assert daemon.told().startswith("READY=1\nSTATUS=4 rules")
        assert daemon.told().startswith("RELOADING=1\n")
        assert daemon.told().startswith("READY=1\nSTATUS=4 rules")
        daemon.manager.settimeout(1)
        with pytest.raises(TimeoutError):
            daemon.told()


def test_reloads_that_nobody_could_tell_apart_are_one(network: Network, tmp_path: Path) -> None:
    with starting(network, tmp_path) as daemon:
        assert daemon.told().startswith("READY=1\n")
        (tmp_path / "way.py").write_text("import time\ntime.sleep(0.5)\n")
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.told().startswith("RELOADING=1\n")
        for _ in range(20):
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        assert daemon.told().startswith("READY=1\n")
        assert daemon.told().startswith("RELOADING=1\n")
        assert daemon.told().startswith("READY=1\n")
        daemon.manager.settimeout(1)
        with pytest.raises(TimeoutError):
            daemon.told()


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("raise MemoryError", "the loader failed (exit 1): MemoryError"),
        ("import os\nos.abort()", "the loader failed (ended by signal 6)"),
        (
            "print('0.0.0')\nimport os, sys\nsys.stdout.flush()\nos._exit(0)",
            f"this is pxerelay {__version__} and the loader is another; restart the service",
        ),
    ],
)
def test_a_loader_that_crashes_changes_nothing(
    network: Network, tmp_path: Path, station: Station, server: FakeServer, way: str, reason: str
) -> None:
    daemon = Daemon(network, tmp_path, BASE, command=COMMAND)
    (tmp_path / "way.py").write_text(way)
    assert daemon.reload(BASE + "  02:00:00:00:00:01: drop\n")["error"] == reason
    status = daemon.status()["config"]
    assert (status["rules"], status["last_error"]) == (4, reason)
    assert f"<3>the new configuration does not load, the old one stays:\n<3>{reason}" in daemon.log
    station.send(request())
    assert server.receive() is not None
    (tmp_path / "way.py").unlink()
    assert daemon.reload(BASE)["rules"] == 4
    assert daemon.status()["config"]["last_error"] is None
    assert daemon.stop() == 0


def test_a_loader_that_hangs_is_given_up(start: Start) -> None:
    """It may have closed its streams, too: to wait for its end must hold nobody up."""
    assert loader.LIMIT == 30
    impatient = "from pxerelay.daemon import loader\nloader.LIMIT = 2\nsys.exit"
    daemon = start(command=(sys.executable, "-c", LOADER.replace("sys.exit", impatient)))
    folder = daemon.config.parent
    for way in ("", "import os\nos.close(1)\nos.close(2)\n"):
        (folder / "way.py").write_text(f"{way}import time\ntime.sleep(600)\n")
        answers: list[dict[str, object]] = []
        asking = threading.Thread(target=lambda found=answers: found.append(daemon.reload(BASE)))
        asking.start()
        longest = 0.0
        while asking.is_alive():
            begun = time.monotonic()
            daemon.status()
            longest = max(longest, time.monotonic() - begun)
        reason = "loading took longer than 2 s, and was given up"
        assert answers == [{"error": reason}]
        assert daemon.status()["config"]["last_error"] == reason
        assert longest < 1.5
        daemon.wait_for(lambda: not children(daemon.process.pid))
    (folder / "way.py").unlink()
    assert daemon.reload(BASE)["rules"] == 4
    assert daemon.status()["config"]["last_error"] is None


def test_a_sighup_for_the_whole_service_does_not_end_its_loader(start: Start) -> None:
    daemon = start(command=COMMAND)
    daemon.config.with_name("way.py").write_text("import time\ntime.sleep(0.5)\n")
    daemon.config.write_text(BASE + "  02:00:00:00:00:01: drop\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: bool(children(daemon.process.pid)))
    child = children(daemon.process.pid)[0]
    daemon.wait_for(lambda: ignores(child, signal.SIGHUP))
    os.kill(int(child), signal.SIGHUP)
    daemon.wait_for(lambda: daemon.status()["config"]["rules"] == 5)
    assert daemon.status()["config"]["last_error"] is None


def test_the_service_manager_is_told_that_a_crashed_reload_is_over(network: Network, tmp_path: Path) -> None:
    with starting(network, tmp_path) as daemon:
        assert daemon.told().startswith("READY=1\n")
        (tmp_path / "way.py").write_text("raise MemoryError")
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.told().startswith("RELOADING=1\n")
        assert daemon.told().startswith("READY=1\nSTATUS=new configuration refused: the loader failed")


def test_a_loader_that_crashes_at_the_start_is_told(network: Network, tmp_path: Path) -> None:
    (tmp_path / "way.py").write_text("raise MemoryError")
    config = tmp_path / "pxerelay.yml"
    config.write_text(BASE)
    done = network.relay.run([*COMMAND, "run", "--config", str(config)], check=False)
    assert (done.returncode, done.stderr) == (1, "<3>the loader failed (exit 1): MemoryError\n")


def test_the_loader_imports_nothing_from_the_current_folder(network: Network, tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit('imported')")
    config = tmp_path / "pxerelay.yml"
    config.write_text(BASE)
    program = Path(sys.executable).with_name("pxerelay")
    process = network.relay.popen(
        [str(program), "run", "--config", str(config), "--socket", str(tmp_path / "c")],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert any("4 rules, 2 of 2 client interfaces active" in line for line in process.stderr)
    process.terminate()
    assert process.wait(5) == 0
