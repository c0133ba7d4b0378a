# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The module `mapping`: what it refuses, and that it leaves the host as it is then."""

from __future__ import annotations

import grp
import os

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.modules import mapping

GROUP = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def parameters(tmp_path):
    """Return those of a host, with a daemon that refuses the word `bad`."""
    program = tmp_path / "pxerelay"
    program.write_text('#!/bin/sh\nif grep -q bad "$2"; then echo "$2:1:1: bad"; exit 1; fi\n')
    program.chmod(0o755)
    (tmp_path / "etc").mkdir()
    return {
        "path": str(tmp_path / "etc" / "pxerelay"),
        "group": GROUP,
        "program": str(program),
        "socket": str(tmp_path / "control.sock"),
        "home": str(tmp_path / "opt"),
        "unit": str(tmp_path / "pxerelay.service"),
    }


def test_files_that_are_no_mapping_are_named(run_module, parameters) -> None:
    told = run_module(
        mapping, files={"pxerelay.yml": "", "../evil.yml": "", "rules.d/a.txt": ""}, **parameters
    )
    assert told["failed"]
    assert "there is ../evil.yml, rules.d/a.txt" in told["msg"]
    assert not os.path.exists(parameters["path"])


@pytest.mark.skipif(os.geteuid() != 0, reason="files belong to root")
def test_what_the_daemon_refuses_is_not_put_in_place(run_module, parameters) -> None:
    done = run_module(mapping, files={"pxerelay.yml": "good\n"}, state="written", **parameters)
    assert (done["changed"], done["written"]) == (True, True)
    told = run_module(mapping, files={"pxerelay.yml": "servers: bad\n"}, state="written", **parameters)
    assert told["failed"]
    assert told["findings"][1:] == [f"{parameters['path']}/pxerelay.yml:1:1: bad (pxerelay_servers)"]
    with open(f"{parameters['path']}/pxerelay.yml") as file:
        assert file.read() == "good\n"
    assert not os.path.exists(parameters["path"] + ".new")
    again = run_module(mapping, files={"pxerelay.yml": "good\n"}, state="written", **parameters)
    assert not again["changed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="files belong to root")
def test_check_mode_shows_the_difference_and_writes_nothing(run_module, parameters) -> None:
    told = run_module(mapping, check_mode=True, files={"pxerelay.yml": "good\n"}, **parameters)
    assert told["changed"]
    assert told["diff"][0]["after"] == "good\n"
    assert not os.path.exists(parameters["path"])
