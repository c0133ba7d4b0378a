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


def test_each_row_of_a_table_names_a_test() -> None:
    """A claim that nothing breaks for is none. The test above holds that each of them is there."""
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!-)", line)]
    claims = [line for line in rows if not line.endswith("| held by |")]
    assert len(claims) > 40
    assert [line for line in claims if not re.search(r"`test_\w+`[^|]*\|$", line)] == []


def test_each_rule_about_whom_to_believe_stands_there() -> None:
    """Rules 28 to 31, and 33 to 36, and those of DHCPv6: each is a row with a test of its number."""
    rules = {int(each) for each in re.findall(r"test_rule_(\d{2,3})_", PAGE)}
    assert {28, 29, 30, 31, 33, 34, 35, 36, 42, 43} <= rules
    assert {101, 102, 106, 114, 121, 124, 130, 131, 134, 135, 136, 140, 141, 143, 147, 148} <= rules


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
