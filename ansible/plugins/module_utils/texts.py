# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The texts that the folder of the configuration should have, compared with those that it has."""

from __future__ import annotations

import hashlib
import re

from ansible_collections.pxerelay.pxerelay.plugins.module_utils import folder
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import described

LARGEST_DIFF = 100 << 10
"""Octets of a file that a difference is shown of."""

MODES = {"file": "0640", "directory": "0750"}

_FILE = re.compile(r"pxerelay\.yml|rules\.d/[^/]+\.yml")
_PLACE = re.compile(r"pxerelay\.yml:(\d+):")


class Texts:
    """The files of a mapping: their texts by their path in the folder, for root and a group to read."""

    def __init__(self, path: str, files: dict, group: str) -> None:
        self.files = {name: str(text) for name, text in files.items()}
        self._path = path
        self._group = group
        self.sha256 = {
            f"{path}/{name}": hashlib.sha256(text.encode()).hexdigest() for name, text in self.files.items()
        }

    def faults(self) -> str:
        """Return what is wrong with the names of the files, empty if nothing is."""
        wrong = sorted(name for name in self.files if not _FILE.fullmatch(name))
        if not wrong and folder.CONFIG in self.files:
            return ""
        return "files: pxerelay.yml must be there, and beside it there may be rules.d/NAME.yml" + (
            f", but there is {', '.join(wrong)}" if wrong else ""
        )

    def differ(self) -> bool:
        """Tell whether there is something else on the host, compared without what others put there."""
        there = {
            name: about
            for name, about in folder.contents(self._path).items()
            if name == folder.CONFIG or name.split("/")[0] == folder.RULES
        }
        rules = any("/" in name for name in self.files)
        if set(there) != {*self.files, *([folder.RULES] if rules else [])}:
            return True
        here = described(self._path)
        if (here["type"], here.get("mode")) != ("directory", MODES["directory"]):
            return True
        checksums = {name: self.sha256[f"{self._path}/{name}"] for name in self.files}
        return any(
            about.get("sha256") != checksums.get(name)
            or MODES.get(about["type"]) != about["mode"]
            or (about["owner"], about["group"]) != ("root", self._group)
            for name, about in {**there, ".": here}.items()
        )

    def difference(self, before: dict) -> list:
        """Return what Ansible shows with --diff, where the folder had these texts before."""
        shown = []
        for name in sorted({*before, *self.files}):
            one, other = before.get(name, ""), self.files.get(name, "")
            if one == other:
                continue
            path = f"{self._path}/{name}"
            if max(len(one), len(other)) > LARGEST_DIFF:
                one, other = "", f"{path}: too large to show what changes\n"
            shown.append({"before_header": path, "after_header": path, "before": one, "after": other})
        return shown

    def named(self, line: str, variables: dict) -> str:
        """Return a finding of `pxerelay check` with the variable that its line in pxerelay.yml comes from.

        VARIABLES are those of rules that do not come from pxerelay_rules, by the rule.
        """
        place = _PLACE.search(line)
        if not place:
            return line
        above = self.files[folder.CONFIG].splitlines()[: int(place[1])]
        key = next((text.split(":")[0] for text in reversed(above) if re.match(r"[a-z0-9_]+:", text)), "")
        if not key or key == "include":
            return line
        variable = f"pxerelay_{key}"
        if key == "rules":
            rule = above[-1].strip().strip("\"'")
            variable = next((variables[mac] for mac in variables if rule.startswith(mac)), variable)
        return f"{line} ({variable})"
