"""Write the files of this folder from the commands' arguments; with --check, only tell if they are current.

Needs shtab, which is a tool of developers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab

from pxerelay.cli import parser
from pxerelay.completions import SHELLS

FOLDER = Path(__file__).parent


def written() -> Iterator[tuple[Path, str]]:
    """Yield each file and what it should be."""
    os.environ.pop("RUNTIME_DIRECTORY", None)  # the help text has it
    whole = parser()
    _complete_files(whole)
    for shell, name in SHELLS.items():
        lines = shtab.complete(whole, shell).splitlines()
        yield FOLDER / name, "\n".join(line.rstrip() for line in lines) + "\n"


def _complete_files(part: argparse.ArgumentParser) -> None:
    for action in part._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _complete_files(below)
        elif action.type is Path or action.dest == "socket":
            action.complete = shtab.FILE  # type: ignore[attr-defined]


def main() -> int:
    """Do what the command line says."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="change nothing; 1 if they are not current")
    check = arguments.parse_args().check
    code = 0
    for path, text in written():
        if path.exists() and path.read_text("utf-8") == text:
            continue
        if check:
            print(f"{path.name} is not current: type python -m pxerelay.completions", file=sys.stderr)
            code = 1
        else:
            path.write_text(text, "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
