"""Out of file descriptors: nothing can be opened any more, and then it can again."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tests.integration.conftest import BASE
from tests.integration.night.conftest import answer_of, descriptors, others, survives
from tests.lab.daemon import Daemon
from tests.lab.frames import Checksum
from tests.lab.topology import Network
from tests.lab.wire import Station
from tests.unit.messages import request

Relay = Callable[..., Daemon]

DATED = BASE + '  "02:00:00:10:00:02": {server: altiris, until: 2999-12-31}\n'


def _first_free(daemon: Daemon) -> int:
    """Return the lowest number that no descriptor has in a moment; whoever asked last is gone by then."""
    time.sleep(0.03)
    taken = descriptors(daemon)
    return next(number for number in range(len(taken) + 1) if number not in taken)


@contextmanager
def none_left(daemon: Daemon) -> Iterator[None]:
    """Let the daemon keep the descriptors that it has, and get no more."""
    pid = daemon.process.pid
    most = min(_first_free(daemon) for _ in range(20))  # a question to a resolver may have one just then
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_no_descriptor_is_left(relay: Relay, network: Network) -> None:
    """Night: no descriptor is left, and all that needs one comes at once.

    A command, a reload (whose loader needs pipes), an interface that goes and comes, damaged datagrams that
    are to be told from lost ones. No packet is lost; each failure is told once or twice. As soon as there
    are descriptors again the command gets its answer and the interface is followed, by itself.
    """
    daemon = relay()
    with survives(daemon), others(network, "vlan10") as unaware:
        with none_left(daemon):
            daemon.process.send_signal(signal.SIGHUP)
            told = "the new configuration does not load, the old one stays:\n<3>the loader can't be started: "
            daemon.wait_for(lambda: f"<3>{told}Too many open files\n" in daemon.log)
            asked, answers = answer_of(daemon.status)
            network.relay.ip("link set vlan20 down")
            burst_of_damaged(network, daemon)
            daemon.wait_for(lambda: "could not take a connection to the control socket" in daemon.log)
            time.sleep(3)
        asked.join(3)
        assert answers[0]["config"]["last_error"] == "the loader can't be started: Too many open files"
        assert daemon.status()["counters"]["bad_checksums"] == 100
        daemon.wait_for(lambda: daemon.states()["vlan20"] == "waiting", 2)
        network.relay.ip("link set vlan20 up")
        daemon.wait_for(lambda: daemon.states()["vlan20"] == "active", 2)
        assert daemon.reload(BASE)["rules"] == 4
    unaware.must_not_have_noticed()
    assert daemon.status()["config"]["last_error"] is None
    assert daemon.log.count("Too many open files") <= 6


def burst_of_damaged(network: Network, daemon: Daemon) -> None:
    """Send damaged datagrams and good ones, which come to the daemon all at once."""
    with closing(Station(network.client("vlan10"))) as station:
        daemon.process.send_signal(signal.SIGSTOP)
        for _ in range(100):
            station.send(request(), checksum=Checksum.BAD)
            station.send(request())
        daemon.process.send_signal(signal.SIGCONT)


def test_a_reload_needs_one_more_than_there_is(relay: Relay, network: Network) -> None:
    """Night: the configuration loads, but putting it into force takes a descriptor more: a timer.

    It is refused as a whole, in words, and the old one stays; later it is taken.
    """
    daemon = relay()
    with survives(daemon), others(network) as unaware:
        limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        for more in range(1, 12):
            time.sleep(0.1)
            most = len(descriptors(daemon)) + more
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (most, limits[1]))
            answer = daemon.reload(DATED)
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, limits)
            if "error" not in answer:
                break
            assert "Too many open files" in answer["error"]
            assert daemon.status()["config"]["rules"] == 4
        assert daemon.status()["config"]["next_end"] == "2999-12-31"
        assert "error" not in daemon.reload(BASE)
    unaware.must_not_have_noticed()
