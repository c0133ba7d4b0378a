# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Takes a build to a host as one archive, and has the module install it.

A build is a wheel with the wheels that it depends on, or a Debian package.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import tarfile
from pathlib import Path

from ansible.errors import AnsibleActionFail

from ansible import constants
from ansible.plugins.action import ActionBase

LOCK = "requirements.lock"


def members(
    wheel: str | None, wheelhouse: str | None, lock: str | None, deb: str | None = None
) -> dict[str, Path]:
    """Return the files of the archive by their names in it; AnsibleActionFail if one is not there."""
    found: dict[str, Path] = {}
    if wheelhouse:
        if not Path(wheelhouse).is_dir():
            raise AnsibleActionFail(
                f"pxerelay_wheelhouse: there is no folder {wheelhouse} on the control machine"
            )
        found |= {path.name: path for path in sorted(Path(wheelhouse).glob("*.whl"))}
    for one in (wheel, deb):
        if one:
            found[Path(one).name] = Path(one)
    if lock:
        found[LOCK] = Path(lock)
    for path in found.values():
        if not path.is_file():
            raise AnsibleActionFail(f"there is no file {path} on the control machine")
    return found


def archived(files: dict[str, Path], folder: str) -> str:
    """Return the path of an archive of these files, which is made once for all hosts that need it."""
    sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(files.items())}
    text = "".join(f"{checksum}  {name}\n" for name, checksum in sums.items())
    target = Path(folder) / f"pxerelay-{hashlib.sha256(text.encode()).hexdigest()[:32]}.tar"
    with open(f"{target}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # hosts are worked on at once
        if not target.exists():
            fresh = Path(f"{target}.new")
            with tarfile.open(fresh, "w") as tar:
                for name, path in sorted(files.items()):
                    _add(tar, name, path.read_bytes())
                _add(tar, "SHA256SUMS", text.encode())
            fresh.rename(target)
    return str(target)


def _add(tar: tarfile.TarFile, name: str, octets: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(octets), 0o644
    tar.addfile(about, io.BytesIO(octets))


class ActionModule(ActionBase):
    """The module `release`, with an archive of what it installs."""

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        """Take the archive there only where something is to be installed."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        wanted = arguments.get("state", "present") == "present" and not self._task.check_mode
        files = (
            members(*(arguments.get(name) for name in ("wheel", "wheelhouse", "lock", "deb")))
            if wanted
            else {}
        )
        if not files:
            return result | self._execute_module(module_args=arguments, task_vars=task_vars)
        try:
            archive = archived(files, constants.DEFAULT_LOCAL_TMP)
            self._make_tmp_path()
            there = self._connection._shell.join_path(
                self._connection._shell.tmpdir, os.path.basename(archive)
            )
            self._transfer_file(archive, there)
            self._fixup_perms2((self._connection._shell.tmpdir, there))
            return result | self._execute_module(
                module_args=arguments | {"archive": there}, task_vars=task_vars
            )
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
