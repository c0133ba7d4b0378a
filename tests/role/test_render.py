"""What the role renders for each host of each inventory here is a configuration that the daemon accepts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
INVENTORIES = sorted(path.parent for path in REPOSITORY.glob("inventories/*/hosts.yml"))
BIN = Path(sys.executable).parent
COLLECTIONS = REPOSITORY / "ansible" / "playbooks" / "collections"

# Runs on the control machine alone: nothing connects to a host.
PLAYBOOK = """\
- hosts: pxerelay
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: pxerelay.pxerelay.pxerelay, tasks_from: render, public: true}
    - ansible.builtin.validate_argument_spec:
        argument_spec: "{{ (lookup('ansible.builtin.file', specs) | from_yaml).argument_specs.main.options }}"
      vars:
        specs: "{{ role }}/meta/argument_specs.yml"
    - ansible.builtin.copy:
        dest: "{{ target }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: "{{ {'paths': __pxerelay_wanted, 'contents': __pxerelay_contents} | to_json }}"
      delegate_to: localhost
"""


def _render(inventory: Path, target: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    playbook = target / "render.yml"
    playbook.write_text(PLAYBOOK)
    settings = target / "ansible.cfg"  # no one else's
    settings.touch()
    role = REPOSITORY / "ansible" / "roles" / "pxerelay"
    extra = ["ansible_connection=local", f"target={target}", f"role={role}", *variables]
    return subprocess.run(
        [BIN / "ansible-playbook", "-i", inventory, playbook, *[f"--extra-vars={item}" for item in extra]],
        env=os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_CONFIG": str(settings)},
        cwd=target,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)
def test_the_daemon_accepts_what_is_rendered(inventory: Path, tmp_path: Path) -> None:
    play = _render(inventory, tmp_path)
    assert play.returncode == 0, play.stdout + play.stderr
    hosts = sorted(tmp_path.glob("*.json"))
    assert hosts
    for host in hosts:
        rendered = json.loads(host.read_text())
        root = tmp_path / host.stem
        for path, content in zip(rendered["paths"], rendered["contents"], strict=True):
            written = root / path.lstrip("/")
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(content)
        check = subprocess.run(
            [BIN / "pxerelay", "check", root / "etc/pxerelay/pxerelay.yml"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (check.returncode, check.stdout + check.stderr) == (0, check.stdout + check.stderr)


@pytest.mark.parametrize("relative", [False, True])
def test_a_rule_file_that_is_a_link_out_of_the_repository_stops_the_play(
    relative: bool, tmp_path: Path
) -> None:
    """The role would send the control machine's file to the hosts, and print it as findings."""
    (tmp_path / "key.yml").write_text("secret: 1\n")
    repository = tmp_path / "repository"
    (repository / "rules").mkdir(parents=True)
    (repository / "rules" / "good.yml").write_text("rules: {}\n")
    (repository / "rules" / "linked.yml").symlink_to("good.yml")
    name = "rules/more.yml" if relative else str(repository / "rules" / "more.yml")
    (repository / "hosts.yml").write_text("pxerelay: {hosts: {relay1: {}}}\n")
    (repository / "group_vars").mkdir()
    (repository / "group_vars" / "pxerelay.yml").write_text(
        f"pxerelay_default: drop\npxerelay_rule_files: [rules/linked.yml, {name}]\n"
    )
    subprocess.run(["git", "init", "--quiet", repository], check=True)
    (repository / "rules" / "more.yml").symlink_to("good.yml")
    assert _render(repository / "hosts.yml", repository).returncode == 0
    (repository / "rules" / "more.yml").unlink()
    (repository / "rules" / "more.yml").symlink_to(tmp_path / "key.yml")
    (repository / "relay1.json").unlink()
    play = _render(repository / "hosts.yml", repository)
    assert play.returncode != 0
    said = " ".join((play.stdout + play.stderr).split())
    assert (
        f"rules/more.yml is a link out of the repository {repository}; put the file itself in its place"
        in said
    )
    assert "secret" not in said
    assert not (repository / "relay1.json").exists()


def test_an_unquoted_mac_in_an_inventory_stops_the_play(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "hosts.yml").write_text("pxerelay: {hosts: {relay1: {}}}\n")
    (tmp_path / "group_vars" / "pxerelay.yml").write_text(
        "pxerelay_rules__kiosks:\n  52:54:00:12:34:56: ris\n"
    )
    play = _render(tmp_path / "hosts.yml", tmp_path)
    assert play.returncode != 0
    said = " ".join((play.stdout + play.stderr).split())
    assert "pxerelay_rules__kiosks: the number 41135085296 was the MAC 52:54:00:12:34:56" in said
