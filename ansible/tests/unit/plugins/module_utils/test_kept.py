# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""What a host ran when it was proven, and goes back to."""

from __future__ import annotations

import os

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import folder
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.kept import NOTHING, PREVIOUS, PROVEN, Kept


class Place:
    """A host's folders below one."""

    def __init__(self, top) -> None:
        self.config = top / "etc"
        self.unit = top / "pxerelay.service"
        self.home = top / "opt"
        self.config.mkdir()
        (self.home / "releases").mkdir(parents=True)
        self.kept = Kept(str(self.home), str(self.config), str(self.unit))

    def have(self, what: str) -> None:
        """Have configuration, unit and build be of that name."""
        (self.config / "pxerelay.yml").write_text(what)
        self.unit.write_text(what)
        release = self.home / "releases" / what
        release.mkdir(exist_ok=True)
        current = self.home / "current"
        if current.is_symlink():
            current.unlink()
        current.symlink_to(release)

    def has(self) -> set:
        """Return the names that are there."""
        current = os.path.basename(os.readlink(self.home / "current"))
        return {(self.config / "pxerelay.yml").read_text(), self.unit.read_text(), current}


@pytest.fixture
def place(tmp_path):
    """Return a host's folders."""
    return Place(tmp_path)


def test_a_host_goes_back_to_what_was_proven(place) -> None:
    assert place.kept.choice() == NOTHING
    place.have("one")
    assert place.kept.keep()
    assert not place.kept.keep(), "nothing has changed"
    place.have("two")
    assert place.kept.keep()
    place.have("three")
    assert place.kept.choice() == PROVEN
    _back(place, PROVEN)
    assert place.has() == {"two"}
    assert place.kept.choice() == PREVIOUS
    _back(place, PREVIOUS)
    place.kept.went_back(PREVIOUS)
    assert place.has() == {"one"}
    assert place.kept.choice() == NOTHING
    assert place.kept.tidy() == ["three", "two"]


def _back(place, which) -> None:
    fresh = place.kept.prepare(which)
    folder.put_in_place(str(place.config))
    folder.remove(fresh)
    place.kept.put_back_service(which)


def test_a_configuration_alone_that_differs_is_told(place) -> None:
    place.have("one")
    place.kept.keep()
    assert not place.kept.only_config_differs(PROVEN)
    (place.config / "pxerelay.yml").write_text("other")
    assert place.kept.only_config_differs(PROVEN)
    place.unit.write_text("other")
    assert not place.kept.only_config_differs(PROVEN)
