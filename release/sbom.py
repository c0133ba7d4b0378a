"""The bill of materials of a release, as CycloneDX JSON.

It has what the lock of the role names, with checksums, and the packages that the container image is made of.

https://cyclonedx.org/docs/1.6/json/, https://github.com/package-url/purl-spec
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import fixup_id
from packageurl import PackageURL

from release import contents, source

LOCK = source.REPOSITORY / "ansible/roles/pxerelay/files/requirements.lock"
_ENTRY = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; python_version in \"([0-9. ]+)\")?")
_SHORT = {"expat": "MIT", "apache-2": "Apache-2.0", "psf-2": "PSF-2.0", "artistic-2": "Artistic-2.0"}
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class LockError(Exception):
    """The lock has a line that is not understood; the message says which."""


@dataclass(frozen=True)
class Locked:
    """A version that the lock names, the Pythons that it is for, empty for all, and its wheels' checksums."""

    name: str
    version: str
    pythons: str
    sums: tuple[str, ...]


def locked(text: str) -> Iterator[Locked]:
    """Yield what a lock names; LockError where it can't be read."""
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        entry, sums = _ENTRY.match(line), tuple(_HASH.findall(line))
        if entry is None or not sums:
            raise LockError(f"{LOCK.name}: {line.strip()}: not name==version with checksums")
        yield Locked(entry[1], entry[2], entry[3] or "", sums)


def needed() -> set[str]:
    """Return the names of what the daemon itself asks for."""
    text = (source.REPOSITORY / "pyproject.toml").read_text()
    found = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError("pyproject.toml has no dependencies")
    return set(re.findall(r'"([a-z0-9-]+)', found[1]))


def document(text: str, image: Path) -> str:
    """Return the bill of materials for a lock and an image; the same text for the same of all of these."""
    ours = Component(
        name="pxerelay",
        version=source.version(),
        type=ComponentType.APPLICATION,
        bom_ref="pxerelay",
        purl=PackageURL("generic", name="pxerelay", version=source.version()),
        licenses=[DisjunctiveLicense(id="MIT")],
    )
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    of = f"{source.version()} {source.date()} {digest} {text}"
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, of))
    bom.metadata.timestamp = datetime.fromtimestamp(source.date(), timezone.utc)
    bom.metadata.component = ours
    direct = []
    for one in locked(text):
        component = _component(one)
        bom.components.add(component)
        if one.name in needed():
            direct.append(component)
    bom.register_dependency(ours, direct)
    held = contents.read(image)
    system = Component(
        name=held.system, version=held.release, type=ComponentType.OPERATING_SYSTEM, bom_ref="system"
    )
    packages = [_package(one, held) for one in held.packages]
    whole = Component(
        name=image.name,
        version=source.version(),
        type=ComponentType.CONTAINER,
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        components=[system, *packages],
    )
    bom.components.add(whole)
    bom.register_dependency(whole, [ours, system, *packages])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _package(one: contents.Package, held: contents.Contents) -> Component:
    about = {"arch": one.architecture, "distro": f"{held.system}-{held.release}"}
    if (one.source, one.source_version) != (one.name, one.version):
        about["upstream"] = f"{one.source}@{one.source_version}"
    purl = PackageURL("deb", held.system, one.name, one.version, about)
    return _library(one, purl, licenses=[license_of(name) for name in one.licenses])


def license_of(name: str) -> DisjunctiveLicense:
    """Return a licence by its short name in Debian: by its SPDX identifier, where that has one.

    https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/#license-short-name
    """
    spdx = _SHORT.get(name.lower(), name)
    if found := re.fullmatch(r"(A?GPL|LGPL|GFDL)-(\d)(\.\d)?(\+)?", name):
        spdx = f"{found[1]}-{found[2]}{found[3] or '.0'}-{'or-later' if found[4] else 'only'}"
    known = fixup_id(spdx)
    return DisjunctiveLicense(id=known) if known else DisjunctiveLicense(name=name)


def _component(one: Locked) -> Component:
    purl = PackageURL("pypi", name=one.name, version=one.version)
    wheels = [
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(f"{purl}#{checksum[:16]}"),
            comment="a wheel that the lock allows",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)],
        )
        for checksum in one.sums
    ]
    pythons = [Property(name="pxerelay:pythons", value=one.pythons)] if one.pythons else []
    return _library(one, purl, external_references=wheels, properties=pythons)


def _library(one: contents.Package | Locked, purl: PackageURL, **more: Any) -> Component:
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        **more,
    )


def build(target: Path, image: Path) -> Path:
    """Write the bill of materials of a release with this image; return its file."""
    target.mkdir(parents=True, exist_ok=True)
    file = target / f"pxerelay-{source.version()}.cdx.json"
    file.write_text(document(LOCK.read_text(), image))
    return file
