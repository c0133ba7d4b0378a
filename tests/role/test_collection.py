"""The Ansible collection: it can be built, and what was built works where the repository is not."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from pxerelay import __version__
from release import collection

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


def _text(archive: tarfile.TarFile) -> bytes:
    file = archive.extractfile("MANIFEST.json")
    assert file is not None
    return file.read()


def test_a_line_that_is_no_json_is_named() -> None:
    with pytest.raises(collection.GalaxyError, match=r"galaxy\.yml:2: .*write it as name: followed by JSON"):
        collection.galaxy("---\nname: pxerelay\n")


def test_its_version_is_the_daemons() -> None:
    galaxy = yaml.safe_load((REPOSITORY / "ansible" / "galaxy.yml").read_text())
    assert galaxy["version"] == __version__


def test_it_installs_and_plays_without_the_repository(tmp_path: Path) -> None:
    archive = collection.build(tmp_path)
    assert archive.name == f"pxerelay-pxerelay-{__version__}.tar.gz"
    octets = archive.read_bytes()
    assert collection.build(tmp_path / "again").read_bytes() == octets
    _run(
        tmp_path,
        BIN / "ansible-galaxy",
        "collection",
        "build",
        "--output-path",
        "galaxys",
        REPOSITORY / "ansible",
    )
    with tarfile.open(archive) as ours, tarfile.open(tmp_path / "galaxys" / archive.name) as galaxys:
        ours_has = {name for name in ours.getnames() if not name.startswith("tests")}
        assert ours_has == {name for name in galaxys.getnames() if not name.startswith("tests")}
        assert json.loads(_text(ours))["collection_info"] == json.loads(_text(galaxys))["collection_info"]
    _run(tmp_path, BIN / "ansible-galaxy", "collection", "install", "--offline", "-p", tmp_path, archive)
    archive.unlink()
    listed = _run(tmp_path, BIN / "ansible-galaxy", "collection", "list", "--format", "json")
    assert {"pxerelay.pxerelay": {"version": __version__}} in json.loads(listed).values()
    installed = tmp_path / "ansible_collections" / "pxerelay" / "pxerelay"
    assert (installed / "LICENSE").read_text() == (REPOSITORY / "LICENSE").read_text()
    changelog = (REPOSITORY / "ansible" / "CHANGELOG.md").read_text()
    assert (installed / "CHANGELOG.md").read_text() == changelog
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


def test_its_changelog_is_current_and_has_this_version(tmp_path: Path) -> None:
    place = tmp_path / "ansible_collections" / "pxerelay" / "pxerelay"
    ignore = shutil.ignore_patterns("collections", "__pycache__")
    shutil.copytree(REPOSITORY / "ansible", place, ignore=ignore)
    before = (place / "CHANGELOG.md").read_text()
    program = BIN / "antsibull-changelog"
    _run(place, program, "lint")
    _run(place, program, "lint-changelog-yaml", "changelogs/changelog.yaml")
    _run(place, program, "generate")
    assert (place / "CHANGELOG.md").read_text() == before
    releases = yaml.safe_load((place / "changelogs" / "changelog.yaml").read_text())["releases"]
    assert __version__ in releases


def test_what_names_a_version_of_this_project_names_this_one() -> None:
    named = [
        (path.relative_to(REPOSITORY), version)
        for pattern in ("README.md", "ansible/README.md", "docs/*.md", "docs/ci/*", "release/containers/*")
        for path in REPOSITORY.glob(pattern)
        for version in re.findall(r"pxerelay[-_:](\d+\.\d+\.\d+)", path.read_text())
    ]
    assert named
    assert {version for _, version in named} == {__version__}, named
