#!/usr/bin/env python3
"""Fill a folder with the wheels that pxerelay depends on, for relay hosts that reach no package index.

    ansible/wheelhouse.py FOLDER [--python 3.11 --python 3.13 ...] [--machine x86_64]

Runs on the control machine, with its pip and the index that it is set up for. The role copies the folder to
hosts that have `pxerelay_wheelhouse` set to it.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import tomllib

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.13", "3.14")
"""Those of Debian 12, 13 and unstable."""

ABIS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
FOR_OLDER_PYTHONS = ("typing-extensions",)
"""pip reads a marker such as `python_version < "3.13"` for the Python it runs on, not for the one it is told;
what only some Pythons need is named here, and does no harm to others."""


def requirements(repository: Path = REPOSITORY) -> list[str]:
    """Return what the daemon depends on, as pip is asked for it."""
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    return [*project["dependencies"], *FOR_OLDER_PYTHONS]


def fill(folder: Path, pythons: tuple[str, ...], machine: str) -> None:
    """Make a folder, in place of one that is there, whole or not at all; CalledProcessError if pip fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        fresh = Path(place) / "fresh"
        for python in pythons:
            target = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
            target += [f"--platform={abi}_{machine}" for abi in ABIS]
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--dest", str(fresh), *target, *requirements()], check=True)
        if folder.exists():
            folder.rename(Path(place) / "old")
        fresh.rename(folder)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Fill a folder with the wheels that pxerelay depends on.")
    parser.add_argument("folder", type=Path, help="where the wheels go; what is there is replaced")
    parser.add_argument(
        "--python", action="append", help=f"a Python of the relay hosts; default: {', '.join(PYTHONS)}"
    )
    parser.add_argument("--machine", default=platform.machine(), help="their processor; default: as this one")
    arguments = parser.parse_args()
    try:
        fill(arguments.folder, tuple(arguments.python or PYTHONS), arguments.machine)
    except subprocess.CalledProcessError as error:
        print(f"pip could not get the wheels: exit {error.returncode}; see above", file=sys.stderr)
        return 1
    print(f"{sum(1 for _ in arguments.folder.iterdir())} wheels in {arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
