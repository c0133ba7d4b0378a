"""`python -m tests.pages PAGE…`: play the blocks of pages, and tell what they would have to show."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.pages.blocks import Block, Command, blocks
from tests.pages.comparing import difference, fits
from tests.pages.playing import play


def main() -> int:
    """Play pages; 0 if all of them show what is so."""
    parser = argparse.ArgumentParser(prog="python -m tests.pages", description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put what was printed in where it differs")
    arguments = parser.parse_args()
    return max(_page(page, write=arguments.write) for page in arguments.pages)


def _page(page: Path, *, write: bool) -> int:
    found = [block for block in blocks(page) if block.scene]
    changes: list[tuple[Block, str]] = []
    for number, scene in enumerate(dict.fromkeys(block.scene for block in found)):
        there = [block for block in found if block.scene == scene]
        with tempfile.TemporaryDirectory(prefix="pxr-page-") as folder:
            for block, told in play(there, f"page_{number}_{os.getpid()}", Path(folder)):
                bad = [(command, printed) for command, printed in told if not fits(command.output, printed)]
                for command, printed in bad:
                    print(f"{block.place}: {command.line}\n{difference(command.output, printed)}\n")
                if bad:
                    changes.append((block, "".join(_text(block, *one) for one in told)))
    if write:
        text = page.read_text("utf-8")
        for block, now in sorted(changes, key=lambda change: -change[0].begin):
            text = text[: block.begin] + now + text[block.begin + len(block.text) :]
        page.write_text(text, "utf-8")
    return 1 if changes else 0


def _text(block: Block, command: Command, printed: list[str]) -> str:
    output = command.output if fits(command.output, printed) else tuple(printed)
    if block.content_of:
        return "".join(f"{line}\n" for line in output)
    return str(Command(command.prompt, command.line, output))


if __name__ == "__main__":
    sys.exit(main())
