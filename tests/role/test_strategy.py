"""`strategy = free` in ansible.cfg lets each host go its own way, but not where one must wait for others."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.lab.command import REPOSITORY
from tests.role.plays import hosts, play

PLAYBOOKS = REPOSITORY / "ansible" / "playbooks"
SERVES = {"pxerelay_servers": {"ris": "192.0.2.10"}, "pxerelay_default": "ris"}


def _freely(folder: Path, playbook: str, **odd: Any) -> subprocess.CompletedProcess[str]:
    """Play in check mode on three hosts, of which relay2 has a variable of its own."""
    variables = SERVES | {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": "/usr/bin/python3",
        "pxerelay_interfaces": {"vlan10": {}},
        "pxerelay_dir": str(folder / "pxerelay"),
        "pxerelay_config_dir": str(folder / "pxerelay-config"),
    }
    inventory = hosts(folder, variables, "relay1", "relay2", "relay3")
    (folder / "host_vars").mkdir()
    for name, value in odd.items():
        (folder / "host_vars" / "relay2.yml").write_text(f"{name}: {value}\n")
    return play(folder, PLAYBOOKS / playbook, inventory, "--check", settings={"ANSIBLE_STRATEGY": "free"})


def test_one_wrong_variable_stops_all_before_any_host_is_touched(tmp_path: Path) -> None:
    for playbook in ("site.yml", "rollout.yml"):
        folder = tmp_path / playbook
        folder.mkdir()
        played = _freely(folder, playbook, pxerelay_defualt="ris")
        assert played.returncode != 0
        assert "did you mean pxerelay_default?" in played.stdout + played.stderr
        assert played.stdout.count("PLAY [") == 1, played.stdout


def test_the_table_has_all_hosts_once(tmp_path: Path) -> None:
    played = _freely(tmp_path, "status.yml")
    assert played.returncode == 2, played.stdout + played.stderr  # no daemon runs on any
    assert played.stdout.count("0 of 3 hosts run what the inventory says") == 1, played.stdout
    assert played.stdout.count("last error") == 1, played.stdout
    for host in ("relay1", "relay2", "relay3"):
        (line,) = (line for line in played.stdout.splitlines() if f'"{host}  -  ' in line)
        assert "pxerelay is not installed: there is no" in line
