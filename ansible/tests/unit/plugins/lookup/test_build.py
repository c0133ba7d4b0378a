# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""What tells one build from another."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.pxerelay.pxerelay.plugins.lookup import build


def test_a_build_is_known_by_the_octets_of_all_its_parts(tmp_path) -> None:
    wheel = tmp_path / "pxerelay-1.0.0-py3-none-any.whl"
    lock = tmp_path / "requirements.lock"
    names = set()
    for octets in ("one", "two"):
        wheel.write_text(octets)
        names.add(build.build("/nowhere", str(wheel), "", "")["name"])
        lock.write_text(octets)
        names.add(build.build("/nowhere", str(wheel), "", str(lock))["name"])
    assert len(names) == 4
    assert all(name.startswith("1.0.0-") for name in names)


def test_what_is_not_there_is_told(tmp_path) -> None:
    with pytest.raises(AnsibleLookupError, match="is not a checkout of pxerelay"):
        build.build(str(tmp_path), "", "", "")
    with pytest.raises(AnsibleLookupError, match="is no wheel on the control machine"):
        build.build("", str(tmp_path / "gone.whl"), "", "")
    with pytest.raises(AnsibleLookupError, match="is no package of pxerelay"):
        build.packaged(str(tmp_path / "pxerelay_1_all.deb"))
