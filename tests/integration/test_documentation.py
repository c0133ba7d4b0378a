"""The blocks of commands in README and docs print what these pages show, in the lab."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pages.blocks import blocks
from tests.pages.comparing import difference, fits
from tests.pages.listed import PAGES
from tests.pages.playing import play

PLAYED = [
    (page, scene)
    for page in PAGES
    for scene in dict.fromkeys(block.scene for block in blocks(page) if block.scene)
]


def test_there_are_pages_that_show_what_is_printed() -> None:
    assert len({page for page, _ in PLAYED}) > 7


@pytest.mark.parametrize(("page", "scene"), PLAYED, ids=lambda value: getattr(value, "stem", value))
def test_commands_print_what_the_page_shows(page: Path, scene: str, tmp_path: Path) -> None:
    """`python -m tests.pages --write PAGE` puts in what is printed, where that is as it should be."""
    there = [block for block in blocks(page) if block.scene == scene]
    name = f"docs_{scene.replace('-', '_')}_{os.getpid()}"
    wrong = [
        f"{block.place}: {command.line}\n{difference(command.output, printed)}"
        for block, told in play(there, name, tmp_path)
        for command, printed in told
        if not fits(command.output, printed)
    ]
    assert not wrong, "\n\n".join(wrong)
