"""Playing the blocks of a page in their scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tests.pages.blocks import Block, Command
from tests.pages.comparing import fits
from tests.pages.scenes import SCENES
from tests.pages.stage import Stage

Played = tuple[Block, list[tuple[Command, list[str]]]]
"""A block, and each command with what it printed."""


def play(blocks: Sequence[Block], name: str, folder: Path) -> Iterator[Played]:
    """Play blocks of one page, in one scene, in their order; `name` is that of the lab."""
    with closing(Stage(name, folder)) as stage:
        SCENES[blocks[0].scene](stage)
        for block in blocks:
            if block.file:
                stage.write(block.file, block.text)
                continue
            told = []
            *_, last = commands = block.commands
            for command in commands:
                action = block.meanwhile if command is last else ""
                told.append((command, stage.run(command.line, _over(command), action)))
            yield block, told


def _over(command: Command) -> Callable[[list[str]], bool]:
    return lambda printed: fits(command.output, printed)
