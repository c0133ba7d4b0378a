# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Where a path of the control machine leads that a variable names."""

from __future__ import annotations

DOCUMENTATION = r"""
name: local
author: pxerelay developers (!UNKNOWN)
version_added: 1.0.0
short_description: Paths on the control machine, however they are written
description:
  - Returns each path as an absolute one, empty for what is not there.
  - A relative one is looked for where Ansible looks for files of a play, then where ansible-playbook was typed, then beside
    the inventory.
options:
  _terms:
    description: The paths of files or folders.
    required: true
"""

EXAMPLES = r"""
- name: Show which file that is
  ansible.builtin.debug:
    msg: "{{ lookup('pxerelay.pxerelay.local', 'rules/kiosks.yml') }}"
"""

RETURN = r"""
_raw:
  description: The absolute paths.
  type: list
  elements: str
"""

import os

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup `local`."""

    def run(self, terms: list[str], variables: dict | None = None, **kwargs: object) -> list[str]:
        """Return the paths in the order of the terms."""
        self.set_options(var_options=variables, direct=kwargs)
        return [self._found(os.path.expanduser(str(term)), variables or {}) for term in terms]

    def _found(self, path: str, variables: dict) -> str:
        found = self.find_file_in_search_path(variables, "files", path, ignore_missing=True)
        if found:
            return os.path.abspath(found)
        for folder in (os.getcwd(), str(variables.get("inventory_dir") or "")):
            if folder and os.path.exists(os.path.join(folder, path)):
                return os.path.join(folder, path)
        return ""
