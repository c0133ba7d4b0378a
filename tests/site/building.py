"""Building the site, for tests."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.lab.command import REPOSITORY, run

CONFIG = REPOSITORY / ".config/mkdocs/mkdocs.yml"


def build(folder: Path) -> Path:
    """Build the site in a folder and return that; a warning of mkdocs is a CommandError."""
    words = ("build", "--strict", "--config-file", str(CONFIG), "--site-dir", str(folder))
    run([sys.executable, "-m", "mkdocs", *words], cwd=REPOSITORY, timeout=300)
    return folder
