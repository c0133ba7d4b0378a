"""What is built: the files that git knows, of one version and one date."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
DIST = REPOSITORY / "dist"


def version() -> str:
    """Return the version of the project, of the one place that has it."""
    text = (REPOSITORY / "pxerelay/__init__.py").read_text()
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("pxerelay/__init__.py has no __version__")
    return found[1]


def date() -> int:
    """Return the date of all files of a build, in seconds since 1970: SOURCE_DATE_EPOCH or the last commit's.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    told = os.environ.get("SOURCE_DATE_EPOCH")
    return int(told) if told else int(_git("log", "-1", "--format=%ct"))


def environment() -> dict[str, str]:
    """Return the environment of a program that is to build the same octets each time."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"SOURCE_DATE_EPOCH": str(date()), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def export(target: Path) -> None:
    """Copy the files that git knows to a folder that is not there yet, as they are in the working tree.

    They have the date and the modes of a build, for a checkout has those of its day and its umask.
    """
    for name in _git("ls-files", "-z").split("\0"):
        source = REPOSITORY / name
        if name and source.exists():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
            if not copy.is_symlink():
                copy.chmod(0o755 if copy.stat().st_mode & stat.S_IXUSR else 0o644)
    when = date()
    for path in (target, *target.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        os.utime(path, (when, when), follow_symlinks=False)


def listed(folder: str) -> list[Path]:
    """Return the files below a folder of the repository that git knows, and that are in the working tree."""
    names = _git("ls-files", "-z", folder).split("\0")
    return [REPOSITORY / name for name in names if name and (REPOSITORY / name).exists()]


def changed() -> list[str]:
    """Return what the working tree has that is not committed, a path each."""
    return [line[3:] for line in _git("status", "--porcelain").splitlines()]


def run(*words: str | Path, cwd: Path = REPOSITORY) -> None:
    """Run a program in that environment; CalledProcessError if it fails."""
    subprocess.run(words, cwd=cwd, env=environment(), check=True)


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", "-C", REPOSITORY, *words], capture_output=True, text=True, check=True
    ).stdout.rstrip("\n")
