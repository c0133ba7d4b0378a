"""What the role renders for the hosts of an inventory, and what the daemon says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.lab.command import run
from tests.role.plays import BIN, play

# Runs on the control machine alone: nothing connects to a host.
PLAYBOOK = """\
- hosts: pxerelay
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: pxerelay.pxerelay.pxerelay, tasks_from: render, public: true}
    - ansible.builtin.copy:
        dest: "{{ target }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: "{{ dict(__pxerelay_wanted.keys() | zip(__pxerelay_contents)) | to_json }}"
      delegate_to: localhost
      connection: local
"""


def render(
    folder: Path,
    inventory: Path,
    settings: Mapping[str, str],
    program: Path = BIN / "ansible-playbook",
) -> dict[str, dict[str, str]]:
    """Return the files of each host by path, which the daemon accepts; AssertionError if not."""
    target = folder / "rendered"
    target.mkdir()
    playbook = folder / "render.yml"
    playbook.write_text(PLAYBOOK)
    words = ["-e", f"target={target}", "-e", "ansible_connection=local"]
    played = play(folder, playbook, inventory, *words, program=program, settings=settings)
    assert played.returncode == 0, played.stdout + played.stderr
    found = {}
    for file in sorted(target.glob("*.json")):
        found[file.stem] = json.loads(file.read_text())
        for path, content in found[file.stem].items():
            written = folder / file.stem / path.lstrip("/")
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(content)
        run([str(BIN / "pxerelay"), "check", str(folder / file.stem / "etc/pxerelay/pxerelay.yml")])
    assert found
    return found
