"""Blocks that are run elsewhere: what was printed there is compared with what the pages show.

`python -m tests.pages.elsewhere NAME` reads what was printed; 0 if each block that is run by NAME shows that.
"""

from __future__ import annotations

import sys

from tests.pages.blocks import blocks
from tests.pages.comparing import difference, fits
from tests.pages.listed import PAGES


def wrong(runner: str, printed: str) -> list[str]:
    """Return what is wrong with pages that show a command's output, which was `printed`.

    ValueError if no page shows it, or one shows other commands besides.
    """
    found = [block for page in PAGES for block in blocks(page) if block.runner == runner]
    if not found:
        raise ValueError(f"no page has a block that is run by {runner}")
    differences = []
    for block in found:
        (command,) = block.commands
        if not fits(command.output, printed.splitlines()):
            told = difference(command.output, printed.splitlines())
            differences.append(f"{block.place}: {command.line}\n{told}")
    return differences


def main() -> int:
    """Compare what comes in."""
    (runner,) = sys.argv[1:]
    found = wrong(runner, sys.stdin.read())
    print("\n\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
