"""What docs/threats.md names, there is."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "threats.md").read_text("utf-8")


def test_each_test_that_is_named_is_there() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    assert named <= there, named - there


def test_each_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:molecule|ansible)/[\w/.]+)`", PAGE))
    assert named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_each_directive_that_is_named_is_set_or_decided_against() -> None:
    unit = (REPOSITORY / "ansible/roles/pxerelay/templates/pxerelay.service.j2").read_text("utf-8")
    against = PAGE[PAGE.index("Decided against") : PAGE.index("## The pair")]
    for name in re.findall(r"^- `(\w+)(?:=\w+)?`:", against, re.MULTILINE):
        assert f"\n{name}=" not in unit, name
    assert "\nOOMPolicy=continue\n" in unit
