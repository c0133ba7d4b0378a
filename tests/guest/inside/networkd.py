"""A host that systemd-networkd configures, in namespaces of its own: `networkd.py VLANS`.

VLANS is JSON, `pxerelay_interfaces` as an inventory has them. Makes a parent `eth1` that networkd manages,
has the role's filters write their files, and prints what `ip` says of the links then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.role.test_filters import FILTERS

BUS = """\
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
</policy></busconfig>
"""
PARENT = "[Match]\nName=eth1\n\n[Network]\nLinkLocalAddressing=no\n"
SECONDS = 30.0


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"not within {SECONDS} s\n{Path('/run/networkd.log').read_text()}")
        time.sleep(0.1)


def prepare() -> None:
    """Set the stage: without udev, networkd takes links for ready where /sys can't be written to."""
    run("mount", "-t", "sysfs", "sys", "/sys")
    run("mount", "-o", "remount,ro,bind", "/sys")
    run("mount", "-t", "tmpfs", "tmp", "/etc/systemd")
    for folder in ("/etc/systemd/network", "/run/dbus", "/run/systemd/netif", "/run/systemd/network"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    run("chown", "-R", "systemd-network", "/run/systemd/netif")
    Path("/run/bus.conf").write_text(BUS)
    run("dbus-daemon", "--config-file=/run/bus.conf", "--fork")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far1")
    run("ip", "link", "set", "far1", "up")
    Path("/etc/systemd/network/50-eth1.network").write_text(PARENT)


def networkd() -> subprocess.Popen[bytes]:
    with Path("/run/networkd.log").open("a") as log:
        return subprocess.Popen(["/lib/systemd/systemd-networkd"], stdout=log, stderr=log)


def listing() -> str:
    return run("networkctl", "--json=short", "--no-pager", "list")


def parent_is_managed() -> bool:
    try:
        return "50-eth1.network" in listing()
    except subprocess.CalledProcessError:
        return False


def main() -> None:
    vlans = FILTERS["vlans"](json.loads(sys.argv[1]))
    prepare()
    daemon = networkd()
    try:
        wait_for(parent_is_managed)
        told = listing()
        obstacles = FILTERS["vlan_obstacles"](vlans, told, [])
        if obstacles:
            sys.exit("\n".join(obstacles))
        for path, content in FILTERS["vlan_files"](vlans, told).items():
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text(content)
        daemon.terminate()
        daemon.wait()
        daemon = networkd()
        wait_for(
            lambda: all(
                Path("/sys/class/net", name).exists() and "inet " in run("ip", "address", "show", "dev", name)
                for name in vlans
            )
        )
        print(run("ip", "-json", "-details", "address"))
    finally:
        daemon.kill()
        os.sync()


if __name__ == "__main__":
    main()
