"""Coverage-guided fuzzing of the relay: `make fuzz`, or `python -m tests.fuzz SECONDS`.

What is found new goes to a scratch folder; what breaks the target is printed and kept there too.
`python -m tests.fuzz merge` then adds to the corpus the smallest inputs that reach what it does not reach
yet. The unit tests replay the corpus.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pxerelay"]):
    from tests.fuzz.target import check

CORPUS = Path(__file__).with_name("corpus")
SCRATCH = Path(__file__).resolve().parents[2] / ".cache" / "fuzz"


def one_input(octets: bytes) -> None:
    """Check an input; libFuzzer takes no answer."""
    check(octets)


def main() -> None:
    """Fuzz for a number of seconds, or merge; the exit code is not 0 if something broke."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "20"
    SCRATCH.mkdir(parents=True, exist_ok=True)
    options = ["-max_len=1600", f"-artifact_prefix={SCRATCH}/"]
    if asked.startswith("-"):  # libFuzzer starts us once more while it merges
        options = sys.argv[1:]
    elif asked == "merge":
        options += ["-merge=1", str(CORPUS), str(SCRATCH)]
    else:
        options += [f"-max_total_time={int(asked)}", str(SCRATCH), str(CORPUS)]
    atheris.Setup([f"{sys.executable} -m tests.fuzz", *options], one_input)
    atheris.Fuzz()


main()
