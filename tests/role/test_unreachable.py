"""A host that can't be reached holds nobody up, and is told of at the end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.lab.command import REPOSITORY
from tests.role.plays import play

PLAYBOOKS = REPOSITORY / "ansible" / "playbooks"
GONE = {"ansible_connection": "ssh", "ansible_ssh_common_args": "-F /dev/null -o ProxyCommand=/bin/false"}


def _play(
    folder: Path, playbook: str, hosts: dict[str, dict[str, Any]], *arguments: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_host": "127.0.0.1",
        "ansible_python_interpreter": "/usr/bin/python3",
        "pxerelay_servers": {"ris": "192.0.2.10"},
        "pxerelay_default": "ris",
        "pxerelay_interfaces": {"vlan10": {}},
        "pxerelay_dir": str(folder / "pxerelay"),
        "pxerelay_config_dir": str(folder / "pxerelay-{{ inventory_hostname }}"),
        "pxerelay_install_source": "index",
        "pxerelay_group": "root",
        "pxerelay_result_file": str(folder / "result.json"),
    }
    inventory = folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"pxerelay": {"hosts": hosts, "vars": variables}}))
    played = play(folder, PLAYBOOKS / playbook, inventory, "--check", *arguments, timeout=300)
    result = json.loads((folder / "result.json").read_text()) if (folder / "result.json").exists() else {}
    return played, result


def test_the_first_host_of_a_change_may_be_unreachable(tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {"relay1": GONE, "relay2": {}, "relay3": {}}
    played, result = _play(tmp_path, "mapping.yml", hosts)
    said = played.stdout + played.stderr
    assert played.returncode != 0, said
    states = {host: one["state"] for host, one in result["hosts"].items()}
    assert states == {"relay1": "unreachable", "relay2": "proven", "relay3": "proven"}, said
    assert result["unreachable"] == ["relay1"]
    assert not result["ok"]
    assert "relay1 can't be reached, and was not touched" in said
    assert "--limit 'relay1'" in said


def test_more_unreachable_hosts_than_are_allowed_end_it(tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {"relay1": GONE, "relay2": {}, "relay3": {}}
    played, result = _play(tmp_path, "mapping.yml", hosts, "-e", "pxerelay_unreachable_allowed=0")
    assert played.returncode != 0
    states = {host: one["state"] for host, one in result["hosts"].items()}
    assert states == {"relay1": "unreachable", "relay2": "untouched", "relay3": "untouched"}


def test_those_that_can_be_reached_go_back(tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {"relay1": GONE, "relay2": {}, "relay3": {}}
    played, result = _play(tmp_path, "rollback.yml", hosts)
    said = played.stdout + played.stderr
    assert played.returncode == 2, said
    states = {host: one["state"] for host, one in result["hosts"].items()}
    assert states == {"relay1": "unreachable", "relay2": "proven", "relay3": "proven"}, said
    assert "type the same with --limit 'relay1'" in said
    assert "2 of 3 hosts looked at" in said


def test_none_goes_back_where_more_are_unreachable_than_are_allowed(tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {"relay1": {}, "relay2": GONE, "relay3": GONE}
    played, result = _play(tmp_path, "rollback.yml", hosts)
    said = played.stdout + played.stderr
    assert played.returncode == 2, said
    states = {host: one["state"] for host, one in result["hosts"].items()}
    assert states == {"relay1": "untouched", "relay2": "unreachable", "relay3": "unreachable"}, said
    assert "Let the page run that build too" not in said
    assert "type the same with --limit 'relay2,relay3'" in said
    assert "relay1 was not touched, for more hosts can't be reached than pxerelay_unreachable_allowed" in said
    played, result = _play(tmp_path, "rollback.yml", hosts, "-e", "pxerelay_unreachable_allowed=2")
    states = {host: one["state"] for host, one in result["hosts"].items()}
    assert states == {"relay1": "proven", "relay2": "unreachable", "relay3": "unreachable"}, said


def test_a_probe_of_another_vlan_stops_all_before_any_host_is_touched(tmp_path: Path) -> None:
    wrong = {"pxerelay_probes": [{"mac": "02:00:00:00:00:f1", "server": "ris", "interface": "vlan100"}]}
    for playbook in ("mapping.yml", "site.yml"):
        played, result = _play(tmp_path, playbook, {"relay1": {}, "relay2": wrong})
        said = " ".join((played.stdout + played.stderr).split())
        assert played.returncode != 0
        assert "vlan100 is no entry of pxerelay_interfaces; did you mean vlan10?" in said
        assert played.stdout.count("PLAY [") == 1, played.stdout
        assert not result


def test_the_fleets_table_fails_for_a_host_that_does_not_answer(tmp_path: Path) -> None:
    """The daemon of relay2 runs what the inventory says, relay1 can't be reached, relay3 has no daemon."""
    hosts: dict[str, dict[str, Any]] = {"relay1": GONE, "relay2": {}, "relay3": {}}
    hosts["relay2"]["pxerelay_dir"] = str(tmp_path / "pxerelay-well")
    _, result = _play(tmp_path, "mapping.yml", {"relay2": hosts["relay2"]})
    held = result["hosts"]["relay2"]["sha256"]
    program = tmp_path / "pxerelay-well" / "current" / "bin" / "pxerelay"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/status.json\n")
    program.chmod(0o755)
    status = {
        "version": "0.1.0",
        "prefix": "/opt/pxerelay/releases/0.1.0-0123456789abcdef",
        "config": {"files": held, "sha256": "ab" * 32, "rules": 4, "last_error": None},
        "interfaces": {"vlan10": {"state": "active"}},
    }
    (tmp_path / "status.json").write_text(json.dumps(status))
    played, result = _play(tmp_path, "status.yml", hosts)
    said = played.stdout + played.stderr
    assert played.returncode == 2, said
    states = {host: one["state"] for host, one in result["hosts"].items()}
    assert states == {"relay1": "unreachable", "relay2": "current", "relay3": "failed"}, said
    assert "1 of 3 hosts run what the inventory says" in said
    played, result = _play(tmp_path, "status.yml", {"relay2": hosts["relay2"]})
    assert played.returncode == 0, played.stdout + played.stderr
    assert result["ok"]


def test_the_hosts_may_be_those_of_another_group(tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {"relay1": {}, "relay2": {}}
    played, result = _play(tmp_path, "mapping.yml", hosts, "-e", "pxerelay_hosts=relay2")
    assert played.returncode == 0, played.stdout + played.stderr
    assert list(result["hosts"]) == ["relay2"]
    played, result = _play(tmp_path, "status.yml", hosts, "-e", "pxerelay_hosts=relay2")
    assert list(result["hosts"]) == ["relay2"], played.stdout
