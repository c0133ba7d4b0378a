"""The bill of materials of a release, as CycloneDX JSON: what the lock of the role names, with its checksums.

https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from release import source

LOCK = source.REPOSITORY / "ansible/roles/pxerelay/files/requirements.lock"
_ENTRY = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; python_version in \"([0-9. ]+)\")?")
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


def document(text: str) -> str:
    """Return the bill of materials for a lock; the same text for the same lock, version and date."""
    ours = Component(
        name="pxerelay",
        version=source.version(),
        type=ComponentType.APPLICATION,
        bom_ref="pxerelay",
        purl=PackageURL("generic", name="pxerelay", version=source.version()),
        licenses=[DisjunctiveLicense(id="MIT")],
    )
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{source.version()} {source.date()} {text}"))
    bom.metadata.timestamp = datetime.fromtimestamp(source.date(), timezone.utc)
    bom.metadata.component = ours
    direct = []
    for one in locked(text):
        component = _component(one)
        bom.components.add(component)
        if one.name in needed():
            direct.append(component)
    bom.register_dependency(ours, direct)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


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
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        external_references=wheels,
        properties=pythons,
    )


def build(target: Path) -> Path:
    """Write the bill of materials; return its file."""
    target.mkdir(parents=True, exist_ok=True)
    file = target / f"pxerelay-{source.version()}.cdx.json"
    file.write_text(document(LOCK.read_text()))
    return file
