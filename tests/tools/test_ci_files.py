"""The workflows that administrators copy: their shell parts do what they should, on a real repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

CI = Path(__file__).parents[2] / "docs" / "ci"
BIN = Path(sys.executable).parent
CONFIG = "servers: {ris: 10.20.0.10, altiris: 10.20.0.20}\ndefault: ris\ninterfaces: {vlan10: {}}\n"


def _git(folder: Path, *argv: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.net")
    done = subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _github() -> str:
    workflow: dict[str, Any] = yaml.safe_load((CI / "github.yml").read_text())
    steps = workflow["jobs"]["mapping"]["steps"]
    return "\n".join(step["run"] for step in steps if step.get("run", "").startswith(("pxerelay", "code=")))


def _gitlab() -> str:
    job: dict[str, Any] = yaml.safe_load((CI / "gitlab.yml").read_text())["pxerelay"]
    return "\n".join(line for line in job["script"] if not line.startswith("pip "))


@pytest.mark.parametrize("script", [_github(), _gitlab()], ids=["github", "gitlab"])
@pytest.mark.parametrize("change", ["", "rules: {00:80:64: altiris}\n", "rules: {00:80:64: altirs}\n"])
def test_a_workflow_checks_and_compares(script: str, change: str, tmp_path: Path) -> None:
    file = tmp_path / "pxerelay.yml"
    file.write_text(CONFIG)
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "--message=base")
    base = _git(tmp_path, "rev-parse", "HEAD")
    file.write_text(CONFIG + change)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\necho "gh $*" >>told\n')
    (tools / "gh").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tools}:{BIN}:{os.environ['PATH']}",
        "CONFIG": "pxerelay.yml",
        "BASE": base,
        "NUMBER": "7",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
        "PXERELAY_TOKEN": "",
        "GITHUB_STEP_SUMMARY": "summary.md",
    }
    done = subprocess.run(
        ["bash", "-euc", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    if "altirs" in change:
        assert done.returncode == 1
        assert "did you mean 'altiris'" in done.stdout
        assert not (tmp_path / "comment.md").exists()
        return
    assert done.returncode == 0, done.stdout + done.stderr
    comment = (tmp_path / "comment.md").read_text()
    assert ("00:80:64" in comment) == bool(change)
