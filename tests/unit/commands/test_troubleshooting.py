"""docs/troubleshooting.md names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pxerelay.cli import COMMANDS
from pxerelay.linux.fields import Fields
from pxerelay.relay.decision import MEANING
from pxerelay.relay.decision6 import MEANING6

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "troubleshooting.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("heading", "meanings"),
    [
        ("Why messages are dropped", {one.value: text for one, text in MEANING.items()}),
        ("Why DHCPv6 messages are dropped", {one.value: text for one, text in MEANING6.items()}),
    ],
)
def test_every_reason_stands_there_with_its_meaning(heading: str, meanings: dict[str, str]) -> None:
    table = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \| (.+) \|$", table, re.MULTILINE)
    assert {name: meaning for name, meaning, _ in rows} == meanings
    assert all(advice.strip() for _, _, advice in rows)


def test_the_sections_that_it_leads_to_are_there() -> None:
    headings = {
        page: set(re.findall(r"^#+ (.*)$", (DOCS / page).read_text("utf-8"), re.MULTILINE))
        for page in ("troubleshooting.md", "doctor.md")
    }
    anchors = {page: {_anchor(one) for one in found} for page, found in headings.items()}
    links = re.findall(r"\]\((troubleshooting\.md|doctor\.md|)#([a-z0-9-]+)\)", PAGE)
    assert len(links) > 8
    assert [(page, one) for page, one in links if one not in anchors[page or "troubleshooting.md"]] == []


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def test_every_field_stands_there() -> None:
    every = {name for name, _ in Fields("a", "b", ("c",), "d", "e", "6", "f", "g").pairs()}
    assert set(re.findall(r"^\| `(PXERELAY_[A-Z]+)` \|", PAGE, re.MULTILINE)) == every


def test_the_commands_exist() -> None:
    assert set(re.findall(r"`pxerelay ([a-z]+)", PAGE)) <= COMMANDS.keys()
