# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The module `release`: builds beside each other, of which one is current."""

from __future__ import annotations

import os

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.modules import release


@pytest.fixture
def places(tmp_path):
    """Return the paths of a host that has two builds."""
    for name in ("one", "two"):
        (tmp_path / "opt" / "releases" / name / "bin").mkdir(parents=True)
    return {
        "home": str(tmp_path / "opt"),
        "link": str(tmp_path / "bin" / "pxerelay"),
        "man": str(tmp_path / "man"),
    }


def test_one_build_is_current(run_module, places) -> None:
    current = places["home"] + "/current"
    told = run_module(release, check_mode=True, state="current", name="one", **places)
    assert (told["changed"], os.path.lexists(current)) == (True, False)
    for name in ("one", "two"):
        told = run_module(release, state="current", name=name, **places)
        assert (told["changed"], told["switched"]) == (True, True)
        assert os.readlink(current) == told["path"] == f"{places['home']}/releases/{name}"
        assert not run_module(release, state="current", name=name, **places)["changed"]
    assert os.readlink(places["link"]) == current + "/bin/pxerelay"
    assert run_module(release, state="absent", **places)["links"] == [places["link"]]
    assert not run_module(release, state="absent", **places)["changed"]


def test_a_build_needs_a_name(run_module, places) -> None:
    for state in ("present", "current"):
        told = run_module(release, state=state, **places)
        assert told["failed"]
        assert "name" in told["msg"]


def test_a_python_that_is_not_there_is_told_and_nothing_is_left(run_module, places) -> None:
    told = run_module(release, name="three", python="/nonexistent/python3", wheel="pxerelay-9.whl", **places)
    assert told["failed"]
    assert "pxerelay-9.whl can not be installed; the host goes on with what it has." in told["msg"]
    assert not os.path.exists(places["home"] + "/releases/three")
