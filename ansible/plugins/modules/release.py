#!/usr/bin/python
# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Builds of the daemon on a relay host, beside each other, of which one is the current one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Builds of the pxerelay daemon on a host
version_added: 1.0.0
description:
  - Installs a build of the daemon into a virtual environment of its own, beside the one that runs; or has one be the current one.
  - The wheel and the wheels of what it depends on go to the host as one archive. With O(lock) nothing is installed whose
    checksum is not in there.
  - With O(deb) or O(package) a build is a Debian package, of which one at a time is installed; that is done when it becomes
    the current one.
options:
  state:
    description:
      - V(present) installs it. One that is there, whole, is left as it is.
      - V(current) has C(current) lead to it, and a program and manual pages on the host's paths to that.
      - V(absent) removes those links, and a package that this module has installed.
    type: str
    choices: [present, current, absent]
    default: present
  home:
    description: The folder of all builds. They are in C(releases) of it.
    type: path
    default: /opt/pxerelay
  name:
    description: What the build is called.
    type: str
  requirement:
    description: What pip is asked for, such as C(pxerelay==1.0.0). Extras that it names are those of a wheel too.
    type: str
    default: pxerelay
  wheel:
    description: A wheel of the daemon on the control machine.
    type: path
  wheelhouse:
    description: A folder of wheels on the control machine that it depends on. pip takes from there alone.
    type: path
  lock:
    description: A file on the control machine with the versions and checksums of all that it depends on, as C(pip) reads it.
    type: path
  deb:
    description: A Debian package of the daemon on the control machine.
    type: path
  package:
    description: What apt on the host is asked for, such as C(pxerelay=1.0.0). What it depends on is installed too.
    type: str
  archive:
    description: The archive of these on the host; the module gets it from the action plugin of its name.
    type: path
  python:
    description: The Python to make the virtual environment with.
    type: str
    default: python3
  system_packages:
    description: Whether what it depends on is there as packages of the distribution.
    type: bool
    default: false
  pip_args:
    description: Further arguments of C(pip install).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - pxerelay.pxerelay.host.links
attributes:
  check_mode:
    description: Tells whether anything would change.
    support: full
  diff_mode:
    description: Shows which build was the current one, and which is.
    support: full
author: pxerelay developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Install a build of the daemon
  pxerelay.pxerelay.release:
    name: 1.0.0-0123456789abcdef
    requirement: pxerelay==1.0.0
    wheel: dist/pxerelay-1.0.0-py3-none-any.whl
    wheelhouse: .cache/wheelhouse

- name: Install a build that is a Debian package
  pxerelay.pxerelay.release:
    name: deb-1.0.0-0123456789abcdef
    deb: dist/pxerelay_1.0.0_all.deb

- name: Have it be the one that the service runs
  pxerelay.pxerelay.release:
    state: current
    name: 1.0.0-0123456789abcdef
"""

RETURN = r"""
path:
  description: The folder of the build.
  type: str
  returned: when a build is named
links:
  description: Links that were changed.
  type: list
  elements: str
  returned: when O(state) is not V(present)
switched:
  description: Whether another build is the current one.
  type: bool
  returned: when O(state=current)
"""

import contextlib
import glob
import os
import re
import tarfile
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import folder, links, package
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import run, sha256

COMPLETE = ".complete"
SUMS = "SHA256SUMS"
LOCK = "requirements.lock"
LONGEST = 900.0
"""Seconds that pip may take, also where it gets what it needs from afar."""

_BUNDLED = """
import ensurepip, glob, os, sysconfig
folders = [sysconfig.get_config_var("WHEEL_PKG_DIR") or "", os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")]
found = [path for folder in folders if folder for path in sorted(glob.glob(os.path.join(folder, "pip-*.whl")))]
print(found[-1] if found else "")
"""


class InstallError(Exception):
    """The build can't be installed; the message says why."""


def unpacked(archive: str, target: str) -> None:
    """Unpack an archive of plain files, each with the checksum that the archive has for it."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.isreg() or "/" in member.name or member.name.startswith("."):
                raise InstallError(f"{member.name}: the archive may hold files only, and no folders")
            source = tar.extractfile(member)
            with open(os.path.join(target, member.name), "wb") as file:
                file.write(source.read())
    with open(os.path.join(target, SUMS), encoding="utf-8") as file:
        sums = dict(reversed(line.split(None, 1)) for line in file.read().splitlines())
    there = {name: sha256(os.path.join(target, name)) for name in os.listdir(target) if name != SUMS}
    if there != sums:
        wrong = sorted(name for name in {*there, *sums} if there.get(name) != sums.get(name))
        raise InstallError(f"the archive was damaged on its way: {', '.join(wrong)}")


class Release:
    """A build of the daemon, and what was done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._wanted = module.params
        self._home = self._wanted["home"]
        self.path = os.path.join(self._home, "releases", self._wanted["name"] or "")
        self.result = {"changed": False}
        if self._wanted["name"]:
            self.result["path"] = self.path

    def install(self) -> None:
        """Have the build be there, whole and able to run."""
        program = os.path.join(self.path, "bin", "pxerelay")
        if os.path.exists(os.path.join(self.path, COMPLETE)) and run([program, "--version"])[0] == 0:
            return
        self.result["changed"] = True
        if self._module.check_mode:
            return
        os.umask(0o022)  # the user of the service must be able to read it, whatever umask root has
        folder.remove(self.path)
        for path in (self._home, os.path.dirname(self.path)):
            os.makedirs(path, mode=0o755, exist_ok=True)
            os.chmod(path, 0o755)
        try:
            self._make()
        except (InstallError, package.PackageError) as error:
            folder.remove(self.path)
            names = (self._wanted[name] for name in ("wheel", "deb", "package", "requirement"))
            what = os.path.basename(next(filter(None, names)))
            self._module.fail_json(
                msg=f"{what} can not be installed; the host goes on with what it has.\n{error}", **self.result
            )

    def _make(self) -> None:
        if self._wanted["deb"] or self._wanted["package"]:
            self._make_of_package()
        else:
            self._make_environment()
        if os.path.exists("/sys/fs/selinux/enforce"):  # systemd may not start what has the label of /opt
            self._run(["restorecon", "-RF", self._home])
        self._run([os.path.join(self.path, "bin", "pxerelay"), "--version"])
        with open(os.path.join(self.path, COMPLETE), "w", encoding="utf-8"):
            pass

    def _make_of_package(self) -> None:
        os.mkdir(self.path)
        if self._wanted["archive"]:
            with tempfile.TemporaryDirectory(dir=self.path) as files:
                unpacked(self._wanted["archive"], files)
                (found,) = glob.glob(os.path.join(files, "*.deb"))
                os.rename(found, os.path.join(self.path, package.ARCHIVE))
        package.make(self.path, self._wanted["package"] or package.NAME)

    def _make_environment(self) -> None:
        python = self._wanted["python"]
        site = ["--system-site-packages"] if self._wanted["system_packages"] else []
        self._run([python, "-m", "venv", "--without-pip", *site, self.path])
        with tempfile.TemporaryDirectory(prefix="pxerelay-") as wheels:
            if self._wanted["archive"]:
                unpacked(self._wanted["archive"], wheels)
            self._run(self._pip_install(wheels))

    def _pip_install(self, wheels: str) -> list:
        """Return the command that installs: pip of the wheel that Python brings, which is not installed itself."""
        code, pip, err = run([self._wanted["python"], "-c", _BUNDLED])
        if code or not pip.strip():
            raise InstallError(
                f"{self._wanted['python']} brings no pip: install its ensurepip\n{err}".strip()
            )
        argv = [os.path.join(self.path, "bin", "python"), os.path.join(pip.strip(), "pip"), "install"]
        argv += ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-warn-script-location"]
        ours = sorted(glob.glob(os.path.join(wheels, "pxerelay-*.whl")))
        if self._wanted["wheelhouse"] or (self._wanted["system_packages"] and ours):
            argv.append("--no-index")
        if self._wanted["wheelhouse"]:
            argv.append(f"--find-links={wheels}")
        argv += self._wanted["pip_args"]
        lock = os.path.join(wheels, LOCK)
        if not os.path.exists(lock) or self._wanted["system_packages"]:
            extras = re.search(r"\[.*\]|$", self._wanted["requirement"])[0]
            return [*argv, *([path + extras for path in ours[-1:]] or [self._wanted["requirement"]])]
        version = os.path.basename(ours[-1]).split("-")[1]
        with open(lock, "a", encoding="utf-8") as file:
            file.write(f"\npxerelay=={version} --hash=sha256:{sha256(ours[-1])}\n")
        return [*argv, f"--find-links={wheels}", "--require-hashes", "-r", lock]

    def _run(self, argv: list) -> None:
        code, out, err = run(argv, LONGEST)
        if code:
            told = [*out.splitlines()[-5:], *err.splitlines()[-15:]]
            raise InstallError("\n".join(told or [f"{' '.join(argv[:3])}: exit {code}"]))

    def make_current(self) -> None:
        """Have `current` lead to the build, and the host's links to that."""
        current = os.path.join(self._home, "current")
        before = os.readlink(current) if os.path.islink(current) else ""
        self.result["switched"] = before != self.path or not package.is_current(self.path)
        places = (self._wanted["link"], self._wanted["man"])
        wanted = links.wanted(self._home, self.path, *places)
        self._links(links.differing(wanted), links.stray(self._home, wanted, *places))
        if self.result["switched"]:
            self.result.update(changed=True, diff={"before": f"{before}\n", "after": f"{self.path}\n"})
        if self._module.check_mode:
            return
        if self.result["switched"]:
            try:
                package.switch(self._home, before, self.path)
            except package.PackageError as error:
                self._module.fail_json(msg=f"{self.path} can not be installed.\n{error}", **self.result)
            links.put(current, self.path)
        links.bring(self._home, self.path, *places)

    def unlink(self) -> None:
        """Remove the links that lead to `current`, and the package."""
        stray = links.stray(self._home, {}, self._wanted["link"], self._wanted["man"])
        self._links(stray, [])
        if package.ours(self._home):
            self.result["changed"] = True
        if self._module.check_mode:
            return
        if package.ours(self._home):
            try:
                package.purge()
            except package.PackageError as error:
                self._module.fail_json(msg=str(error), **self.result)
        for path in stray:
            os.unlink(path)
        for section in links.SECTIONS:
            with contextlib.suppress(OSError):  # others' pages are in there, or it was never made
                os.rmdir(os.path.join(self._wanted["man"], section))

    def _links(self, differing: list, stray: list) -> None:
        self.result["links"] = [*differing, *stray]
        if self.result["links"]:
            self.result["changed"] = True


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "current", "absent"], "default": "present"},
            "home": {"type": "path", "default": "/opt/pxerelay"},
            "name": {"type": "str"},
            "requirement": {"type": "str", "default": "pxerelay"},
            "wheel": {"type": "path"},
            "wheelhouse": {"type": "path"},
            "lock": {"type": "path"},
            "deb": {"type": "path"},
            "package": {"type": "str"},
            "archive": {"type": "path"},
            "python": {"type": "str", "default": "python3"},
            "system_packages": {"type": "bool", "default": False},
            "pip_args": {"type": "list", "elements": "str", "default": []},
            "link": {"type": "path", "default": "/usr/local/bin/pxerelay"},
            "man": {"type": "path", "default": "/usr/local/share/man"},
        },
        required_if=[("state", "present", ["name"]), ("state", "current", ["name"])],
        supports_check_mode=True,
    )
    release = Release(module)
    {"present": release.install, "current": release.make_current, "absent": release.unlink}[
        module.params["state"]
    ]()
    module.exit_json(**release.result)


if __name__ == "__main__":
    main()
