"""The daemon's unit, as the role writes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROLE = REPOSITORY / "ansible" / "roles" / "pxerelay"

PLAYBOOK = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: ["{{ role_path }}/defaults/main.yml", "{{ role_path }}/vars/main.yml"]
  tasks:
    - ansible.builtin.template:
        src: "{{ role_path }}/templates/pxerelay.service.j2"
        dest: "{{ target }}"
        mode: "0600"
"""


def _unit(folder: Path, **variables: object) -> Path:
    playbook, unit = folder / "play.yml", folder / "pxerelay.service"
    playbook.write_text(PLAYBOOK)
    settings = folder / "ansible.cfg"  # no one else's
    settings.touch()
    extra = {"role_path": str(ROLE), "target": str(unit), **variables}
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), playbook, "--extra-vars", json.dumps(extra)],
        env=os.environ | {"ANSIBLE_CONFIG": str(settings)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return unit


@pytest.mark.parametrize(
    ("metrics", "ports"),
    [
        (None, ["ipv4:udp:67"]),
        ("127.0.0.1:9967", ["ipv4:udp:67", "ipv4:tcp:9967"]),
        ("/run/pxerelay/metrics.sock", ["ipv4:udp:67"]),
    ],
)
def test_it_may_listen_where_it_is_to(metrics: str | None, ports: list[str], tmp_path: Path) -> None:
    lines = _unit(tmp_path, **({"pxerelay_metrics": metrics} if metrics else {})).read_text().splitlines()
    allowed = [line.partition("=")[2] for line in lines if line.startswith("SocketBindAllow=")]
    assert allowed == ports
    assert "SocketBindDeny=any" in lines


def _lines(unit: Path, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{key}=")]


@pytest.mark.parametrize(
    ("variables", "families", "ports", "addresses"),
    [
        ({}, "AF_INET AF_NETLINK AF_PACKET AF_UNIX", ["ipv4:udp:67"], 1),
        ({"pxerelay_dhcpv6": False}, "AF_INET AF_NETLINK AF_PACKET AF_UNIX", ["ipv4:udp:67"], 1),
        ({"pxerelay_dhcpv6": "false"}, "AF_INET AF_NETLINK AF_PACKET AF_UNIX", ["ipv4:udp:67"], 1),
        (
            {"pxerelay_dhcpv6": True},
            "AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_UNIX",
            ["ipv4:udp:67", "ipv6:udp:547"],
            2,
        ),
        (
            {"pxerelay_dhcpv6": {"client_mac": False}, "pxerelay_dhcpv4": False},
            "AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_UNIX",
            ["ipv6:udp:547"],
            2,
        ),
    ],
)
def test_it_speaks_ipv6_only_where_dhcpv6_is_on(
    variables: dict[str, object], families: str, ports: list[str], addresses: int, tmp_path: Path
) -> None:
    unit = _unit(tmp_path, **variables)
    assert _lines(unit, "RestrictAddressFamilies") == [families]
    assert _lines(unit, "SocketBindAllow") == ports
    allowed = ["0.0.0.0/1 128.0.0.0/2 192.0.0.0/3", "2000::/3 fc00::/7 fe80::/10"]
    assert _lines(unit, "IPAddressAllow") == allowed[:addresses]


def test_the_python_may_be_elsewhere(tmp_path: Path) -> None:
    said = {"version": "3.12.1", "prefix": "/opt/python3.12"}
    unit = _unit(tmp_path, __pxerelay_python_said=said, pxerelay_dir="/opt/pxerelay").read_text()
    assert "\nExecPaths=/opt/pxerelay/current/bin/python -/opt/python3.12/lib\n" in unit


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("dhcpv6", [False, True])
def test_systemd_counts_it_as_little_exposed(dhcpv6: bool, tmp_path: Path) -> None:
    unit = _unit(tmp_path, pxerelay_dhcpv6=dhcpv6)
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
