"""The role on a monitoring host: rules and dashboard where they are wanted, and Prometheus is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import debian
from tests.lab.command import REPOSITORY
from tests.monitoring import dashboard

BIN = Path(sys.executable).parent
PLAYBOOKS = REPOSITORY / "ansible" / "playbooks"
RUNBOOKS = "https://git.example.net/pxerelay/monitoring.md"


class Host:
    """A monitoring host: two directories of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules, self.dashboards = (
            folder / "rules" / "pxerelay.yml",
            folder / "dashboards" / "pxerelay.json",
        )
        self.told = folder / "told"
        for file in (self.rules, self.dashboards):
            file.parent.mkdir()
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "pxerelay_prometheus_rules_dir": str(self.rules.parent),
            "pxerelay_grafana_dashboards_dir": str(self.dashboards.parent),
            "pxerelay_prometheus_reload": ["sh", "-c", f"echo reloaded >> {self.told}"],
            "pxerelay_promtool": str(debian.program("prometheus", "usr/bin/promtool")),
        }

    def play(self, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook."""
        inventory = {"pxerelay_monitoring": {"hosts": {"mon1": self.variables | variables}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        settings = self.folder / "ansible.cfg"  # no one else's
        settings.touch()
        return subprocess.run(
            [BIN / "ansible-playbook", "-i", self.folder / "hosts.yml", PLAYBOOKS / "monitoring.yml"],
            env=os.environ
            | {"ANSIBLE_COLLECTIONS_PATH": str(PLAYBOOKS / "collections"), "ANSIBLE_CONFIG": str(settings)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def reloads(self) -> int:
        """Tell how often Prometheus was told."""
        return len(self.told.read_text().splitlines()) if self.told.exists() else 0


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def _well(play: subprocess.CompletedProcess[str], changed: int) -> None:
    assert play.returncode == 0, play.stdout + play.stderr
    assert f"changed={changed} " in play.stdout, play.stdout


def test_both_are_put_in_place_once_and_removed(host: Host) -> None:
    _well(host.play(), changed=3)
    assert host.rules.read_text() == dashboard.ALERTS.read_text()
    assert json.loads(host.dashboards.read_text()) == dashboard.load()
    assert host.reloads() == 1
    _well(host.play(), changed=0)
    _well(host.play(pxerelay_runbooks=RUNBOOKS), changed=2)
    assert host.reloads() == 2
    (group,) = yaml.safe_load(host.rules.read_text())["groups"]
    assert {rule["annotations"]["runbook_url"] for rule in group["rules"]} == {
        f"{RUNBOOKS}#{rule['alert'].lower()}" for rule in dashboard.alerts()
    }
    _well(host.play(pxerelay_state="absent"), changed=3)
    assert not host.rules.exists()
    assert not host.dashboards.exists()


def test_rules_that_promtool_refuses_are_not_put_in_place(host: Host) -> None:
    play = host.play(pxerelay_promtool="/bin/false")
    assert play.returncode != 0
    assert not host.rules.exists()
    assert host.reloads() == 0


def test_what_was_not_asked_for_is_left_out(host: Host) -> None:
    _well(host.play(pxerelay_prometheus_rules_dir="", pxerelay_promtool=""), changed=1)
    assert not host.rules.exists()
    assert host.dashboards.exists()
