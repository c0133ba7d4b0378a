"""Which pages are held to what they show, and who runs what takes too long for the lab of the tests."""

from __future__ import annotations

from tests.lab.command import REPOSITORY

PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "ansible").rglob("*.md")),
    REPOSITORY / "tests/captures/README.md",
]

RUN_BY = {
    "demo": "tests/lab/demo.py",
    "fleet": "molecule/anycast/verify.yml",
}
"""Where a block is run, by the word that the page has for it: each compares with `tests.pages.elsewhere`."""
