# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Links to the program and to manual pages."""

from __future__ import annotations

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import links


@pytest.fixture
def places(tmp_path):
    """Return home, build, link and folder of manual pages of a host."""
    build = tmp_path / "opt" / "releases" / "one"
    for page in ("man1/pxerelay.1", "man5/pxerelay.yml.5", "man1/other.1"):
        (build / "share" / "man" / page).parent.mkdir(parents=True, exist_ok=True)
        (build / "share" / "man" / page).touch()
    return str(tmp_path / "opt"), str(build), str(tmp_path / "bin" / "pxerelay"), str(tmp_path / "man")


def test_links_lead_to_what_is_current(places) -> None:
    home, build, link, man = places
    wanted = links.wanted(home, build, link, man)
    assert wanted == {
        link: f"{home}/current/bin/pxerelay",
        f"{man}/man1/pxerelay.1": f"{home}/current/share/man/man1/pxerelay.1",
        f"{man}/man5/pxerelay.yml.5": f"{home}/current/share/man/man5/pxerelay.yml.5",
    }
    assert links.differing(wanted) == sorted(wanted)
    for path, target in wanted.items():
        links.put(path, target)
        links.put(path, target)
    assert links.differing(wanted) == []
    assert links.stray(home, wanted, link, man) == []
    assert sorted(links.stray(home, {}, link, man)) == sorted(wanted)


def test_a_package_has_a_program_and_pages_of_its_own(places) -> None:
    home, build, link, man = places
    with open(f"{build}/package", "w") as file:
        file.write("1.0.0-1 1.0.0\n")
    assert links.wanted(home, build, link, man) == {}
