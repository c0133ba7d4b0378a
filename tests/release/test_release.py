"""A release: all of it is there, of one version, the same octets each time, with what it consists of."""

from __future__ import annotations

import json
import os
import re
import tarfile
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from release import __main__ as release
from release import deb, sbom, source, wheelhouse
from tests.lab.command import run

VERSION = source.version()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a release; return its folder."""
    folder = tmp_path_factory.mktemp("release")
    release.build(folder)
    return folder


def test_all_of_it_is_there_and_has_one_version(built: Path) -> None:
    names = {path.name for path in built.iterdir()}
    houses = {name for name in names if "-wheelhouse-" in name}
    assert names - houses == {
        "SHA256SUMS",
        f"pxerelay-{VERSION}-py3-none-any.whl",
        f"pxerelay-{VERSION}.tar.gz",
        f"pxerelay_{VERSION}_all.deb",
        f"pxerelay-pxerelay-{VERSION}.tar.gz",
        f"pxerelay-{VERSION}-image.tar",
        f"pxerelay-{VERSION}.cdx.json",
    }
    pattern = re.compile(rf"pxerelay-{re.escape(VERSION)}-wheelhouse-python([0-9.]+)-\w+\.tar")
    assert {found[1] for name in houses if (found := pattern.fullmatch(name))} == set(wheelhouse.PYTHONS)


def test_the_checksums_are_those_of_all_files(built: Path) -> None:
    run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=built)
    listed = {line.split()[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in built.iterdir()} - {"SHA256SUMS"}


def test_it_is_built_again_octet_by_octet(built: Path, tmp_path: Path) -> None:
    release.build(tmp_path)
    assert (tmp_path / "SHA256SUMS").read_text() == (built / "SHA256SUMS").read_text()


def test_what_is_built_has_no_date_and_no_mode_of_this_checkout(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        source.export(tmp_path / "tree")
    finally:
        os.umask(before)
    paths = [tmp_path / "tree", *(tmp_path / "tree").rglob("*")]
    assert {int(path.lstat().st_mtime) for path in paths} == {source.date()}
    assert {path.stat().st_mode & 0o777 for path in paths if not path.is_symlink()} == {0o644, 0o755}


def test_wheel_and_source_archive_hold_the_same_daemon(built: Path) -> None:
    with zipfile.ZipFile(built / f"pxerelay-{VERSION}-py3-none-any.whl") as wheel:
        of_wheel = {name: wheel.read(name) for name in wheel.namelist() if name.startswith("pxerelay/")}
    of_source = {}
    with tarfile.open(built / f"pxerelay-{VERSION}.tar.gz") as archive:
        for member in archive:
            name = member.name.partition("/")[2]
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and name.startswith("pxerelay/"):
                of_source[name] = file.read()
    schema = "pxerelay/pxerelay.schema.json"  # a link in the source, and a file in the wheel
    assert {name: octets for name, octets in of_wheel.items() if name != schema} == {
        name: octets for name, octets in of_source.items() if name != schema
    }


def test_the_bill_of_materials_is_valid_and_has_what_the_lock_has(built: Path) -> None:
    text = (built / f"pxerelay-{VERSION}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    said = json.loads(text)
    assert (said["bomFormat"], said["metadata"]["component"]["version"]) == ("CycloneDX", VERSION)
    parts = [part for part in said["components"] if part["type"] == "library"]
    lock = sbom.LOCK.read_text()
    sums = set(re.findall(r"sha256:([0-9a-f]{64})", lock))
    wheels = [one["hashes"] for part in parts for one in part["externalReferences"]]
    assert {one["content"] for hashes in wheels for one in hashes} == sums
    versions = {tuple(line.split()[0].split("==")) for line in lock.splitlines() if re.match(r"\S+==", line)}
    assert {(part["name"], part["version"]) for part in parts} == versions
    (direct,) = [one for one in said["dependencies"] if one["ref"] == "pxerelay"]
    names = {ref.partition("/")[2].partition("@")[0] for ref in direct["dependsOn"]}
    assert names == {"jsonschema", "prometheus-client", "pyyaml", "rich"}


def test_the_bill_of_materials_has_the_image_with_its_packages(built: Path) -> None:
    said = json.loads((built / f"pxerelay-{VERSION}.cdx.json").read_text())
    (image,) = [part for part in said["components"] if part["type"] == "container"]
    (digest,) = [one["content"] for one in image["hashes"]]
    assert f"{digest}  {image['name']}\n" in (built / "SHA256SUMS").read_text()
    parts = {part["name"]: part for part in image["components"]}
    assert parts["debian"]["type"] == "operating-system"
    assert {"python3-minimal", "libc6", *deb.depends()} <= parts.keys()
    for name, part in parts.items():
        if name != "debian":
            purl = PackageURL.from_string(part["purl"])
            assert (purl.type, purl.namespace, purl.name) == ("deb", "debian", name)
            assert purl.version == part["version"]
    licensed = [part for part in parts.values() if part.get("licenses")]
    assert len(licensed) > len(parts) / 2
    assert parts["python3-rich"]["licenses"] == [{"license": {"id": "MIT"}}]


def test_the_wheelhouses_hold_what_the_lock_allows(built: Path) -> None:
    sums = set(re.findall(r"sha256:([0-9a-f]{64})", sbom.LOCK.read_text()))
    for python in wheelhouse.PYTHONS:
        (archive,) = built.glob(f"*-wheelhouse-python{python}-*.tar")
        with tarfile.open(archive) as tar:
            names = [member.name for member in tar]
        assert {name.split("/")[0] for name in names} == {archive.name.removesuffix(".tar")}
        wheels = [name for name in names if name.endswith(".whl")]
        assert 4 <= len(wheels) <= len(sums)
        assert f"{archive.name.removesuffix('.tar')}/requirements.lock" in names
