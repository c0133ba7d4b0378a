"""The commands of the README, as a test runs them."""

from __future__ import annotations

import re

from tests.lab.command import REPOSITORY


def commands(heading: str) -> list[str]:
    """Return the lines of the first code block below a heading, without comments at their ends."""
    text = (REPOSITORY / "README.md").read_text()
    block = rf"^### {re.escape(heading)}\n.*?\n\n((?:    [^\n]+\n)+)"
    found = re.search(block, text, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no commands below {heading!r}"
    return [re.sub(r"\s+# .*", "", line.strip()) for line in found[1].splitlines()]
