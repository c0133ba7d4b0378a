"""Alert rules on a monitoring host: a reload of Prometheus that failed is made up for."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab.command import REPOSITORY
from tests.role.plays import play

PLAYBOOK = REPOSITORY / "ansible" / "playbooks" / "monitoring.yml"


def test_the_next_play_does_the_reload_that_failed(tmp_path: Path) -> None:
    rules, told = tmp_path / "rules", tmp_path / "told"
    rules.mkdir()
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        "pxerelay_monitoring: {hosts: {watch1: {ansible_connection: local, ansible_become: false, "
        "ansible_python_interpreter: /usr/bin/python3}}}\n"
    )

    def played(reload: list[str]) -> tuple[int, str]:
        variables = {
            "pxerelay_prometheus_rules_dir": str(rules),
            "pxerelay_promtool": "",
            "pxerelay_prometheus_reload": reload,
        }
        done = play(tmp_path, PLAYBOOK, inventory, "-e", json.dumps(variables))
        return done.returncode, done.stdout

    assert played(["false"])[0] == 2
    assert (rules / "pxerelay.yml").exists()
    code, said = played(["touch", str(told)])
    assert (code, told.exists()) == (0, True), said
    told.unlink()
    code, said = played(["touch", str(told)])
    assert (code, told.exists()) == (0, False), said
    assert "changed=0 " in said
    assert [path.name for path in rules.iterdir()] == ["pxerelay.yml"]
