"""Repositories of git for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

_SETTINGS = (
    "user.name=Test",
    "user.email=test@example.net",
    "init.defaultBranch=main",
    "commit.gpgsign=false",
    "core.hooksPath=/dev/null",
)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Put files into a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commit(folder: Path, files: Mapping[str, str]) -> None:
    """Write files and commit everything that is in a folder, a repository from now on."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet")
    write(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A change")
