"""The Ansible collection: it can be built, and what was built works where the repository is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from pxerelay import __version__

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PLAYBOOKS = {path.stem for path in (REPOSITORY / "ansible" / "playbooks").glob("*.yml")}


def _run(folder: Path, *argv: str | Path) -> str:
    settings = folder / "ansible.cfg"  # no one else's
    settings.touch()
    environment = {
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "HOME": str(folder),
    }
    done = subprocess.run(
        argv,
        env=os.environ | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_version_is_the_daemons() -> None:
    galaxy = yaml.safe_load((REPOSITORY / "ansible" / "galaxy.yml").read_text())
    assert galaxy["version"] == __version__


def test_it_installs_and_plays_without_the_repository(tmp_path: Path) -> None:
    _run(tmp_path, BIN / "ansible-galaxy", "collection", "build", REPOSITORY / "ansible")
    archive = tmp_path / f"pxerelay-pxerelay-{__version__}.tar.gz"
    _run(tmp_path, BIN / "ansible-galaxy", "collection", "install", "--offline", "-p", tmp_path, archive)
    archive.unlink()
    listed = _run(tmp_path, BIN / "ansible-galaxy", "collection", "list", "--format", "json")
    assert {"pxerelay.pxerelay": {"version": __version__}} in json.loads(listed).values()
    installed = tmp_path / "ansible_collections" / "pxerelay" / "pxerelay"
    for name in ("LICENSE", "CHANGELOG.md"):
        assert (installed / name).read_text() == (REPOSITORY / name).read_text()
    assert {path.stem for path in (installed / "playbooks").glob("*.yml")} == PLAYBOOKS
    inventory = REPOSITORY / "inventories" / "example"
    for playbook in PLAYBOOKS:
        name = f"pxerelay.pxerelay.{playbook}"
        said = _run(tmp_path, BIN / "ansible-playbook", "-i", inventory, name, "--syntax-check")
        assert f"playbook: {installed}/playbooks/{playbook}.yml" in said
    # The first play reads variables on the control machine, with the collection's filters.
    rendering = tmp_path / "render.yml"
    rendering.write_text(
        "- {hosts: pxerelay, gather_facts: false, tasks: [{ansible.builtin.include_role: "
        "{name: pxerelay.pxerelay.pxerelay, tasks_from: render}}]}\n"
    )
    assert "failed=0" in _run(tmp_path, BIN / "ansible-playbook", "-i", inventory, rendering)
