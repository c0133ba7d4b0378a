"""Ansible's part: the role, rolled out to a relay host of the lab from inventories/lab or a copy of it."""

import os
import shutil
import sys
from pathlib import Path

from tests.lab.command import REPOSITORY, CommandError, run
from tests.lab.image import WHEELHOUSE

INVENTORY = REPOSITORY / "inventories" / "lab"
CONFIG = REPOSITORY / "tests" / "lab" / "ansible" / "ansible.cfg"
PLAYBOOK = REPOSITORY / "ansible" / "playbooks" / "site.yml"
COMMAND = Path(sys.executable).with_name("ansible-playbook")


def roll_out(lab: str, inventory: Path, log: Path) -> None:
    """Run the site's playbook; everything it says goes to `log`, and into the error if it fails."""
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CONFIG),
        "PXERELAY_LAB": lab,
        "PXERELAY_WHEELHOUSE": str(WHEELHOUSE),
    }
    done = run(
        [str(COMMAND), "--inventory", str(inventory), "--diff", str(PLAYBOOK)],
        check=False,
        env=env,
        cwd=REPOSITORY,
        timeout=600,
    )
    log.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise CommandError(f"ansible-playbook: exit {done.returncode}\n{done.stdout}{done.stderr}")


def without_rule(key: str, copy: Path) -> str:
    """Copy the inventory, leave out the line that maps `key`, and return that line."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(INVENTORY, copy)
    removed = []
    for path in copy.rglob("*.yml"):
        lines = path.read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.lstrip().startswith(f'"{key}":')]
        removed += [line.strip() for line in lines if line not in kept]
        path.write_text("".join(kept))
    (line,) = removed
    return line
