"""The wheels that relay hosts without internet need, an archive for each Python; the same octets each time.

What the role takes as `pxerelay_wheelhouse` is the folder in there.
"""

from __future__ import annotations

import io
import platform
import sys
import tarfile
import tempfile
from pathlib import Path

from release import source

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
FILL = source.REPOSITORY / "ansible/wheelhouse.py"


def build(target: Path) -> list[Path]:
    """Fetch them, by the role's lock; return the archives, each with one folder for `pxerelay_wheelhouse`."""
    return [_archived(python, target) for python in PYTHONS]


def _archived(python: str, target: Path) -> Path:
    name = f"pxerelay-{source.version()}-wheelhouse-python{python}-{platform.machine()}"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, name)
        source.run(sys.executable, FILL, folder, "--python", python)
        found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    archive = target / f"{name}.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for file, octets in found.items():
            about = tarfile.TarInfo(f"{name}/{file}")
            about.size, about.mtime, about.mode = len(octets), source.date(), 0o644
            tar.addfile(about, io.BytesIO(octets))
    return archive
