# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Files and programs of a host."""

from __future__ import annotations

import os
import sys

from ansible_collections.pxerelay.pxerelay.plugins.module_utils import host


def test_a_program_has_no_input() -> None:
    code, out, err = host.run([sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"])
    assert (code, out, err) == (0, "''\n", "")


def test_a_program_that_is_not_there_or_has_no_end_is_told() -> None:
    assert host.run(["/nonexistent/program"]) == (127, "", "/nonexistent/program: No such file or directory")
    code, out, err = host.run([sys.executable, "-c", "import time; time.sleep(600)"], 0.5)
    assert (code, out, err.endswith("no end after 0.5 s")) == (124, "", True)


def test_what_is_at_a_path(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("text\n")
    file.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to("file")
    about = host.described(str(file))
    assert about["type"] == "file"
    assert about["mode"] == "0640"
    assert about["owner"] == host.user_name(os.getuid())
    assert about["sha256"] == host.sha256(str(file))
    assert about["sha256"].startswith("b9e68e1bea3e5b19")
    assert host.described(str(link))["target"] == "file"
    assert host.described(str(tmp_path))["type"] == "directory"
    assert host.described(str(tmp_path / "gone")) == {"type": "absent"}


def test_who_is_not_there_is_nobody() -> None:
    assert host.user("nobody-of-that-name") is None
    assert host.group_number("nobody-of-that-name") is None
    assert host.user("root")["uid"] == 0
