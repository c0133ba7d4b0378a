"""docs/packet-rules.md names just the tests there are.

`python -m tests.unit.relay.test_rule_table` writes the tests of each row anew.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "docs" / "packet-rules.md"

_TEST = re.compile(r"def (test_rule_((?:\d{2,3}_)+)\w*)")


def _tests_there() -> dict[int, set[str]]:
    """Return the tests of each rule, by what they are called."""
    there: defaultdict[int, set[str]] = defaultdict(set)
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        for name, numbers in _TEST.findall(path.read_text("utf-8")):
            for number in numbers.strip("_").split("_"):
                there[int(number)].add(name)
    return there


def test_the_table_lists_every_test_of_every_rule() -> None:
    listed: dict[int, set[str]] = {}
    for line in PAGE.read_text("utf-8").splitlines():
        row = re.match(r"\| (\d+) \|", line)
        if row:
            listed[int(row[1])] = set(re.findall(r"`(test_\w+)`", line))
    assert listed == _tests_there()

    assert set(listed) >= {*range(1, 44), *range(101, 127), *range(130, 138), *range(140, 151)}
    assert set(listed) >= set(range(160, 167))


def test_every_rule_has_tests() -> None:
    for line in PAGE.read_text("utf-8").splitlines():
        if re.match(r"\| \d+ \|", line):
            assert "`test_" in line


def _written(page: str) -> str:
    """Return the page with the tests of each row as they are there now."""
    there = _tests_there()
    lines = []
    for line in page.splitlines():
        row = re.match(r"\| (\d+) \|", line)
        if row:
            told = ", ".join(f"`{name}`" for name in sorted(there[int(row[1])]))
            line = f"{line.rpartition(' | ')[0]} | {told} |"
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(_written(PAGE.read_text("utf-8")), "utf-8")
