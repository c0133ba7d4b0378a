"""What the role writes for relays that share one address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.role.plays import COLLECTIONS, ROLE

PLAYBOOK = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: ["{{ role_path }}/defaults/main.yml", "{{ role_path }}/vars/main.yml"]
  tasks:
    - ansible.builtin.template:
        src: "{{ role_path }}/templates/{{ item }}.j2"
        dest: "{{ target }}/{{ item }}"
        mode: "0600"
      loop: [anycast.conf, pxerelay-anycast.service, pxerelay-anycast-check.service]
"""


def rendered(folder: Path, anycast: dict[str, Any]) -> dict[str, str]:
    """Return what the role writes, by the template's name."""
    playbook, settings = folder / "play.yml", folder / "ansible.cfg"
    playbook.write_text(PLAYBOOK)
    settings.touch()
    extra = {"role_path": str(ROLE), "target": str(folder), "pxerelay_anycast": anycast}
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), playbook, "--extra-vars", json.dumps(extra)],
        env=os.environ | {"ANSIBLE_CONFIG": str(settings), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = ("anycast.conf", "pxerelay-anycast.service", "pxerelay-anycast-check.service")
    return {name: (folder / name).read_text() for name in names}
