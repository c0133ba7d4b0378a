"""The releases of ansible-core: those promised are those of the matrix, and the oldest of them renders."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.lab.command import REPOSITORY
from tests.role.plays import BIN, ROLE
from tests.role.rendering import render
from tests.role.versions import ALL_AT_ONCE, MATRIX, OLDEST

RELEASES = sorted({tuple(map(int, ansible.release.split("."))) for ansible in MATRIX})
COLLECTION = REPOSITORY / "ansible"
INVENTORIES = [path.parent for path in sorted(REPOSITORY.glob("inventories/*/hosts.yml"))]


def test_what_is_tested_is_promised() -> None:
    (major, oldest), (_, newest) = RELEASES[0], RELEASES[-1]
    runtime = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())
    assert runtime["requires_ansible"] == f">={major}.{oldest}.0,<{major}.{newest + 1}.0"
    assert [(major, minor) for minor in range(oldest, newest + 1)] == RELEASES
    meta = yaml.safe_load((ROLE / "meta" / "main.yml").read_text())
    assert meta["galaxy_info"]["min_ansible_version"] == f"{major}.{oldest}"
    for readme in (REPOSITORY / "README.md", ROLE / "README.md"):
        assert f"ansible-core {major}.{oldest} to {major}.{newest}" in " ".join(readme.read_text().split())


@pytest.mark.skipif(not OLDEST.interpreter(), reason=f"there is no Python for {OLDEST}")
@pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)
def test_the_oldest_renders_what_this_one_does(inventory: Path, tmp_path: Path) -> None:
    ways = [
        (program, settings)
        for program in (BIN / "ansible-playbook", OLDEST.program())
        for settings in ({}, ALL_AT_ONCE)
    ]
    rendered = []
    for number, (program, settings) in enumerate(ways):
        folder = tmp_path / str(number)
        folder.mkdir()
        rendered.append(render(folder, inventory, settings, program))
    assert all(one == rendered[0] for one in rendered)
