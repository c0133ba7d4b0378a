"""The variables of all hosts, read at once: as a host's own tasks would have it; and all that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.role.plays import BIN, play
from tests.role.versions import ALL_AT_ONCE, OLDEST

PLAYBOOK = """\
- hosts: pxerelay
  gather_facts: false
  strategy: linear
  tasks:
    - ansible.builtin.import_role:
        {name: pxerelay.pxerelay.pxerelay, tasks_from: read, rolespec_validate: false}
      vars: {__pxerelay_playbook: true}
    - ansible.builtin.include_role: {name: pxerelay.pxerelay.pxerelay, tasks_from: render, public: true}
      when: pxerelay_state | default('present') == 'present'
    - ansible.builtin.assert:
        that:
          - __pxerelay_of_all.contents[mine.__pxerelay_files] == __pxerelay_files
          - __pxerelay_of_all.contents[mine.__pxerelay_origins] == __pxerelay_origins
      vars: {mine: "{{ __pxerelay_of_all.hosts[inventory_hostname] }}"}
      when: pxerelay_state | default('present') == 'present'
    - ansible.builtin.debug:
        msg: "{{ __pxerelay_of_all.contents | length }} values, {{ read.removed | length }} of it"
      vars: {read: "{{ __pxerelay_of_all.hosts }}"}
      run_once: true
"""

COMMON: dict[str, Any] = {
    "ansible_connection": "local",
    "pxerelay_servers": {"ris": "192.0.2.10", "altiris": "192.0.2.20"},
    "pxerelay_default": "ris",
    "pxerelay_interfaces": {"vlan10": {}, "vlan20": {"default": "altiris"}},
    "pxerelay_rules": {
        "02:00:00:10:00:01": "altiris",
        "02:00:00:10:00:02": {"server": "ris", "until": "2199-12-31"},
    },
    "pxerelay_probes": [{"mac": "02:00:00:10:00:f1", "server": "{{ pxerelay_default }}"}],
}


def _played(
    folder: Path, hosts: dict[str, dict[str, Any]], program: Path, settings: dict[str, str]
) -> tuple[int, str]:
    inventory = folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"pxerelay": {"hosts": hosts, "vars": COMMON}}))
    playbook = folder / "play.yml"
    playbook.write_text(PLAYBOOK)
    played = play(folder, playbook, inventory, program=program, settings=settings)
    return played.returncode, played.stdout + played.stderr


@pytest.mark.parametrize("oldest", [False, True], ids=["this one", "the oldest"])
def test_each_host_has_what_its_own_tasks_would_make(tmp_path: Path, oldest: bool) -> None:
    if oldest and not OLDEST.interpreter():
        pytest.skip(f"there is no Python for {OLDEST}")
    (tmp_path / "lab.yml").write_text('rules:\n  "02:00:00:10:00:07": ris\n')
    hosts: dict[str, dict[str, Any]] = {
        "alike1": {},
        "alike2": {},
        "another": {"pxerelay_rules__more": {"02:00:00:10:00:03": "altiris"}},
        "files": {"pxerelay_rule_files": ["lab.yml"]},
        "itself": {"pxerelay_source_address": "{{ {'itself': '192.0.2.1'}[inventory_hostname] }}"},
        "paired": {
            "pxerelay_pair": {"hosts": ["paired", "pair2"], "id": 51, "addresses": {"vlan10": "192.0.2.1/24"}}
        },
        "removed": {"pxerelay_state": "absent", "pxerelay_defualt": "ris"},
    }
    program = OLDEST.program() if oldest else BIN / "ansible-playbook"
    code, said = _played(tmp_path, hosts, program, ALL_AT_ONCE if oldest else {})
    assert code == 0, said
    # alike1 and alike2 have the same files, and all but `another` the same origins.
    assert "7 values, 0 of it" in said, said


def test_all_that_is_wrong_is_told_at_once_with_its_hosts(tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {
        "relay1": {"pxerelay_defualt": "ris"},
        "relay2": {},
        "relay3": {"pxerelay_defualt": "ris"},
        "relay4": {"pxerelay_max_hops": "many"},
        "relay5": {"pxerelay_rules__more": {"02:00:00:10:00:01": "ris"}},
        "relay6": {"pxerelay_source_address": "{{ nowhere }}"},
    }
    code, said = _played(tmp_path, hosts, BIN / "ansible-playbook", {})
    told = " ".join(said.replace("\\n", "\n").split())
    assert code != 0
    assert (
        "relay1, relay3: pxerelay_defualt: there is no such variable; did you mean pxerelay_default?" in told
    ), said
    assert "relay4: argument 'pxerelay_max_hops'" in told, said
    assert (
        "relay5: these variables need a correction: pxerelay_rules maps 02:00:00:10:00:01 to altiris" in told
    ), said
    assert "relay6: " in told, said
    assert "'nowhere' is undefined" in told, said
    assert "relay2:" not in told
