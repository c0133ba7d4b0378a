# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Links by which a host finds the daemon's program and its manual pages, whatever build is the current one."""

from __future__ import annotations

import glob
import os

from ansible_collections.pxerelay.pxerelay.plugins.module_utils import package

SECTIONS = ("man1", "man5")


def wanted(home: str, release: str, link: str, man: str) -> dict:
    """Return the links that there must be to HOME/current, while that leads to a release, by their path.

    None for a Debian package, which brings program and pages itself.
    """
    if package.is_one(release):
        return {}
    current = os.path.join(home, "current")
    found = {link: os.path.join(current, "bin", "pxerelay")}
    for section in SECTIONS:
        for page in sorted(glob.glob(os.path.join(release, "share", "man", section, "pxerelay*"))):
            name = os.path.basename(page)
            found[os.path.join(man, section, name)] = os.path.join(current, "share", "man", section, name)
    return found


def stray(home: str, wanted_links: dict, link: str, man: str) -> list:
    """Return links to program and manual pages that lead to HOME/current, and are not wanted."""
    current = os.path.join(home, "current")
    inside = os.path.join(current, "share", "man") + os.sep
    program = os.path.join(current, "bin", "pxerelay")
    leads_there = os.path.islink(link) and os.readlink(link) == program
    return ([link] if leads_there and link not in wanted_links else []) + [
        path
        for section in SECTIONS
        for path in sorted(glob.glob(os.path.join(man, section, "pxerelay*")))
        if os.path.islink(path) and os.readlink(path).startswith(inside) and path not in wanted_links
    ]


def differing(wanted_links: dict) -> list:
    """Return the links that are not there, or lead elsewhere."""
    return [
        path
        for path, target in sorted(wanted_links.items())
        if not os.path.islink(path) or os.readlink(path) != target
    ]


def bring(home: str, release: str, link: str, man: str) -> None:
    """Have all links be as they must be, while HOME/current leads to a release."""
    leads_to = wanted(home, release, link, man)
    for path in differing(leads_to):
        put(path, leads_to[path])
    for path in stray(home, leads_to, link, man):
        os.unlink(path)


def put(path: str, target: str) -> None:
    """Have a link lead to a target, in one step; its folder is made."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    fresh = path + ".new"
    if os.path.lexists(fresh):
        os.unlink(fresh)
    os.symlink(target, fresh)
    os.replace(fresh, path)
