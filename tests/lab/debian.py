"""Programs out of Debian packages that are unpacked, not installed.

Installed, these packages would start services and take port 67 of this machine.
"""

import os
import shutil
from pathlib import Path

from tests.lab.command import CACHE, run


def program(package: str, path: str) -> Path:
    """Return a program of a package; the first call fetches the package and unpacks it."""
    home = CACHE / "lab" / package
    found = home / path
    if not found.exists():
        print(f"fetching Debian's {package}")
        part = home.with_name(f"{package}.part-{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        if run(["apt-get", "download", package], cwd=part, check=False).returncode:
            run(["apt-get", "update", "-qq"], timeout=300)
            run(["apt-get", "download", package], cwd=part)
        (archive,) = part.glob("*.deb")
        run(["dpkg", "-x", str(archive), str(part)])
        shutil.rmtree(home, ignore_errors=True)
        part.rename(home)
    return found
