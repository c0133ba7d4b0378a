# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The module `facts`, asked of the host that the tests are on."""

from __future__ import annotations

import os
import sys

from ansible_collections.pxerelay.pxerelay.plugins.modules import facts


def test_a_host_without_pxerelay_is_described(run_module, tmp_path) -> None:
    link = tmp_path / "link"
    link.symlink_to("elsewhere")
    told = run_module(
        facts,
        paths=[str(link), str(tmp_path / "gone")],
        user="nobody-of-that-name",
        group="nobody-of-that-name",
        pythons=[sys.executable, "/nonexistent/python"],
        release=str(tmp_path / "releases" / "one"),
        home=str(tmp_path),
        link=str(tmp_path / "bin" / "pxerelay"),
        man=str(tmp_path / "man"),
        socket=str(tmp_path / "control.sock"),
        units=[],
        commands={"look": ["sh", "-c", "echo seen; exit 3"]},
    )
    assert told["changed"] is False
    assert told["paths"][str(link)]["target"] == "elsewhere"
    assert told["paths"][str(tmp_path / "gone")] == {"type": "absent"}
    assert (told["user"], told["group"]) == ({}, False)
    assert list(told["pythons"]) == [sys.executable]
    assert told["pythons"][sys.executable]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert (told["release"], told["current"], told["runs"]) == (False, "", True)
    assert told["links"] == [str(tmp_path / "bin" / "pxerelay")]
    assert told["running"] == {}
    assert "No such file" in told["error"]
    assert told["commands"]["look"] == {"rc": 3, "stdout": "seen\n", "stderr": ""}


def test_a_build_that_does_not_run_is_not_there(tmp_path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "pxerelay"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    assert not facts.runs(str(tmp_path), {}), "it was never finished"
    (tmp_path / ".complete").touch()
    assert not facts.runs(str(tmp_path), {})
    program.write_text("#!/bin/sh\nexit 0\n")
    assert facts.runs(str(tmp_path), {})
    os.unlink(program)
    assert facts.runs(str(tmp_path), {"prefix": str(tmp_path)}), "the daemon that answers runs there"


def test_an_argument_that_there_is_not_is_refused(run_module) -> None:
    told = run_module(facts, colour="red")
    assert told["failed"]
    assert "colour" in told["msg"]
