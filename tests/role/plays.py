"""Playing the role as an administrator does, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.lab.command import REPOSITORY, run

ROLE = REPOSITORY / "ansible" / "roles" / "pxerelay"
COLLECTIONS = REPOSITORY / "ansible" / "playbooks" / "collections"
BIN = Path(sys.executable).parent


def play(
    folder: Path,
    playbook: Path,
    inventory: Path,
    *arguments: str,
    program: Path = BIN / "ansible-playbook",
    timeout: float = 180,
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook with nobody's settings but those given, as the environment has them.

    CommandError if it has no end.
    """
    nobodys = folder / "ansible.cfg"
    nobodys.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(nobodys),
        "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=2s",  # the default's is a minute
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
    }
    return run(
        [str(program), "-i", str(inventory), str(playbook), *arguments],
        check=False,
        env=environment | dict(settings or {}),
        cwd=folder,
        timeout=timeout,
    )


def hosts(folder: Path, variables: Mapping[str, Any], *names: str) -> Path:
    """Write an inventory of relay hosts that share these variables."""
    inventory = folder / "hosts.yml"
    group = {"hosts": {name: {} for name in names}, "vars": dict(variables)}
    inventory.write_text(yaml.safe_dump({"pxerelay": group}))
    return inventory
