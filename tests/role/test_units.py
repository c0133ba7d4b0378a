"""The collection's own unit tests, which `make ansible-units` has run by ansible-test, by pytest alone."""

from __future__ import annotations

import os
import sys

from tests.lab.command import REPOSITORY, run
from tests.role.plays import COLLECTIONS


def test_the_units_of_the_collection_pass() -> None:
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    words = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull]
    place = COLLECTIONS / "ansible_collections" / "pxerelay" / "pxerelay"
    done = run([sys.executable, *words, "tests/unit"], check=False, env=environment, cwd=place, timeout=300)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " passed" in done.stdout
    assert (REPOSITORY / "ansible" / "tests" / "unit").is_dir()
