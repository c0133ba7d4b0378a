# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The archive by which a build gets to a host."""

from __future__ import annotations

import tarfile

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.pxerelay.pxerelay.plugins.action import release
from ansible_collections.pxerelay.pxerelay.plugins.modules import release as module


def test_what_arrives_is_what_was_sent(tmp_path) -> None:
    wheel = tmp_path / "pxerelay-1.0.0-py3-none-any.whl"
    wheel.write_text("wheel")
    house = tmp_path / "house"
    house.mkdir()
    (house / "rich-14-py3-none-any.whl").write_text("rich")
    lock = tmp_path / "lock"
    lock.write_text("rich==14\n")
    archive = release.archived(release.members(str(wheel), str(house), str(lock)), str(tmp_path))
    target = tmp_path / "target"
    target.mkdir()
    module.unpacked(archive, str(target))
    assert {path.name: path.read_text() for path in target.iterdir() if path.name != "SHA256SUMS"} == {
        wheel.name: "wheel",
        "rich-14-py3-none-any.whl": "rich",
        "requirements.lock": "rich==14\n",
    }


def test_what_is_not_there_is_told(tmp_path) -> None:
    with pytest.raises(AnsibleActionFail, match="there is no folder"):
        release.members(None, str(tmp_path / "gone"), None)
    with pytest.raises(AnsibleActionFail, match="there is no file"):
        release.members(None, None, None, str(tmp_path / "gone.deb"))


def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("evil")
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(file, "../evil")
    with pytest.raises(module.InstallError, match="files only"):
        module.unpacked(str(tmp_path / "evil.tar"), str(tmp_path))
