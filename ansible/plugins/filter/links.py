"""Files of the control machine that a change of the repository may not have the role read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError


def inside(path: str) -> str:
    """Return a path whose file is in the repository that the path is in; AnsibleFilterError for a link out.

    A rule file goes to the hosts, and a faulty one is printed line by line. One that a change made a link
    would have any file printed that the user of Ansible may read. `pxerelay check` has the same rule.
    """
    absolute, real = Path(os.path.normpath(Path(path).absolute())), Path(os.path.realpath(path))
    for folder in absolute.parents:
        if os.path.lexists(folder / ".git") and not real.is_relative_to(os.path.realpath(folder)):
            raise AnsibleFilterError(
                f"{path} is a link out of the repository {folder}; put the file itself in its place"
            )
    return path


def outside(paths: Iterable[str]) -> list[str]:
    """Return one line for each path whose file is not in the repository that the path is in."""
    lines = []
    for path in paths:
        try:
            inside(path)
        except AnsibleFilterError as error:
            lines.append(str(error))
    return lines


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {"outside": outside}
