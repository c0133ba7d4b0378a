"""What a container image holds of Debian: its packages and their licences, as dpkg and they themselves say.

https://github.com/opencontainers/image-spec, image-layout.md; the fields of dpkg's status file are those of
deb-control(5); copyright files: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

STATUS = "var/lib/dpkg/status"
SYSTEM = "usr/lib/os-release"
_COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright")
_FORMAT = ("Format:", "Format-Specification:")
_LICENSE = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """An installed package.

    `source` is the name of the source package, `source_version` that one's version. `licenses` are the short
    names in its copyright file, or in that of another package of this source; none where there is none.
    """

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    licenses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contents:
    """The system that an image is made of, such as `debian` and `13`, and its packages by name."""

    system: str
    release: str
    packages: tuple[Package, ...]


def read(archive: Path) -> Contents:
    """Return what an OCI image layout in a tar file holds; ValueError where that is not Debian."""
    texts = _texts(archive)
    if not {STATUS, SYSTEM} <= texts.keys():
        raise ValueError(f"{archive.name} has no {STATUS} or no {SYSTEM}")
    about = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', texts[SYSTEM], re.MULTILINE))
    copyrights = {found[1]: text for path, text in texts.items() if (found := _COPYRIGHT.fullmatch(path))}
    return Contents(about["ID"], about["VERSION_ID"], packages(texts[STATUS], copyrights))


def packages(status: str, copyrights: Mapping[str, str]) -> tuple[Package, ...]:
    """Return what a status file of dpkg has installed; `copyrights` are copyright files, by package."""
    found = []
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            source, _, of_source = (fields.get("Source") or name).partition(" ")
            known = licenses(copyrights.get(name, ""))
            found.append(
                Package(
                    name, version, fields["Architecture"], source, of_source.strip("()") or version, known
                )
            )
    of_sources = {one.source: one.licenses for one in found if one.licenses}
    found = [replace(one, licenses=one.licenses or of_sources.get(one.source, ())) for one in found]
    return tuple(sorted(found, key=lambda one: (one.name, one.architecture)))


def licenses(text: str) -> tuple[str, ...]:
    """Return the short names of licences in a copyright file, sorted; none where a machine can't read it."""
    if not text.startswith(_FORMAT):
        return ()
    return tuple(sorted({name.strip() for name in _LICENSE.findall(text)}))


def _texts(archive: Path) -> dict[str, str]:
    """Return the texts of the image that are looked at, by path without the first slash."""
    with tarfile.open(archive) as outer:

        def blob(digest: str) -> bytes:
            return _octets(outer, f"blobs/{digest.replace(':', '/')}")

        (entry,) = json.loads(_octets(outer, "index.json"))["manifests"]
        (layer,) = json.loads(blob(entry["digest"]))["layers"]
        texts = {}
        with tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) as tree:
            for member in tree:
                path = posixpath.normpath(member.name)
                if member.isfile() and (path in (STATUS, SYSTEM) or _COPYRIGHT.fullmatch(path)):
                    texts[path] = _octets(tree, member).decode(errors="replace")
        return texts


def _octets(archive: tarfile.TarFile, member: str | tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(f"{member} is no file")
    return file.read()
