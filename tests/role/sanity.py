"""`ansible-test` on the collection: `make ansible-sanity`, `make ansible-units`; ARGS="--test pep8".

It wants the collection at a path of its own, with files that git knows, and gets a copy there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab.command import CACHE, REPOSITORY, run
from tests.role.plays import BIN

PLACE = CACHE / "ansible-test" / "ansible_collections" / "pxerelay" / "pxerelay"
LEFT_OUT = {"ansible/playbooks/collections/ansible_collections/pxerelay/pxerelay"}
"""The link by which a checkout finds itself, which leads round and round."""


def place() -> Path:
    """Return a copy of the collection, as it is in the working tree, in a git repository of its own."""
    shutil.rmtree(PLACE, ignore_errors=True)
    listed = run(["git", "-C", str(REPOSITORY), "ls-files", "-co", "--exclude-standard", "ansible"]).stdout
    for name in listed.splitlines():
        source = REPOSITORY / name
        if name not in LEFT_OUT and source.exists():
            target = PLACE / Path(name).relative_to("ansible")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    run(["git", "-C", str(PLACE), "init", "--quiet"])
    run(["git", "-C", str(PLACE), "add", "--all"])
    return PLACE


def main() -> int:
    """Do what the command line says."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    kind, *more = sys.argv[1:] or ["sanity"]
    words = [str(BIN / "ansible-test"), kind, "--color", "no", "--python", python]
    words += ["--requirements"] if kind == "sanity" else []  # pytest is here already
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run([*words, *more], cwd=place(), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
