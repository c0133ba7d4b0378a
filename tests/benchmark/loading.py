"""Target 4: a large file is read and checked about as fast as YAML can be read."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmark.mappings import MILLION, random_rules
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.lab.command import CACHE, run

_TIMED = """
import sys, time, pathlib
sys.path[:] = sys.argv[2:]
import yaml
from pxerelay.config.load import load
path = pathlib.Path(sys.argv[1])
start = time.perf_counter()
{}
print(time.perf_counter() - start)
"""
_OURS = "load(path)"
_YAML = "yaml.load(path.read_bytes(), yaml.CSafeLoader)"


def loading_part(rounds: int, say: Say) -> Result:
    """Time reading and validating a file against PyYAML's C loader alone, in processes of their own."""
    sizes = (100_000, MILLION)
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        for size in sizes:
            path = mapping_file(size)
            for name, statement in (("pxerelay", _OURS), ("PyYAML", _YAML)):
                seconds = _timed(statement, path)
                times.setdefault(f"{name} {size}", []).append(seconds)
                say(f"round {turn + 1}: {name} reads {size:,} rules in {seconds:.2f} s")
    found = {name: middle(values) for name, values in times.items()}
    rows = [
        (
            f"{size:,}",
            round(found[f"pxerelay {size}"], 2),
            round(found[f"PyYAML {size}"], 2),
            round(found[f"pxerelay {size}"] / found[f"PyYAML {size}"], 2),
        )
        for size in sizes
    ]
    small, large = (found[f"pxerelay {size}"] / size for size in sizes)
    return Result(
        "loading",
        [
            Table(
                "Reading and checking a file, seconds",
                ("rules", "pxerelay", "PyYAML's C loader alone", "ratio"),
                rows,
            )
        ],
        [
            Bound("loading 100,000 rules, of PyYAML's C loader alone", float(rows[0][3]), 2.0),
            Bound("time for a rule of 1,000,000, of that of 100,000", large / small, 1.25),
        ],
        times,
    )


def _timed(statement: str, path: Path) -> float:
    command = [sys.executable, "-c", _TIMED.format(statement), str(path), *filter(None, sys.path)]
    return float(run(command, timeout=600).stdout)


def mapping_file(size: int) -> Path:
    """Write a mapping of so many MACs."""
    path = CACHE / "benchmark" / f"{size}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write("servers: {ris: 10.20.0.10, altiris: 10.20.0.20}\ndefault: ris\nrules:\n")
        file.writelines(f"{rule}\n" for rule in random_rules(size))
    return path
