# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Builds of the daemon that are Debian packages: kept beside each other as all builds, one of them installed by dpkg.

The folder of such a build has the package itself (`pxerelay.deb`), its contents below `root` and a program in `bin`
that runs those, so that a configuration is checked by the daemon that is to come; and `package`, a file that says
which version that is.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator

from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import run

NAME = "pxerelay"
ARCHIVE = "pxerelay.deb"
ABOUT = "package"
PREFIX = "/usr"
"""Where Python runs the daemon from that dpkg has installed."""

CONFIG = "/etc/pxerelay"
LONGEST = 900.0
"""Seconds that apt may take, also where it gets what it needs from afar."""

PATIENCE = 120.0
"""Seconds for which another dpkg may have its lock, such as that of unattended upgrades."""

_UNITS = ("pxerelay", "pxerelay.service", "pxerelay-web", "pxerelay-web.service")
_POLICY = "/usr/sbin/policy-rc.d"
_POLICY_TEXT = """\
#!/bin/sh
# While the role of pxerelay installs its package, it restarts its services by itself.
case $1 in {units}) if kill -0 {process} 2>/dev/null; then exit 101; fi ;; esac
exit 0
"""
_PROGRAM = """\
#!/usr/bin/python3
import sys

sys.path.insert(0, {path!r})

from pxerelay.cli import main

sys.exit(main())
"""


class PackageError(Exception):
    """The package can't be had, or not be installed; the message says why."""


def is_one(release: str) -> bool:
    """Tell whether a build is a Debian package."""
    return bool(release) and os.path.isfile(os.path.join(release, ABOUT))


def about(release: str) -> tuple:
    """Return the package's version, and that of the daemon in it."""
    with open(os.path.join(release, ABOUT), encoding="utf-8") as file:
        package, daemon = file.read().split()
    return package, daemon


def is_running(release: str, running: dict) -> bool:
    """Tell whether a daemon, by what it says of itself, is of a build; one that does not tell may be."""
    prefix = running.get("prefix")
    if not prefix:
        return True
    if is_one(release):
        return (prefix, running.get("version")) == (PREFIX, about(release)[1])
    return prefix == release


def installed() -> str:
    """Return the version of the package that is installed, empty for none."""
    code, out, _unused = run(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", NAME])
    state, _unused, version = out.strip().partition(" ")
    return version if code == 0 and state == "installed" else ""


def is_current(release: str) -> bool:
    """Tell whether dpkg has installed what a build is, which is none of its business where that is no package."""
    return not is_one(release) or installed() == about(release)[0]


def make(release: str, wanted: str) -> None:
    """Have the folder of a build, where the package is, or apt is to get it, be whole; PackageError if it can't be.

    `wanted` is what apt is asked for, such as `pxerelay` or `pxerelay=1.0.0`. What the package depends on is installed.
    """
    archive = os.path.join(release, ARCHIVE)
    if not os.path.exists(archive):
        _apt(["download", wanted], release)
        (found,) = [name for name in os.listdir(release) if name.endswith(".deb")]
        os.rename(os.path.join(release, found), archive)
    fields = {name: _field(archive, name) for name in ("Package", "Version", "Depends")}
    if fields["Package"] != NAME:
        raise PackageError(f"it is the package {fields['Package']}, and not {NAME}")
    if fields["Depends"]:
        _apt(["satisfy", "--yes", "--no-install-recommends", fields["Depends"]], release)
    root = os.path.join(release, "root")
    _run(["dpkg-deb", "--extract", archive, root])
    program = os.path.join(release, "bin", NAME)
    os.makedirs(os.path.dirname(program))
    with open(program, "w", encoding="utf-8") as file:
        file.write(_PROGRAM.format(path=os.path.join(root, "usr/lib/python3/dist-packages")))
        os.fchmod(file.fileno(), 0o755)
    daemon = _run([program, "--version"]).split()[-1]
    with open(os.path.join(release, ABOUT), "w", encoding="utf-8") as file:
        file.write(f"{fields['Version']} {daemon}\n")


def switch(home: str, before: str, release: str) -> None:
    """Have dpkg install a build, also an older one, or remove what was installed of a build before.

    The daemon that runs goes on, until the service is restarted. PackageError if dpkg fails.
    """
    if is_one(release):
        page = f"{CONFIG}-web.yml"
        strange = [path for path in (os.path.join(CONFIG, "rules.d"), page) if not os.path.lexists(path)]
        with open(os.path.join(home, ABOUT), "w", encoding="utf-8"):
            pass  # the package is the role's, to be removed with all else
        with _no_restart():
            _dpkg(["--force-confold", "--install", os.path.join(release, ARCHIVE)])
        for path in (os.path.join(CONFIG, "pxerelay.yml"), page):
            with contextlib.suppress(OSError):  # the package's example, where there was a file already
                os.unlink(f"{path}.dpkg-dist")
        for path in strange:  # the package's, where the inventory has none
            with contextlib.suppress(OSError):
                (os.unlink if path == page else os.rmdir)(path)
    elif before and is_one(before) and installed():
        with _no_restart():
            _dpkg(["--remove", NAME])


def ours(home: str) -> bool:
    """Tell whether the role has installed a package on this host."""
    return os.path.exists(os.path.join(home, ABOUT))


def purge() -> None:
    """Remove the package with all that it made; PackageError if dpkg fails."""
    _dpkg(["--purge", NAME])


def _field(archive: str, name: str) -> str:
    return _run(["dpkg-deb", "--field", archive, name]).strip()


def _apt(words: list, folder: str) -> None:
    """Run apt-get in a folder, and once more with fresh lists where the first time fails."""
    lock = f"DPkg::Lock::Timeout={PATIENCE:g}"
    argv = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, "apt-get", "-q", "-o", lock]
    code, out, err = run([*argv, *words], LONGEST, _environment())
    if code:
        run([*argv, "update"], LONGEST, _environment())
        code, out, err = run([*argv, *words], LONGEST, _environment())
        if code:
            raise PackageError(_told(f"apt-get {words[0]}", code, out, err))


def _dpkg(words: list) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        code, out, err = run(["dpkg", *words], LONGEST, _environment())
        if not code:
            return
        if "lock" not in err or time.monotonic() > end:
            raise PackageError(_told(f"dpkg {words[0]}", code, out, err))
        time.sleep(2)


def _run(argv: list) -> str:
    code, out, err = run(argv, LONGEST, _environment())
    if code:
        raise PackageError(_told(argv[0], code, out, err))
    return out


def _environment() -> dict:
    return {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def _told(what: str, code: int, out: str, err: str) -> str:
    lines = [*out.splitlines()[-5:], *err.splitlines()[-15:]]
    return "\n".join(lines or [f"{what}: exit {code}"])


@contextlib.contextmanager
def _no_restart() -> Iterator[None]:
    """Keep the package from stopping or restarting the services meanwhile: whoever installs it knows when.

    /usr/sbin/policy-rc.d is what packages ask; one that an administrator has put there stays, and is asked.
    https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
    """
    text = _POLICY_TEXT.format(units="|".join(_UNITS), process=os.getpid())
    with contextlib.suppress(OSError), open(_POLICY, encoding="utf-8") as file:
        if file.read().split("\n")[:2] == text.split("\n")[:2]:
            os.unlink(_POLICY)  # of a play that was broken off
    try:
        number = os.open(_POLICY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    except FileExistsError:
        yield
        return
    try:
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(_POLICY)
