"""`make collection`: the Ansible collection, in dist, by Python alone; the same octets each time.

What `ansible-galaxy collection build` writes: an archive with FILES.json, the checksums of all files, and
MANIFEST.json, what galaxy.yml says and the checksum of that.
https://docs.ansible.com/ansible/latest/dev_guide/developing_collections_distributing.html
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from release import source

COLLECTION = source.REPOSITORY / "ansible"
ABOUT = (
    "namespace",
    "name",
    "version",
    "authors",
    "readme",
    "tags",
    "description",
    "license",
    "license_file",
    "dependencies",
    "repository",
    "documentation",
    "homepage",
    "issues",
)
"""Keys of MANIFEST.json, in the order that ansible-galaxy has."""

_LINE = re.compile(r"([a-z_]+): (.+?)( #.*)?")
_LEFT_OUT = ("galaxy.yml", "tests", "tests/*", ".*", "*/__pycache__*", "*.pyc")


class GalaxyError(Exception):
    """galaxy.yml has a line that is not understood; the message says which."""


def galaxy(text: str) -> dict[str, Any]:
    """Return what galaxy.yml says: on each line a key, and what JSON has for its value."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or line in ("", "---"):
            continue
        match = _LINE.fullmatch(line)
        try:
            if match is None:
                raise ValueError("no key with a value")
            found[match[1]] = json.loads(match[2])
        except ValueError as error:
            raise GalaxyError(f"galaxy.yml:{number}: {error}; write it as name: followed by JSON") from None
    return found


def files(ignored: list[str]) -> dict[str, Path]:
    """Return what git knows of the collection, links followed, by its path in there; folders among them."""
    found: dict[str, Path] = {}
    for path in sorted(source.listed("ansible")):
        name = str(path.relative_to(COLLECTION))
        parts = [str(parent) for parent in Path(name).parents if str(parent) != "."]
        patterns = (*_LEFT_OUT, *ignored)
        if any(fnmatchcase(one, pattern) for one in (name, *parts) for pattern in patterns):
            continue
        for parent in parts:
            found.setdefault(parent, COLLECTION / parent)
        found[name] = path
    return dict(sorted(found.items()))


def manifests(about: dict[str, Any], found: dict[str, Path]) -> dict[str, bytes]:
    """Return FILES.json and MANIFEST.json."""
    entries: list[dict[str, Any]] = [_entry(".", None)]
    entries += [_entry(name, None if path.is_dir() else path.read_bytes()) for name, path in found.items()]
    listing = _json({"files": entries, "format": 1})
    info = {key: about.get(key, [] if key in ("authors", "tags") else None) for key in ABOUT}
    checked = {**_entry("FILES.json", listing), "format": 1}
    manifest = _json({"collection_info": info, "file_manifest_file": checked, "format": 1})
    return {"MANIFEST.json": manifest, "FILES.json": listing}


def build(target: Path) -> Path:
    """Build the collection; return its archive."""
    about = galaxy((COLLECTION / "galaxy.yml").read_text())
    if about["version"] != source.version():
        raise GalaxyError(f"galaxy.yml has version {about['version']}, and the project is {source.version()}")
    found = files(about["build_ignore"])
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in manifests(about, found).items():
            _add(tar, name, text, executable=False)
        for name, path in found.items():
            executable = path.is_dir() or bool(path.stat().st_mode & 0o100)
            _add(tar, name, None if path.is_dir() else path.read_bytes(), executable=executable)
    target.mkdir(parents=True, exist_ok=True)
    archive = target / f"{about['namespace']}-{about['name']}-{about['version']}.tar.gz"
    archive.write_bytes(gzip.compress(octets.getvalue(), mtime=source.date()))
    return archive


def _entry(name: str, octets: bytes | None) -> dict[str, Any]:
    checksum = None if octets is None else hashlib.sha256(octets).hexdigest()
    return {
        "name": name,
        "ftype": "dir" if octets is None else "file",
        "chksum_type": None if octets is None else "sha256",
        "chksum_sha256": checksum,
        "format": 1,
    }


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _add(tar: tarfile.TarFile, name: str, octets: bytes | None, *, executable: bool) -> None:
    about = tarfile.TarInfo(name)
    about.mtime, about.mode = source.date(), 0o755 if executable else 0o644
    if octets is None:
        about.type = tarfile.DIRTYPE
        tar.addfile(about)
    else:
        about.size = len(octets)
        tar.addfile(about, io.BytesIO(octets))


if __name__ == "__main__":
    print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else source.DIST))
