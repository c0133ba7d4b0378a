"""The benchmark: ours, the peers and the C floor, measured in turn on this machine.

    python -m tests.benchmark [PART ...] [--rounds N] [--out FOLDER] [--page FILE]

Run as root on a Debian machine that has nothing else to do, with two processors or more. Prints each run
as it ends and the tables at the end, and writes benchmark.json, benchmark.md and benchmark.svg; parts that
were not asked for stay there as they are. `--page` puts the tables into a page as well. Figures of one run
compare with each other, not with those of another machine or day.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from compileall import compile_dir
from datetime import datetime, timezone
from pathlib import Path

import pxerelay
from pxerelay import __version__
from tests.benchmark import report
from tests.benchmark.burst import burst_part
from tests.benchmark.burst6 import burst6_part
from tests.benchmark.counting import counting_part
from tests.benchmark.footprint import footprint_part
from tests.benchmark.giaddrs import giaddrs_part
from tests.benchmark.hostile6 import hostile6_part, hostile_part
from tests.benchmark.links import links_part
from tests.benchmark.live import quiet_part, reload_part
from tests.benchmark.loading import loading_part
from tests.benchmark.rollout import rollout_part
from tests.benchmark.rules import rules_part
from tests.benchmark.sizing import sizing_part
from tests.benchmark.steady import batches_part, replies_part, requests_part
from tests.benchmark.steady6 import replies6_part, requests6_part
from tests.benchmark.web import web_part
from tests.lab.command import CACHE

PARTS = {
    "requests": requests_part,
    "batches": batches_part,
    "replies": replies_part,
    "burst": burst_part,
    "requests6": requests6_part,
    "replies6": replies6_part,
    "burst6": burst6_part,
    "hostile": hostile_part,
    "hostile6": hostile6_part,
    "counting": counting_part,
    "rules": rules_part,
    "loading": loading_part,
    "reload": reload_part,
    "quiet": quiet_part,
    "sizing": sizing_part,
    "footprint": footprint_part,
    "web": web_part,
    "links": links_part,
    "giaddrs": giaddrs_part,
    "rollout": rollout_part,
}


def main() -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description="Measure and compare.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured; default: 5")
    parser.add_argument("--out", type=Path, default=CACHE / "benchmark", help="where the results go")
    parser.add_argument("--page", type=Path, help="a page that shows the tables, and shall show the new ones")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; known: {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the lab is taken down
    compile_dir(Path(pxerelay.__file__).parent, quiet=1)  # as an installation is, whatever Python may write
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {text}", flush=True)

    found = report.kept(arguments.out / "benchmark.json") if arguments.parts else {}
    for name in arguments.parts or PARTS:
        say(name)
        found[name] = PARTS[name](arguments.rounds, say)
    results = [found[name] for name in PARTS if name in found]
    about = {
        "pxerelay": __version__,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "rounds": arguments.rounds,
        **report.machine(),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "benchmark.json").write_text(report.as_json(results, about))
    markdown = report.as_markdown(results, about)
    (arguments.out / "benchmark.md").write_text(markdown)
    report.plot(results, arguments.out / "benchmark.svg")
    if arguments.page:
        report.put_into(arguments.page, markdown)
    print(markdown)
    say(f"written to {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
