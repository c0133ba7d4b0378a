"""`pxerelay diff --inventory` on what Ansible renders for each host, of a real repository."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.repositories import commit, git, write

REPOSITORY = Path(__file__).parents[2]
PXERELAY = Path(sys.executable).with_name("pxerelay")

HOSTS = "pxerelay: {hosts: {relay1: {}, relay2: {}, relay3: {pxerelay_default: wds}}}\n"
VARIABLES = """\
pxerelay_servers: {ris: 10.20.0.10, wds: 10.20.0.30}
pxerelay_default: ris
pxerelay_interfaces: {vlan10: {}}
pxerelay_rules: {"02:00:00:00:00:01": wds}
pxerelay_rule_files: ["{{ inventory_dir }}/rules/kiosks.yml"]
"""
FILES = {
    "ansible.cfg": f"[defaults]\ncollections_path = {REPOSITORY / 'ansible/playbooks/collections'}\n",
    "hosts/hosts.yml": HOSTS,
    "hosts/group_vars/pxerelay.yml": VARIABLES,
    "hosts/rules/kiosks.yml": "rules: {02:00:00:00:00:02: ris}\n",
}


def _environment(folder: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    temporary = folder.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    return {**ours, "TMPDIR": str(temporary), "ANSIBLE_LOCAL_TEMP": str(folder.parent / "ansible")}


def _diff(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [PXERELAY, "diff", "--inventory", "hosts", *arguments],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert list((folder.parent / "temporary").iterdir()) == []
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    commit(repository, FILES)
    return repository


def test_hosts_with_the_same_difference_are_told_together(folder: Path) -> None:
    write(
        folder,
        {
            "hosts/hosts.yml": HOSTS.replace("relay1: {}", "relay1: {}, relay4: {}"),
            "hosts/group_vars/pxerelay.yml": VARIABLES.replace(
                "pxerelay_default: ris", "pxerelay_default: wds"
            ),
        },
    )
    code, said = _diff(folder, "HEAD")
    assert code == 1
    assert "relay1, relay2: goes elsewhere: unlisted clients\n\nunlisted clients\n" in said
    assert "  every unlisted client on vlan10  ris -> wds\n" in said
    assert "relay3: no difference: every client goes where it went\n" in said
    assert "relay4: is a new host" in said


def test_two_revisions_and_their_rule_files(folder: Path) -> None:
    commit(folder, {"hosts/rules/kiosks.yml": "rules: {02:00:00:00:00:02: wds}\n"})
    code, said = _diff(folder, "HEAD~1", "HEAD", "--format", "json")
    assert code == 1
    (part,) = json.loads(said)
    assert part["hosts"] == ["relay1", "relay2", "relay3"]
    (move,) = part["addresses"]
    assert move["key"] == "02:00:00:00:00:02"
    assert move["before"]["source"] == "HEAD~1:/etc/pxerelay/rules.d/kiosks.yml:1"
    assert git(folder, "worktree", "list").count("\n") == 1


def test_what_can_not_be_rendered_or_does_not_load(folder: Path) -> None:
    commit(folder, {"hosts/rules/kiosks.yml": "rules: {02:00:00:00:00:02: wsd}\n"})
    code, said = _diff(folder, "HEAD~1", "HEAD")
    assert code == 2
    assert said.startswith("relay1: HEAD:/etc/pxerelay/rules.d/kiosks.yml:1:28: unknown server 'wsd'")
    write(folder, {"hosts/group_vars/pxerelay.yml": "pxerelay_rules: {52:54:00:12:34:56: ris}\n"})
    code, said = _diff(folder, "HEAD~1")
    assert code == 2
    assert "ansible-playbook could not render" in said
    assert "41135085296" in said


@pytest.mark.parametrize("rendering", [False, True])
def test_nothing_is_left_when_it_is_ended(folder: Path, rendering: bool) -> None:
    slow = folder / "slow.sh"
    write(folder, {"slow.sh": '#!/bin/sh\ntouch "$TMPDIR/../reached"\nexec sleep 60\n'})
    slow.chmod(0o755)
    commit(folder, {})
    command = [str(PXERELAY), "diff", "--inventory", "slow.sh", "HEAD"]
    running = subprocess.Popen(command, cwd=folder, env=_environment(folder))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reached = (folder.parent / "reached").exists()
        if reached if rendering else git(folder, "worktree", "list").count("\n") > 1:
            break
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 128 + signal.SIGTERM
    assert list((folder.parent / "temporary").iterdir()) == []
    assert git(folder, "worktree", "list").count("\n") == 1
