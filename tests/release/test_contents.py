"""What an image is made of: dpkg's status file, copyright files, and licences by their SPDX identifiers."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from release import contents, sbom

STATUS = """\
Package: libone1
Status: install ok installed
Architecture: amd64
Source: one (1:2.0-1)
Version: 1:2.0-1+b3
Description: first
 a line of it
 Status: install ok installed

Package: one-data
Status: install ok installed
Architecture: all
Source: one
Version: 1:2.0-1

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0

Package: alone
Status: install ok installed
Architecture: all
Version: 3.0
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: GPL-2+

Files: a.c
License:  Expat

License: GPL-2+
 Its text.
 License: no line of its own
"""


def test_it_is_what_dpkg_says_is_installed() -> None:
    found = contents.packages(STATUS, {"one-data": COPYRIGHT, "alone": "License: in plain words\n"})
    both = ("Expat", "GPL-2+")
    assert found == (
        contents.Package("alone", "3.0", "all", "alone", "3.0"),
        contents.Package("libone1", "1:2.0-1+b3", "amd64", "one", "1:2.0-1", both),
        contents.Package("one-data", "1:2.0-1", "all", "one", "1:2.0-1", both),
    )


@pytest.mark.parametrize(
    ("short", "spdx"),
    [
        ("Expat", "MIT"),
        ("expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-3+", "GPL-3.0-or-later"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("Apache-2.0", "Apache-2.0"),
        ("public-domain", None),
        ("GPL-2+ and Expat", None),
        ("GFDL-9.9+", None),
    ],
)
def test_a_licence_has_its_spdx_identifier_or_the_name_that_debian_gives_it(
    short: str, spdx: str | None
) -> None:
    license_ = sbom.license_of(short)
    assert (license_.id, license_.name) == ((spdx, None) if spdx else (None, short))


def test_an_image_without_packages_is_refused(tmp_path: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w:gz"):
        pass
    blobs = {
        "a": layer.getvalue(),
        "b": json.dumps({"layers": [{"digest": "sha256:a"}]}).encode(),
    }
    files = {f"blobs/sha256/{name}": octets for name, octets in blobs.items()}
    files["index.json"] = json.dumps({"manifests": [{"digest": "sha256:b"}]}).encode()
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        for name, octets in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(octets)
            archive.addfile(member, io.BytesIO(octets))
    with pytest.raises(ValueError, match=r"image\.tar has no var/lib/dpkg/status"):
        contents.read(tmp_path / "image.tar")
