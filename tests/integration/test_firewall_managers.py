"""What the role types into firewalld and ufw: the real ones, in namespaces of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab.debian import program_with_libraries

SCRIPT = Path(__file__).parents[2] / "ansible" / "roles" / "pxerelay" / "files" / "firewall.sh"

INSTALLED = """\
set -eu
mount --make-rprivate /
mount -t tmpfs lab /mnt
mkdir /mnt/etc /mnt/etc-work /mnt/usr /mnt/usr-work
cp -r "$1" /mnt/package
cp -r /mnt/package/lib/. /mnt/package/usr/lib/ 2>/dev/null || true
for name in etc usr; do
    layers=lowerdir=/mnt/package/$name:/$name,upperdir=/mnt/$name,workdir=/mnt/$name-work
    mount -t overlay lab -o "$layers" /$name
done
mount -t tmpfs lab /run
ip link set lo up
ip link add vlan10 type veth peer name other
script=$2
"""
"""Has a package installed whose files are in the first folder, in this mount namespace alone."""

FIREWALLD = """\
mkdir -p /run/dbus
sed -i '/<user>/d' /usr/share/dbus-1/system.conf
bus=$(dbus-daemon --system --fork --print-pid)
/usr/bin/python3 /usr/sbin/firewalld --nofork --nopid >/run/firewalld.log 2>&1 &
trap 'kill $! $bus' EXIT
for turn in $(seq 40); do firewall-cmd --state >/dev/null 2>&1 && break; sleep 0.5; done
firewall-cmd --quiet --zone=internal --add-interface=vlan10
ports() {
    for zone in public internal; do echo "$zone $(firewall-cmd ${1-} --zone=$zone --list-ports)"; done
}
sh "$script" look; sh "$script" open; ports; ports --permanent
firewall-cmd --quiet --reload
sh "$script" open; sh "$script" look
sh "$script" close; ports; ports --permanent; sh "$script" close
"""

UFW = """\
cp -n /usr/share/ufw/*.rules /usr/share/ufw/iptables/*.rules /etc/ufw/ 2>/dev/null || true
[ -e /etc/ufw/ufw.conf ] || echo ENABLED=no >/etc/ufw/ufw.conf
sh "$script" open
ufw --force enable >/dev/null
sh "$script" look; sh "$script" open; ufw show added | grep 67
ufw reload >/dev/null
sh "$script" open; sh "$script" look
sh "$script" close; ufw show added | grep 67 || true; sh "$script" close
ufw allow 67/udp >/dev/null
sh "$script" open; sh "$script" close; ufw show added | grep 67
"""
"""In the end a rule of the administrator's own is left alone."""


def said(package: str, path: str, text: str) -> list[str]:
    """Return what commands say where a package is installed."""
    home = Path(program_with_libraries(package, path)[-1].removesuffix(f"/{path}"))
    command = ["unshare", "--mount", "--net", "sh", "-c", INSTALLED + text, "sh", str(home), str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def test_firewalld_lets_the_port_in_now_and_for_good_in_the_zones_that_are_in_use() -> None:
    is_open, is_closed = ["public 67/udp", "internal 67/udp"], ["public ", "internal "]
    assert said("firewalld", "usr/sbin/firewalld", FIREWALLD) == [
        *("changed", "changed", *is_open, *is_open),
        *("changed", *is_closed, *is_closed),
    ]


def test_ufw_has_a_rule_and_one_of_the_administrators_own_stays() -> None:
    assert said("ufw", "usr/sbin/ufw", UFW) == [
        *("changed", "changed", "ufw allow 67/udp comment 'pxerelay'"),
        "changed",
        "ufw allow 67/udp",
    ]
