"""docs/packet-rules.md names just the tests there are."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_the_table_lists_every_test_of_every_rule() -> None:
    listed: dict[int, set[str]] = {}
    for line in (REPOSITORY / "docs" / "packet-rules.md").read_text("utf-8").splitlines():
        row = re.match(r"\| (\d+) \|", line)
        if row:
            listed[int(row[1])] = set(re.findall(r"`(test_\w+)`", line))
    there: defaultdict[int, set[str]] = defaultdict(set)
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        for name, numbers in re.findall(r"def (test_rule_((?:\d\d_)+)\w*)", path.read_text("utf-8")):
            for number in numbers.strip("_").split("_"):
                there[int(number)].add(name)
    assert listed == there

    assert set(listed) >= set(range(1, 28))


def test_every_rule_has_tests() -> None:
    for line in (REPOSITORY / "docs" / "packet-rules.md").read_text("utf-8").splitlines():
        if re.match(r"\| \d+ \|", line):
            assert "`test_" in line
