"""ConnMan's client, which reads frames and knows nothing of checksum offload, has its lease (rule 40)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import Host, debian
from tests.lab.daemon import Daemon
from tests.lab.topology import Network

Start = Callable[..., Daemon]
SECONDS = 20

BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
"""

START = """\
mount -t tmpfs none /var/lib && mkdir /var/lib/connman && mount -t tmpfs none /run &&
exec env DBUS_SYSTEM_BUS_ADDRESS=unix:path="$1" "$2" "$3" -n --nodnsproxy -i eth0
"""
"""What it keeps, and would do to the machine, stays in a mount namespace of its own."""


@contextmanager
def connman(host: Host, folder: Path) -> Iterator[None]:
    """Run ConnMan on a host, with a D-Bus of its own."""
    bus = folder / "bus"
    (folder / "bus.conf").write_text(BUS.format(path=bus))
    dbus = debian.program_with_libraries("dbus-daemon", "usr/bin/dbus-daemon")
    _, libraries, program = debian.program_with_libraries("connman", "usr/sbin/connmand")
    daemon = host.popen([*dbus, "--nofork", f"--config-file={folder / 'bus.conf'}"], log="dbus.log")
    try:
        deadline = time.monotonic() + SECONDS
        while not bus.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        argv = ["unshare", "--mount", "sh", "-c", START, "sh", str(bus), libraries, program]
        client = host.popen(argv, log="connman.log")
        try:
            yield
        finally:
            client.terminate()
            client.wait()
    finally:
        daemon.terminate()
        daemon.wait()


def test_rule_40_connman_has_its_lease_over_a_veth(start: Start, network: Network, tmp_path: Path) -> None:
    daemon = start()
    network.ris.start()
    host = network.add_client("connman", "02:00:00:00:c0:01")
    try:
        with connman(host, tmp_path):
            deadline, found = time.monotonic() + SECONDS, ""
            while "10.10.10." not in found and time.monotonic() < deadline:
                time.sleep(0.2)
                found = host.run(["ip", "-4", "-oneline", "address", "show", "dev", "eth0"]).stdout
    finally:
        network.ris.stop()
    assert "10.10.10." in found, (network.lab.state_dir / "connman.log").read_text()
    assert daemon.log.count("02:00:00:00:c0:01: OFFER from ris") == 1, "the first one was good enough"
