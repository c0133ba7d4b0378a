"""`make release`: all that a release consists of, in dist/pxerelay-VERSION; built again, the same octets.

The wheel, the source archive, the Debian package, the Ansible collection, the container image, a wheelhouse
for each Python, a bill of materials, and SHA256SUMS. Everything has the version of pxerelay/__init__.py, and
the date of the last commit.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from release import collection, deb, image, sbom, source, wheel, wheelhouse

SUMS = "SHA256SUMS"


def build(target: Path) -> list[Path]:
    """Build all of it into a folder; return its files, SHA256SUMS last."""
    target.mkdir(parents=True, exist_ok=True)
    wheel.build(target)
    wheel.sdist(target)
    with tempfile.TemporaryDirectory() as folder:
        (package,) = (path for path in deb.build(Path(folder)) if path.suffix == ".deb")
        (target / package.name).write_bytes(package.read_bytes())
    collection.build(target)
    of_debian = image.build(target)
    wheelhouse.build(target)
    sbom.build(target, of_debian)
    found = sorted(path for path in target.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in found]
    (target / SUMS).write_text("".join(lines))
    return [*found, target / SUMS]


def main() -> int:
    """Do what the command line says."""
    changed = source.changed()
    if changed:
        print("not committed, and so of no version:", *changed, sep="\n  ", file=sys.stderr)
        return 1
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else source.DIST / f"pxerelay-{source.version()}"
    if target.exists() and any(target.iterdir()):
        print(f"{target} is there already; remove it first", file=sys.stderr)
        return 1
    for built in build(target):
        print(built)
    return 0


if __name__ == "__main__":
    sys.exit(main())
