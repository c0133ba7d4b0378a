"""Fill a folder with the wheels that pxerelay depends on, for relay hosts that reach no package index.

    python3 ansible/wheelhouse.py FOLDER [--python 3.11 --python 3.13 ...] [--machine x86_64]

Runs on the control machine, with its pip and the index that it knows, and takes what the role's locks name
(`make lock`), no other version and no other octets; also what a host needs that serves the page. The role
takes the folder to hosts that have `pxerelay_wheelhouse` set to it, and installs by the same lock.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lock import LOCK, WEB_LOCK, for_python
from lock import platform as wheels_for

PYTHONS = ("3.11", "3.13", "3.14")
"""Those of Debian 12, 13 and unstable."""


def fill(folder: Path, pythons: tuple[str, ...], machine: str) -> None:
    """Make a folder, in place of one that is there, whole or not at all; CalledProcessError if pip fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        fresh = Path(place) / "fresh"
        for python in pythons:
            wanted = Path(place) / f"{python}.txt"
            wanted.write_text(for_python(WEB_LOCK.read_text("utf-8"), python), "utf-8")
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            pip += ["--no-deps", "--require-hashes", "--requirement", str(wanted)]
            subprocess.run([*pip, "--dest", str(fresh), *wheels_for(python, machine)], check=True)
        shutil.copy(LOCK, fresh)
        shutil.copy(WEB_LOCK, fresh)
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
    print(f"{sum(1 for _unused in arguments.folder.glob('*.whl'))} wheels in {arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
