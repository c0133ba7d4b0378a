"""docs/troubleshooting.md names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from pxerelay.cli import COMMANDS
from pxerelay.linux.fields import Fields
from pxerelay.relay.decision import MEANING

PAGE = (Path(__file__).parents[3] / "docs" / "troubleshooting.md").read_text()


def test_every_reason_stands_there_with_its_meaning() -> None:
    table = PAGE.partition("## Why messages are dropped")[2]
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", table, re.MULTILINE))
    assert rows == {reason.value: meaning for reason, meaning in MEANING.items()}


def test_every_field_stands_there() -> None:
    every = {name for name, _ in Fields("a", "b", ("c",), "d", "e").pairs()}
    assert set(re.findall(r"^\| `(PXERELAY_[A-Z]+)` \|", PAGE, re.MULTILINE)) == every


def test_the_commands_exist() -> None:
    assert set(re.findall(r"`pxerelay ([a-z]+)", PAGE)) <= COMMANDS.keys()
