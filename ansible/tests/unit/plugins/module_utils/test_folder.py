# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""A folder that changes as a whole."""

from __future__ import annotations

import os

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import folder


@pytest.fixture
def place(tmp_path):
    """Return a folder with a mapping, and a file of somebody else's."""
    path = tmp_path / "pxerelay"
    (path / "rules.d").mkdir(parents=True)
    (path / "pxerelay.yml").write_text("old\n")
    (path / "rules.d" / "old.yml").write_text("old\n")
    (path / "others").write_text("theirs\n")
    return path


def test_a_new_mapping_is_beside_the_old_one_until_it_is_put_in_place(place) -> None:
    files = {"pxerelay.yml": "new\n", "rules.d/new.yml": "new\n"}
    fresh = folder.prepare(str(place), files, os.getuid(), os.getgid())
    assert fresh == f"{place}.new"
    assert folder.texts(str(place)) == {"pxerelay.yml": "old\n", "rules.d/old.yml": "old\n"}
    folder.put_in_place(str(place))
    assert folder.texts(str(place)) == files
    assert (place / "others").read_text() == "theirs\n"
    assert folder.texts(fresh) == {"pxerelay.yml": "old\n", "rules.d/old.yml": "old\n"}
    assert {name: about["mode"] for name, about in folder.contents(str(place)).items()} == {
        "others": "0644",
        "pxerelay.yml": "0640",
        "rules.d": "0750",
        "rules.d/new.yml": "0640",
    }
    folder.remove(fresh)
    assert not os.path.exists(fresh)


def test_the_first_mapping_is_put_where_there_is_none(tmp_path) -> None:
    path = str(tmp_path / "pxerelay")
    folder.prepare(path, {"pxerelay.yml": "new\n"}, os.getuid(), os.getgid())
    folder.put_in_place(path)
    assert folder.texts(path) == {"pxerelay.yml": "new\n"}
    assert os.listdir(tmp_path) == ["pxerelay"]


def test_a_copy_has_links_and_modes(place, tmp_path) -> None:
    (place / "link").symlink_to("others")
    (place / "others").chmod(0o600)
    folder.copy(str(place), str(tmp_path / "copy"))
    assert folder.contents(str(tmp_path / "copy")) == folder.contents(str(place))


def test_two_do_not_change_a_folder_at_a_time(place) -> None:
    impatient = folder.locked(str(place), 0.0)
    with (
        folder.locked(str(place)),
        pytest.raises(folder.FolderError, match="another play has been at work"),
        impatient,
    ):
        pytest.fail("both are at work")
    with folder.locked(str(place), 0.0):
        assert sorted(os.listdir(place.parent)) == ["pxerelay"]
