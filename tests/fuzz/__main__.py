"""Coverage-guided fuzzing of the relay: `make fuzz`, or `python -m tests.fuzz SECONDS`.

What is found new goes to the corpus in a scratch folder; what breaks the target is printed and kept
there too. Give what is worth keeping a name and move it to tests/fuzz/corpus: the unit tests replay it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pxerelay"]):
    from tests.fuzz.target import check

CORPUS = Path(__file__).with_name("corpus")
SCRATCH = Path(__file__).resolve().parents[2] / ".cache" / "fuzz"


def main() -> None:
    """Fuzz for a number of seconds; the exit code is not 0 if something broke."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    SCRATCH.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-max_len=1600", f"-artifact_prefix={SCRATCH}/"]
    atheris.Setup([sys.argv[0], *options, str(SCRATCH), str(CORPUS)], check)
    atheris.Fuzz()


main()
