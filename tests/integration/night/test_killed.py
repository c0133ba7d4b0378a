"""The daemon is killed under load, and another one starts at once on the same paths.

That systemd starts it is for molecule/default.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from pxerelay.linux import control_client
from tests.integration.conftest import BASE
from tests.integration.night.conftest import BARE, FOR_ALTIRIS, FOR_RIS, ask_once, descriptors
from tests.integration.test_loading import children, running
from tests.lab.daemon import Daemon
from tests.lab.endure import boot_through
from tests.lab.steady import Steady
from tests.lab.topology import Network

Relay = Callable[..., Daemon]

GAP = 4.0
"""Seconds without an answer that no firmware notices: after that it asks again (PXE 2.1, 2.2.3)."""


def start_again(network: Network, daemon: Daemon) -> None:
    """Start a daemon as the killed one was, and wait until it answers."""
    with daemon.log_path.open("a") as log:
        files = ("--config", str(daemon.config), "--socket", str(daemon.socket))
        daemon.process = network.relay.popen([*BARE, "run", *files], stdout=log, stderr=log)
    daemon.wait_for(lambda: daemon.process.poll() is not None or answers(daemon), 10)
    assert daemon.process.poll() is None, daemon.log


def answers(daemon: Daemon) -> bool:
    try:
        return bool(daemon.status())
    except control_client.NoDaemonError:
        return False


def test_the_daemon_is_killed_under_load(relay: Relay, network: Network) -> None:
    """Night: kill -9 in the middle of the load of two VLANs, three times.

    What is left behind, the control socket, is taken over, the port is free, the configuration is the same.
    Nobody is without answers for longer than firmware waits before it asks again; nothing is lost once the
    new daemon says that it runs.
    """
    daemon = relay()
    sha256, used = daemon.status()["config"]["sha256"], len(descriptors(daemon))
    one = Steady(network.client("vlan10"), prefix=FOR_RIS, every=0.005)
    other = Steady(network.client("vlan20"), prefix=FOR_ALTIRIS, every=0.005)
    with one, other:
        for _ in range(3):
            time.sleep(0.5)
            killed = daemon.process.pid
            daemon.process.kill()
            daemon.process.wait()
            assert daemon.socket.exists(), "nobody tidied up"
            start_again(network, daemon)
            assert daemon.process.pid != killed
        back = time.monotonic()
        time.sleep(0.5)
    for asking in (one, other):
        assert asking.longest < GAP
        assert asking.lost_after(back) == 0
        assert asking.answered > asking.sent / 10
    status = daemon.status()
    assert (status["config"]["sha256"], status["config"]["last_error"]) == (sha256, None)
    assert set(daemon.states().values()) == {"active"}
    daemon.wait_for(lambda: len(descriptors(daemon)) <= used)
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_a_client_in_the_middle_of_its_boot_ends_it(relay: Relay, network: Network) -> None:
    """Night: a client has its offer, the daemon is killed, another one starts; the client goes on as it was.

    It gets what it was offered with the first or the second try of those that firmware makes.
    """
    daemon = relay()

    def kill_and_start() -> None:
        daemon.process.kill()
        daemon.process.wait()
        start_again(network, daemon)

    told = boot_through(network, kill_and_start, client="vlan10")
    assert told["tries"] <= 2


def test_the_daemon_is_killed_while_it_loads(relay: Relay, network: Network) -> None:
    """Night: kill -9 in the middle of a reload; the process that loads is left alone and ends by itself."""
    daemon = relay()
    grown = "".join(f'  "02:01:00:00:{n >> 8:02x}:{n & 255:02x}": altiris\n' for n in range(20_000))
    daemon.config.write_text(BASE + grown)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: bool(children(daemon.process.pid)), 5)
    (loader,) = children(daemon.process.pid)
    daemon.process.kill()
    daemon.process.wait()
    start_again(network, daemon)
    assert daemon.status()["config"]["rules"] == 20_004, "what was to be loaded"
    daemon.wait_for(lambda: not running(loader), 20)
    assert ask_once(network).lost == 0
