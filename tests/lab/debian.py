"""Programs out of Debian packages that are unpacked, not installed.

Installed, these packages would start services and take port 67 of this machine.
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab.command import CACHE, CommandError, run


def program(package: str, path: str) -> Path:
    """Return a program of a package; the first call fetches the package and unpacks it."""
    return _unpacked(package, path, dependencies=False)


def program_with_libraries(package: str, path: str) -> list[str]:
    """Return the command of a program whose libraries this machine lacks; they are unpacked beside it."""
    found = _unpacked(package, path, dependencies=True)
    home = CACHE / "lab" / package
    places = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", f"usr/lib/*-linux-gnu/{package}")
    folders = [folder for place in places for folder in home.glob(place)]
    return ["env", f"LD_LIBRARY_PATH={':'.join(map(str, folders))}", str(found)]


def _unpacked(package: str, path: str, *, dependencies: bool) -> Path:
    home = CACHE / "lab" / package
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side, and several may want it first
        return _unpacked_by_us(home, package, path, dependencies=dependencies)


def _unpacked_by_us(home: Path, package: str, path: str, *, dependencies: bool) -> Path:
    found = home / path
    if not found.exists():
        print(f"fetching Debian's {package}", file=sys.stderr)  # standard output may be JSON
        part = home.with_name(f"{package}.part-{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            _download(package, part, dependencies=dependencies)
        except CommandError:  # the machine's lists of packages are old, or there are none
            run(["apt-get", "update", "-qq"], timeout=300)
            _download(package, part, dependencies=dependencies)
        for archive in part.glob("*.deb"):
            run(["dpkg", "-x", str(archive), str(part)])
        shutil.rmtree(home, ignore_errors=True)
        part.rename(home)
    return found


def _download(package: str, folder: Path, *, dependencies: bool) -> None:
    packages = _lacking(package) if dependencies else [package]
    run(["apt-get", "download", *packages], cwd=folder)


def _lacking(package: str) -> Sequence[str]:
    """Return the packages that apt would install for this one, and it."""
    told = run(["apt-get", "install", "--simulate", "--no-install-recommends", package]).stdout
    return sorted({package, *(line.split()[1] for line in told.splitlines() if line.startswith("Inst "))})
