"""What the daemon tells, and does not do, where sending or logging fails."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.conftest import BASE
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.frames import Checksum
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import ACK, reply, request

Start = Callable[..., Daemon]


def test_only_what_the_kernel_took_counts_as_sent(start: Start, station: Station, server: FakeServer) -> None:
    daemon = start(BASE.replace("10.20.0.10", "[10.20.0.10, 203.0.113.9]"))
    for _ in range(2):
        station.send(request())
        assert server.receive() is not None
    daemon.wait_for(lambda: daemon.status()["counters"]["requests"] == 2)
    counters = daemon.status()["counters"]
    assert (counters["sent_to_servers"], counters["send_failures"]) == (2, 2)
    failure = "could not send to 203.0.113.9: Network is unreachable"
    assert daemon.log.count(f"; BUT {failure}\n") == 2, "each line of --debug tells its own failure"
    hint = "add a route to it on this host, in the clients' VRF if they are in one"
    assert daemon.log.count(f"<4>{failure}; {hint}\n") == 1


def test_a_reply_that_could_not_be_sent_is_not_counted(
    network: Network, start: Start, server: FakeServer
) -> None:
    daemon = start()
    with stopped(daemon):
        for _ in range(2):
            server.send(bytes(reply(ACK)).ljust(1000, b"\0"), "10.20.0.1")
        network.relay.ip("link set vlan10 mtu 576")
    daemon.wait_for(lambda: daemon.status()["counters"]["replies"] == 2)
    network.relay.ip("link set vlan10 mtu 1500")
    counters = daemon.status()["counters"]
    assert (counters["sent_to_clients"], counters["send_failures"]) == (0, 2)
    assert "<4>could not send to 10.10.10.100: Message too long; the interface's MTU became" in daemon.log


@contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    """Stop the process, so that what happens in the block comes to it all at once."""
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_a_damaged_datagram_is_no_sign_of_a_full_buffer(
    start: Start, station: Station, server: FakeServer
) -> None:
    daemon = start(options=())
    with stopped(daemon):
        for _ in range(100):
            station.send(request(), checksum=Checksum.BAD)
            station.send(request())
    for _ in range(100):
        assert server.receive() is not None
    counters = daemon.status()["counters"]
    assert (counters["bad_checksums"], counters["not_received"], counters["requests"]) == (100, 0, 100)
    assert "receive buffer" not in daemon.log


def test_a_large_reply_is_one_whatever_its_fragments(
    network: Network, start: Start, server: FakeServer
) -> None:
    daemon = start()
    network.relay.ip("link set vlan10 mtu 576")
    daemon.wait_for(lambda: daemon.log.count("interface vlan10 active") == 2)
    server.send(reply(ACK) + bytes(1200), "10.20.0.1")
    daemon.wait_for(lambda: daemon.status()["counters"]["replies"] == 1)
    network.relay.ip("link set vlan10 mtu 1500")
    assert daemon.status()["counters"]["sent_to_clients"] == 1


def test_standard_streams_may_be_closed(
    network: Network, tmp_path: Path, station: Station, server: FakeServer
) -> None:
    closed = ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *PXERELAY]
    daemon = Daemon(network, tmp_path, BASE, command=closed)
    streams = {str(Path(f"/proc/{daemon.process.pid}/fd/{number}").readlink()) for number in range(3)}
    assert streams == {"/dev/null"}
    station.send(request())
    assert server.receive() is not None
    assert daemon.reload(BASE)["rules"] == 4
    assert daemon.stop() == 0
