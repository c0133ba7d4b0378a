# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The folder of the configuration as a whole: prepared beside, then put in place by one rename.

Whenever the host loses its power, the folder is the old one or the new one, and never a mixture. FOLDER.new is
the one that is being prepared; after the rename it is the one that was there before, until it is removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import stat
import time

from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import described

RULES = "rules.d"
CONFIG = "pxerelay.yml"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""renameat2(2)."""


class FolderError(Exception):
    """The folder can't be changed as a whole; the message says why."""


PATIENCE = 180.0
"""Seconds for which another play may be at work on the folder."""


@contextlib.contextmanager
def locked(folder: str, patience: float = PATIENCE):
    """Be the only one who changes a folder; FolderError where another one does not come to an end.

    The lock is one of the folder above, which stays the same when this one is exchanged. It leaves no file behind.
    """
    above = os.path.dirname(folder.rstrip("/")) or "/"
    try:
        number = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # whoever needs it says so
        yield
        return
    try:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise FolderError(
                        f"another play has been at work on {folder} for {patience:g} s"
                    ) from None
            time.sleep(0.05)
        yield
    finally:
        os.close(number)


def beside(folder: str) -> str:
    """Return where a folder is prepared, on the same file system."""
    return folder.rstrip("/") + ".new"


def contents(folder: str) -> dict:
    """Return what is in a folder by its path in there, each as `host.described` tells it."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in sorted(folders + files):
            path = os.path.join(parent, name)
            found[os.path.relpath(path, folder)] = described(path)
    return found


def texts(folder: str) -> dict:
    """Return the texts of the mapping in a folder by their path in there: pxerelay.yml, and rules.d."""
    found = {}
    names = [CONFIG]
    if os.path.isdir(os.path.join(folder, RULES)):
        names += [f"{RULES}/{name}" for name in sorted(os.listdir(os.path.join(folder, RULES)))]
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                found[name] = file.read()
    return found


def prepare(folder: str, files: dict, owner: int, group: int) -> str:
    """Make FOLDER.new of these texts by their path in there, for the owner and the group to read.

    Other files of the folder come along, but for those of rules.d: that holds the mapping's alone.
    """
    fresh = beside(folder)
    remove(fresh)
    os.mkdir(fresh, 0o700)
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            if name not in (CONFIG, RULES):
                _copy(os.path.join(folder, name), os.path.join(fresh, name))
    for name, text in files.items():
        path = os.path.join(fresh, name)
        if os.path.dirname(name) and not os.path.isdir(os.path.dirname(path)):
            os.mkdir(os.path.dirname(path), 0o700)
            os.chown(os.path.dirname(path), owner, group)
            os.chmod(os.path.dirname(path), 0o750)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            os.fchown(file.fileno(), owner, group)
            os.fchmod(file.fileno(), 0o640)
            file.flush()
            os.fsync(file.fileno())
    os.chown(fresh, owner, group)
    os.chmod(fresh, 0o750)
    return fresh


def copy(source: str, target: str) -> None:
    """Copy a folder with owners, groups, modes and times; TARGET is not there."""
    os.mkdir(target, 0o700)
    for name in os.listdir(source):
        _copy(os.path.join(source, name), os.path.join(target, name))
    _alike(source, target)


def _copy(source: str, target: str) -> None:
    found = os.lstat(source)
    if stat.S_ISDIR(found.st_mode):
        copy(source, target)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(source), target)
        os.lchown(target, found.st_uid, found.st_gid)
    elif stat.S_ISREG(found.st_mode):
        shutil.copy2(source, target)
        _alike(source, target)


def _alike(source: str, target: str) -> None:
    found = os.lstat(source)
    os.chown(target, found.st_uid, found.st_gid)
    os.chmod(target, stat.S_IMODE(found.st_mode))


def put_in_place(folder: str) -> None:
    """Exchange FOLDER and FOLDER.new in one step; or have it be the folder, where there is none."""
    fresh = beside(folder)
    if not os.path.lexists(folder):
        os.rename(fresh, folder)
    else:
        _exchange(fresh, folder)
    _sync(os.path.dirname(folder.rstrip("/")))


def _exchange(one: str, other: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        renameat2 = libc.renameat2
    except AttributeError:
        raise FolderError("the C library of this host is older than 2.28, and has no renameat2") from None
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        why = os.strerror(number)
        if number in (errno.EBUSY, errno.EXDEV):
            why += "; is it a mount point? its parent folder must be on the same file system"
        raise FolderError(f"{other} can't be replaced as a whole: {why}")


def remove(folder: str) -> None:
    """Remove a folder, if it is there."""
    if os.path.islink(folder) or os.path.isfile(folder):
        os.unlink(folder)
    elif os.path.isdir(folder):
        shutil.rmtree(folder)


def _sync(folder: str) -> None:
    number = os.open(folder or "/", os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
