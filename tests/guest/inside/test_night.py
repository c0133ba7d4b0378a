"""What of the night (tests/integration/night) needs a machine of its own: a clock to be set, and VRFs."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.inside.conftest import Relay, running, sockets_on_port_67
from tests.guest.inside.test_vrfs import Vrf
from tests.lab import Dnsmasq
from tests.lab.daemon import Daemon
from tests.lab.steady import Steady
from tests.lab.topology import ALTIRIS, RIS, Network

DAY = 24 * 3600
TOMORROW, YESTERDAY = DAY, -DAY
CONFIG = f"""\
max_requests: 20
servers: {{ris: {RIS}, altiris: {ALTIRIS}}}
default: ris
interfaces: {{vlan10: {{}}, vlan20: {{}}, vlan30: {{}}}}
rules:
  "02:00:00:10:00:01": {{server: altiris, until: 2040-01-31}}
"""

pytestmark = pytest.mark.skipif(
    "uml_dir=" not in Path("/proc/cmdline").read_text(), reason="sets the clock: only in the guest"
)


@pytest.fixture
def asking(network: Network) -> Iterator[Steady]:
    """Have clients of vlan10 ask, and ris answer."""
    ris = network.ris
    server = Dnsmasq(ris.host, address=ris.address, pools=ris.pools, bootfile=ris.bootfile)
    if not (Path("/run/netns") / network.client("night").namespace).exists():
        network.add_client("night", "02:00:00:00:00:0a")
    with running(server):
        yield Steady(network.client("night"), every=0.05)


@pytest.fixture
def noon() -> Iterator[None]:
    """Set the clock to a noon, and put it right afterwards."""
    wall, start = time.time(), time.monotonic()
    time.clock_settime(time.CLOCK_REALTIME, time.mktime(time.strptime("2040-01-31 12:00", "%Y-%m-%d %H:%M")))
    yield
    time.clock_settime(time.CLOCK_REALTIME, wall + time.monotonic() - start)


def strangers(daemon: Daemon) -> list[dict[str, int]]:
    found: list[dict[str, int]] = daemon.ask("unknown")["clients"]
    return found


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize("jump", [TOMORROW, YESTERDAY])
def test_the_clock_jumps_by_a_day(relay: Relay, asking: Steady, jump: int) -> None:
    """Night: the clock is set a day forward; a day back; and right again.

    Only what means the calendar follows it, and at once: rules with an end. No packet is lost; the bound on
    what a client may ask in a second neither shuts nor opens; how long ago clients were seen stays what it
    was, and so do all waits.
    """
    daemon = relay.daemon
    status = daemon.status()["config"]
    with asking:
        time.sleep(1)
        seen = max(client["first_ago"] for client in strangers(daemon))
        start = time.monotonic()
        time.clock_settime(time.CLOCK_REALTIME, time.time() + jump)
        daemon.wait_for(lambda: daemon.status()["config"]["ended"] == (jump > 0), 10)
        time.sleep(1)
        ages = [client["first_ago"] for client in strangers(daemon)]
        assert max(ages) <= seen + (time.monotonic() - start) + 2
        assert min(ages) >= 0
        time.clock_settime(time.CLOCK_REALTIME, time.time() - jump)
        daemon.wait_for(lambda: daemon.status()["config"]["ended"] == 0, 10)
        time.sleep(0.5)
    assert asking.sent >= 20
    assert (asking.lost, relay.dropped) == (0, {})
    after = daemon.status()["config"]
    assert (after["sha256"], after["loaded_at"]) == (status["sha256"], status["loaded_at"])
    assert daemon.ask("reload")["rules"] == 1, "as ever"


def test_a_vrf_is_heard_when_there_is_a_descriptor_again(
    relay: Relay, network: Network, asking: Steady
) -> None:
    """Night: two interfaces are moved into VRFs, and there is one descriptor for the sockets that hear them.

    It is told; others lose nothing; once there are descriptors again both VRFs are heard, by itself.
    """
    daemon, host = relay.daemon, network.relay
    host.attach(network.segments["vlan20"], "vlan30", addresses=["10.10.30.1/24"])
    red, blue = Vrf(network), Vrf(network, "blue", 101, "10.20.0.4")
    daemon.wait_for(lambda: daemon.states()["vlan30"] == "active", 10)
    time.sleep(1)
    pid = daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    try:
        with asking:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 1, before[1]))
            host.ip("link set vlan20 master red", "link set vlan30 master blue")
            relay.must_say(": Too many open files")
            assert sockets_on_port_67(daemon) == 2
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            daemon.wait_for(lambda: sockets_on_port_67(daemon) == 3, 20)
        assert asking.lost == 0
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        host.ip("link set vlan20 nomaster")
        host.detach("vlan30")
        red.remove()
        blue.remove()
