"""The comparison from the command line: `python -m tests.differential [--seed N]`, as root."""

from __future__ import annotations

import argparse
import sys
import time

from tests.differential.bench import PAIRS, compared
from tests.differential.comparison import read_table, report, unexplained, uses
from tests.differential.corpus import corpus
from tests.differential.randomised import SEED


def main() -> int:
    """Print how often each row was needed, and every difference that none explains; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="of the random messages")
    parser.add_argument("--all", action="store_true", help="print the explained differences too")
    arguments = parser.parse_args()
    start = time.monotonic()
    cases = corpus(arguments.seed)
    found = []
    table = read_table()
    for ours, peer in PAIRS:
        found += compared(cases, ours, peer, table)
    counted = uses(found, table)
    for row in table:
        print(f"{counted[row.id]:6} {row.id}: {row.because.strip()} ({row.source})")
    left = unexplained(found, table)
    print(
        f"{len(cases)} messages, {len(found)} differences, {len(left)} unexplained,"
        f" {time.monotonic() - start:.1f} s"
    )
    print(report(found if arguments.all else left))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
