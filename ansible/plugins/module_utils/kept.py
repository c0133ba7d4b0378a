# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""What the host ran when it was proven, to go back to: configuration, unit, and which build of the daemon.

HOME/proven is what was proven last, HOME/previous what was proven before that. Each has `config`, a folder, `unit`,
a file, and `release`, the path that HOME/current leads to. Broken off anywhere, the next run does the rest.
"""

from __future__ import annotations

import filecmp
import os
import shutil

from ansible_collections.pxerelay.pxerelay.plugins.module_utils import folder, package

PROVEN, PREVIOUS, NOTHING = "proven", "previous", "nothing"


class Kept:
    """What is kept in HOME of what is at these paths."""

    def __init__(self, home: str, config: str, unit: str) -> None:
        self.home = home
        self.config = config
        self.unit = unit
        self.current = os.path.join(home, "current")

    def path(self, which: str, part: str = "") -> str:
        """Return where `proven` or `previous` is kept, or a part of it."""
        return os.path.join(self.home, which, part) if part else os.path.join(self.home, which)

    def release(self, which: str) -> str:
        """Return the build of the daemon that is kept to go back to, empty where none is."""
        try:
            with open(self.path(which, "release"), encoding="utf-8") as file:
                return file.read().strip()
        except OSError:
            return ""

    def there(self, which: str) -> bool:
        """Tell whether something is kept."""
        return os.path.isdir(self.path(which))

    def same_config(self, which: str) -> bool:
        """Tell whether the configuration on the host is the one that is kept."""
        kept = self.path(which, "config")
        return os.path.isdir(kept) and folder.contents(kept) == folder.contents(self.config)

    def same_unit(self, which: str) -> bool:
        """Tell whether the unit on the host is the one that is kept."""
        kept = self.path(which, "unit")
        return os.path.isfile(kept) and os.path.isfile(self.unit) and filecmp.cmp(kept, self.unit, False)

    def same_release(self, which: str) -> bool:
        """Tell whether the current build is the one that is kept."""
        release = self.release(which)
        return (
            os.path.islink(self.current)
            and os.readlink(self.current) == release
            and package.is_current(release)
        )

    def same(self, which: str) -> bool:
        """Tell whether what is on the host is what is kept."""
        return self.same_config(which) and self.same_unit(which) and self.same_release(which)

    def only_config_differs(self, which: str) -> bool:
        """Tell whether unit and build on the host are those that are kept, and the configuration is not."""
        return (
            self.there(which)
            and self.same_unit(which)
            and self.same_release(which)
            and not self.same_config(which)
        )

    def choice(self) -> str:
        """Return what to go back to: what was proven last, or, where it is just that, what was before."""
        if self.there(PROVEN) and not self.same(PROVEN):
            return PROVEN
        return PREVIOUS if self.there(PREVIOUS) else NOTHING

    def keep(self) -> bool:
        """Have what is on the host be `proven`, and what was that `previous`; whether that changes anything."""
        if not os.path.islink(self.current) or not os.path.isfile(self.unit) or self.same(PROVEN):
            return False
        fresh = self.path("proven.new")
        folder.remove(fresh)
        os.mkdir(fresh, 0o700)
        folder.copy(self.config, os.path.join(fresh, "config"))
        shutil.copy2(self.unit, os.path.join(fresh, "unit"))
        with open(os.path.join(fresh, "release"), "w", encoding="utf-8") as file:
            file.write(os.readlink(self.current) + "\n")
        if self.there(PROVEN):
            folder.remove(self.path(PREVIOUS))
            os.rename(self.path(PROVEN), self.path(PREVIOUS))
        os.rename(fresh, self.path(PROVEN))
        return True

    def prepare(self, which: str) -> str:
        """Make CONFIG.new of the configuration that is kept, for `folder.put_in_place`; return its path."""
        fresh = folder.beside(self.config)
        folder.remove(fresh)
        folder.copy(self.path(which, "config"), fresh)
        return fresh

    def put_back_service(self, which: str) -> None:
        """Put unit and build back; PackageError where a build is a Debian package, and dpkg does not install it."""
        if not self.same_unit(which):
            fresh = self.unit + ".new"
            shutil.copy2(self.path(which, "unit"), fresh)
            os.replace(fresh, self.unit)
        if not self.same_release(which):
            before = os.readlink(self.current) if os.path.islink(self.current) else ""
            package.switch(self.home, before, self.release(which))
            fresh = self.current + ".new"
            folder.remove(fresh)
            os.symlink(self.release(which), fresh)
            os.replace(fresh, self.current)

    def went_back(self, which: str) -> None:
        """Have what was put back be what was proven last."""
        if which == PREVIOUS:
            folder.remove(self.path(PROVEN))
            os.rename(self.path(PREVIOUS), self.path(PROVEN))

    def tidy(self) -> list:
        """Remove builds that are neither in use nor kept to go back to; return their names."""
        used = {os.path.basename(self.release(which)) for which in (PROVEN, PREVIOUS)}
        if os.path.islink(self.current):
            used.add(os.path.basename(os.readlink(self.current)))
        builds = os.path.join(self.home, "releases")
        idle = sorted(set(os.listdir(builds)) - used) if os.path.isdir(builds) else []
        for name in idle:
            folder.remove(os.path.join(builds, name))
        return idle
