"""The workflows that administrators copy: their shell parts do what they should, on a real repository."""

from __future__ import annotations

import os
import re
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
    starts = ("pxerelay", "code=", "gh ")
    return "\n".join(step["run"] for step in steps if step.get("run", "").startswith(starts))


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
    if change:  # which would hide it, if the file were taken for the revision
        (tmp_path / f"{base}:pxerelay.yml").write_text(CONFIG + change)
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


PAGES = [
    *(CI.parent.parent / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")),
    *(path for path in CI.parent.rglob("*") if path.suffix in (".md", ".yml")),
    *(path for path in (CI.parent.parent / "ansible").rglob("*.md") if "collections" not in path.parts),
    *(CI.parent.parent / "pxerelay").rglob("*.py"),
]

OTHERS = {"pytz", "packaging", "ansible-core", "pip>=25.1"}
"""Packages of others that a page has installed, by the names that they have on the public index."""


def test_no_page_installs_a_package_of_our_name_from_an_index() -> None:
    """Until it is there, the name is anybody's."""
    found = {
        (path.name, word.strip("`'\"),;"))
        for path in PAGES
        for line in re.findall(r"pip install ([^#\n`|]*)", path.read_text("utf-8"))
        for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", line)
    }
    named = {word for _, word in found if re.match(r"[A-Za-z]", word)} - {"and", "into", "the", "on", "what"}
    assert len(found) > 4
    assert named <= OTHERS | {"dev", "bench", "browser", "docs", "fuzz"}, named


def test_actions_are_pinned_by_commit() -> None:
    steps = yaml.safe_load((CI / "github.yml").read_text())["jobs"]["mapping"]["steps"]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert actions
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions)


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_pip_takes_the_wheel_of_one_hash_and_no_other(name: str) -> None:
    text = (CI / name).read_text()
    (wheel,) = re.findall(r"^ *PXERELAY: (.*)$", text, re.MULTILINE)
    assert re.fullmatch(r"https://\S+\.whl#sha256=\S+", wheel)
    assert re.findall(r"pip install (?:--quiet )?(.*)$", text, re.MULTILINE) == ['"$PXERELAY"']


def test_secrets_are_near_nothing_that_was_proposed() -> None:
    """No token but in the step that posts, no token at all with GitLab, no inventory, no work for forks."""
    text = (CI / "gitlab.yml").read_text()
    job = yaml.safe_load(text)["pxerelay"]
    assert "TOKEN" not in text
    assert not any("--inventory" in line for line in job["script"])
    workflow = yaml.safe_load((CI / "github.yml").read_text())
    assert list(workflow["on"]) == ["pull_request"]
    steps = workflow["jobs"]["mapping"]["steps"]
    assert steps[0]["with"]["persist-credentials"] is False
    for step in steps:
        assert "--inventory" not in step.get("run", "")
        assert ("GH_TOKEN" in step.get("env", {})) == step.get("run", "").startswith("gh pr comment")
        assert "secrets." not in str(step)
