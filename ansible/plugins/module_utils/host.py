# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Files of the host, and its programs, which never wait for input."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import subprocess


def run(argv: list, timeout: float = 120.0, env: dict | None = None) -> tuple:
    """Run a program to its end, at no terminal; return its exit code and what it printed.

    127 where it is not there, 124 where it took longer.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except OSError as error:
        return 127, "", f"{argv[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return 124, "", f"{' '.join(argv)}: no end after {timeout:g} s"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def sha256(path: str) -> str:
    """Return the checksum of a file's contents, in hexadecimal digits."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            found.update(piece)
    return found.hexdigest()


def described(path: str) -> dict:
    """Return what stands at a path: its type, owner, group and mode, a file's checksum, a link's target."""
    try:
        found = os.lstat(path)
    except OSError:
        return {"type": "absent"}
    about = {
        "type": "other",
        "owner": user_name(found.st_uid),
        "group": group_name(found.st_gid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
    }
    if stat.S_ISLNK(found.st_mode):
        about.update(type="link", target=os.readlink(path))
    elif stat.S_ISDIR(found.st_mode):
        about.update(type="directory")
    elif stat.S_ISREG(found.st_mode):
        about.update(type="file", sha256=sha256(path))
    return about


def user_name(number: int) -> str:
    """Return what a user is called, its number if it has no name."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    """Return what a group is called, its number if it has no name."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def user(name: str) -> dict | None:
    """Return a user's entry, None where there is none."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return {"uid": found.pw_uid, "group": group_name(found.pw_gid), "comment": found.pw_gecos}


def group_number(name: str) -> int | None:
    """Return a group's number, None where there is none."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
