# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The build of the daemon that the role installs: found, or built, on the control machine, once for all hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: build
author: pxerelay developers (!UNKNOWN)
version_added: 1.0.0
short_description: The build of the pxerelay daemon that hosts get
description:
  - Returns one mapping, with the C(name) of the build, which tells it from any other, the path of its C(wheel) or C(deb), and
    C(lock), the file that has the checksums of what it depends on.
  - Without O(wheel) and O(deb) the wheel is built of the repository, unless that was done before and nothing has changed since.
options:
  _terms:
    description: The folder of the repository, from which the wheel is built.
    required: true
  wheel:
    description: A ready wheel.
    type: str
    default: ''
  wheelhouse:
    description: A folder of wheels that it depends on.
    type: str
    default: ''
  lock:
    description: The lock of the role, for hosts that have what it depends on from an index.
    type: str
    default: ''
  deb:
    description: A Debian package, in the place of a wheel.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show which build hosts get
  ansible.builtin.debug:
    msg: "{{ lookup('pxerelay.pxerelay.build', '/srv/pxerelay', wheelhouse='/srv/wheels') }}"
"""

RETURN = r"""
_raw:
  description: The build.
  type: list
  elements: dict
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from ansible.errors import AnsibleLookupError

from ansible.plugins.lookup import LookupBase

LOCK = "requirements.lock"
SOURCES = ("pxerelay", "schemas", "man")
KINDS = {".py", ".json", ".typed", ".bash", ".1", ".5", ".html", ".css", ".js", ".svg"}

ADVICE = """\
No wheel of {repository} could be built on the control machine.
That takes pip for {python}, and a package index that pip gets hatchling from.
Or set pxerelay_wheel to a wheel built elsewhere, or pxerelay_install_source to index.
What pip said:
{said}"""


def digest(files: dict[str, Path]) -> str:
    """Return the checksum of files, by what they are called and hold."""
    found = hashlib.sha256()
    for name, path in sorted(files.items()):
        found.update(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n".encode())
    return found.hexdigest()


def sources(repository: Path) -> dict[str, Path]:
    """Return what a wheel is built of; AnsibleLookupError where there is no repository."""
    if not (repository / "pxerelay" / "__init__.py").is_file():
        raise AnsibleLookupError(
            f"{repository} is not a checkout of pxerelay, so no wheel of the daemon can be built from it: set "
            "pxerelay_wheel to a wheel (`make collection` in a checkout makes one), or pxerelay_install_source to index"
        )
    found = {"pyproject.toml": repository / "pyproject.toml"}
    for folder in SOURCES:
        for parent, _unused, names in os.walk(repository / folder, followlinks=True):
            for name in names:
                path = Path(parent, name)
                if path.suffix in KINDS or name == "_pxerelay":
                    found[str(path.relative_to(repository))] = path
    return found


def built(repository: Path) -> Path:
    """Return the wheel of a repository as it is now; AnsibleLookupError if none can be built."""
    folder = repository / ".cache" / "role-wheels" / digest(sources(repository))[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # hosts are worked on at once: the first one builds
        if not list(folder.glob("pxerelay-*.whl")):
            argv = [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "--disable-pip-version-check",
                "--no-input",
                "--no-deps",
            ]
            done = subprocess.run(
                [*argv, f"--wheel-dir={folder}", str(repository)],
                # Equal sources make an equal wheel: 1980-01-01 is the earliest date that a zip archive knows.
                env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                said = "\n".join(done.stderr.splitlines()[-15:])
                raise AnsibleLookupError(
                    ADVICE.format(repository=repository, python=sys.executable, said=said)
                )
    return next(folder.glob("pxerelay-*.whl"))


def given(path: str) -> Path:
    """Return a wheel that is there; AnsibleLookupError if it is not."""
    wheel = Path(path)
    if wheel.suffix != ".whl" or not wheel.is_file() or wheel.name.count("-") < 2:
        raise AnsibleLookupError(f"pxerelay_wheel: {path} is no wheel on the control machine")
    return wheel


def packaged(path: str) -> dict[str, str]:
    """Return the build that is a Debian package; AnsibleLookupError if there is none at this path."""
    file = Path(path)
    name, _unused, rest = file.stem.partition("_")
    if not (file.suffix == ".deb" and file.is_file() and name == "pxerelay" and rest):
        raise AnsibleLookupError(
            f"pxerelay_deb: {path} is no package of pxerelay on the control machine; `make deb` makes one, such as "
            "pxerelay_1.0.0_all.deb"
        )
    version = rest.partition("_")[0]
    return {"name": f"deb-{version}-{digest({file.name: file})[:16]}", "deb": str(file), "lock": ""}


def build(repository: str, wheel: str, wheelhouse: str, lock: str) -> dict[str, str]:
    """Return what the hosts get; AnsibleLookupError where that can't be."""
    file = given(wheel) if wheel else built(Path(repository))
    parts = {file.name: file}
    if wheelhouse:
        if not Path(wheelhouse).is_dir():
            raise AnsibleLookupError(
                f"pxerelay_wheelhouse: there is no folder {wheelhouse} on the control machine"
            )
        wheels = {path.name: path for path in Path(wheelhouse).glob("*.whl")}
        if not wheels:
            raise AnsibleLookupError(
                f"pxerelay_wheelhouse: {wheelhouse} has no wheels; `make wheelhouse` makes them"
            )
        parts |= wheels
        named = Path(lock or LOCK).name
        lock = str(Path(wheelhouse) / named)
        if not Path(lock).is_file() and (Path(wheelhouse) / LOCK).is_file():
            raise AnsibleLookupError(
                f"pxerelay_wheelhouse: {wheelhouse} has no {named}; make it anew by `make wheelhouse`"
            )
    lock = lock if lock and Path(lock).is_file() else ""
    if lock:
        parts[LOCK] = Path(lock)
    return {"name": f"{file.name.split('-')[1]}-{digest(parts)[:16]}", "wheel": str(file), "lock": lock}


class LookupModule(LookupBase):
    """The lookup `build`."""

    def run(self, terms: list[str], variables: dict | None = None, **kwargs: object) -> list[dict[str, str]]:
        """Return the build, alone in a list."""
        self.set_options(var_options=variables, direct=kwargs)
        options = {name: str(self.get_option(name) or "") for name in ("wheel", "wheelhouse", "lock")}
        if self.get_option("deb"):
            return [packaged(str(self.get_option("deb")))]
        return [build(str(terms[0]), **options)]
