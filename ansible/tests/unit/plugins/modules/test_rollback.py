# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The module `rollback`, as far as it goes without systemd."""

from __future__ import annotations

import os

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.kept import Kept
from ansible_collections.pxerelay.pxerelay.plugins.modules import rollback


@pytest.fixture
def places(tmp_path):
    """Return the paths of a host that has nothing kept."""
    return {
        "path": str(tmp_path / "etc"),
        "home": str(tmp_path / "opt"),
        "unit": str(tmp_path / "pxerelay.service"),
        "link": str(tmp_path / "bin" / "pxerelay"),
        "man": str(tmp_path / "man"),
        "socket": str(tmp_path / "control.sock"),
    }


def test_where_nothing_is_kept_it_says_so(run_module, places) -> None:
    told = run_module(rollback, which="look", **places)
    assert (told["changed"], told["which"]) == (False, "nothing")
    told = run_module(rollback, which="previous", **places)
    assert told["failed"]
    assert told["msg"] == f"nothing is kept in {places['home']}/previous"


def test_check_mode_tells_what_it_would_go_back_to(run_module, places) -> None:
    release = f"{places['home']}/releases/one"
    os.makedirs(release)
    os.symlink(release, f"{places['home']}/current")
    os.mkdir(places["path"])
    for path in (places["unit"], f"{places['path']}/pxerelay.yml"):
        with open(path, "w") as file:
            file.write("proven\n")
    assert Kept(places["home"], places["path"], places["unit"]).keep()
    with open(f"{places['path']}/pxerelay.yml", "w") as file:
        file.write("changed\n")
    told = run_module(rollback, check_mode=True, **places)
    assert (told["changed"], told["which"], told["switched"]) == (True, "proven", False)
    assert [(one["before"], one["after"]) for one in told["diff"]] == [("changed\n", "proven\n")]
    with open(f"{places['path']}/pxerelay.yml") as file:
        assert file.read() == "changed\n"
    os.unlink(f"{places['home']}/current")
    os.symlink(f"{places['home']}/releases/two", f"{places['home']}/current")
    assert run_module(rollback, check_mode=True, **places)["switched"]
