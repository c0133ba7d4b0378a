"""Which pages are held to what they show, and why some blocks are not run."""

from __future__ import annotations

from tests.lab.command import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

NOT_RUN = {
    "demo": "takes minutes; it is run by itself, and fails where a client is not treated as it shows",
    "fleet": "is of several hosts that Ansible manages: molecule/anycast has such",
}
"""Why a block is not run, by the word that the page has for it."""
